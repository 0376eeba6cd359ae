"""Which server each piece is of.

A prompt's address, a heading, a file's name and a `run_id` say so; what says nothing is of the server before it.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from agent.pastes.naming import give_names, is_strong, own_place
from agent.pastes.sections import Sections, of_figures, parsed, word
from agent.pastes.servers import Server, may_be
from tools.host.facts import HostFacts
from tools.paste.headings import file_label, place_of, role_in
from tools.paste.pieces import Piece

_WRITER = re.compile(r"^[ \t]{0,200}(?P<pid>\d{1,10}):(?P<role>[A-Z]) ", re.MULTILINE)
_ROLES = {"M": "master", "S": "replica", "X": "sentinel"}


class Sorted(NamedTuple):
    """The servers, the one of which there is most first, and pieces of which nothing says whose they are."""

    servers: list[Server]
    unplaced: list[Piece]


class _Sorting:
    """Sorting in progress."""

    def __init__(self) -> None:
        self.found: list[Server] = []
        self.current: Server | None = None
        self.file = ""
        self.loose: list[tuple[Piece, Server | None]] = []
        """Pieces that name no server, each with the one that was spoken of in its file before."""

    def put(self, piece: Piece) -> None:
        """Put a piece where it belongs, as far as it says it."""
        file = piece.source.rpartition(":")[0]
        if file != self.file:
            self.file, self.current = file, None
        label = piece.label or file_label(file)
        node = piece.node or (place_of(label, 0) if label else None)
        if node and node.endswith(":0"):
            node = None
        if piece.form == "info" or (piece.form == "metrics" and piece.values):
            info = parsed(str(piece.reply or piece.text)) if piece.form == "info" else of_figures(piece.values or {})
            self.current = self._of_info(node, label, info, soft=piece.label is None)
            self.current.add(piece, info)
            return
        if piece.form == "cluster-nodes" and not node:
            node = own_place(piece)
            if node and self.current and not self.current.node and self.current.port == int(node.rpartition(":")[2]):
                self.current.node = node
        if piece.form == "host-facts":
            self.loose.append((piece, None))
        elif (node and is_strong(node)) or label:
            self.current = self._named(node, label, piece)
            self.current.others.append(piece)
        else:
            if node and self.current and not self.current.node:
                self.current.node = node
            self.loose.append((piece, self.current))

    def _of_info(self, node: str | None, label: str | None, info: Sections, *, soft: bool) -> Server:
        run_id = word(info, "run_id")
        for one in self.found:
            if run_id and one.run_id == run_id:
                return self._told(one, node, label, run_id)
        likely = [one for one in self.found if (is_strong(node) and one.node == node) or (label and one.label == label)]
        likely += [self.current] if self.current else []
        # A file's name alone doesn't make two servers of what is one by everything else.
        if (soft or not label) and not is_strong(node):
            likely += [one for one in self.found if run_id or len(self.found) == 1]
        for one in likely:
            if self._agree(one, node, label) and may_be(one, info):
                return self._told(one, node, label, run_id)
        return self._told(self._new(), node, label, run_id)

    def _named(self, node: str | None, label: str | None, piece: Piece) -> Server:
        for one in self.found:
            if node and one.node == node:
                return one
        for one in [*([self.current] if self.current else []), *self.found]:
            same = bool(label) and one.label == label
            fresh = one is self.current and (not one.label or not label) and self._agree(one, node, label)
            if (same or fresh) and not (node and one.node and one.node != node and is_strong(one.node)):
                return self._told(one, node, label, "")
        return self._told(self._new(), node, label, "")

    def _agree(self, one: Server, node: str | None, label: str | None) -> bool:
        if is_strong(node) and is_strong(one.node) and node != one.node:
            return False
        if label and one.label and label != one.label:
            return False
        role = role_in(label) if label else None
        return not (role and one.role and role != one.role and one.moments)

    def _told(self, one: Server, node: str | None, label: str | None, run_id: str) -> Server:
        if node and (one.node is None or (is_strong(node) and not is_strong(one.node))):
            one.node = node
        one.label, one.run_id = one.label or label, run_id or one.run_id
        return one

    def _new(self) -> Server:
        self.found.append(Server())
        return self.found[-1]


def sorted_out(pieces: Sequence[Piece]) -> Sorted:
    """The servers of these pieces, each with its own."""
    sorting = _Sorting()
    for piece in pieces:
        sorting.put(piece)
    found, unplaced = sorting.found, list[Piece]()
    by_file = {piece.source.rpartition(":")[0]: one for one in reversed(found) for piece in _infos(one)}
    if not found:
        found.append(Server())
    for piece, spoken_of in sorting.loose:
        owner = _owner(piece, spoken_of or by_file.get(piece.source.rpartition(":")[0]), found)
        if owner is None:
            unplaced.append(piece)
        else:
            owner.others.append(piece)
    found = [one for one in found if one.pieces] or found[:1]
    for one in found:
        one.settle()
    give_names(found)
    return Sorted(sorted(found, key=lambda one: (one.is_sentinel, -bool(one.moments), -one.pieces)), unplaced)


def _infos(server: Server) -> list[Piece]:
    return [piece for moment in server.moments for piece in moment.pieces]


def _owner(piece: Piece, likely: Server | None, found: list[Server]) -> Server | None:
    """The server that a piece without a name is of; None where it may be of several."""
    if piece.form == "sentinel":
        sentinel = next((one for one in found if one.is_sentinel), None)
        if sentinel is None and (likely is None or likely.said("redis_mode")):
            found.append(sentinel := Server())
        return sentinel or likely
    if piece.form == "host-facts":
        return _of_machine(piece, found)
    if len(found) == 1:
        return found[0]
    if piece.form == "server-log" and (writers := {m.groups() for m in _WRITER.finditer(piece.text[-65536:])}):
        pids = {pid for pid, _ in writers}
        roles = {_ROLES.get(letter, "") for _, letter in writers} - {""}
        own = [one for one in found if one.said("process_id") in pids] if pids - {"1"} else []
        own = own or ([one for one in found if one.role in roles] if len(roles) == 1 else [])
        if len(own) == 1:
            return own[0]
        if likely and own and likely not in own:
            return None
    if piece.form == "cluster-nodes" and (place := own_place(piece)):
        likely = next((one for one in found if one.node == place), likely)
    return likely


def _of_machine(piece: Piece, found: list[Server]) -> Server | None:
    from agent.pastes.facts import facts_in

    facts: HostFacts | None = None if piece.cut else facts_in(piece.text)
    if facts is None or len(found) == 1:
        return found[0] if facts else None
    numbers = {str(one) for one in facts.numbers()}
    own = [one for one in found if one.said("process_id") in numbers]
    own = own if len(own) == 1 else [one for one in own or found if one.port == facts.port and one.said("tcp_port")]
    return own[0] if len(own) == 1 else None
