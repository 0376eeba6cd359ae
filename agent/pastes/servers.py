"""Which server each piece is of, and of which moment."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.pastes.sections import Sections, number, of_figures, parsed, together, word
from tools.paste.pieces import Piece

UNNAMED = "unnamed.invalid"
"""The host of a server whose address nobody pasted: no such name ever resolves (RFC 6761)."""
USUAL_PORT = 6379


@dataclass
class Moment:
    """What was pasted of one moment of a server's life."""

    info: Sections
    pieces: list[Piece] = field(default_factory=list)
    """The INFO that it's made of."""

    @property
    def uptime(self) -> int | None:
        """Seconds that the server had run for."""
        return number(self.info, "uptime_in_seconds")

    @property
    def at(self) -> float | None:
        """When it was by the server's own clock, else by where it stood."""
        if (usec := number(self.info, "server_time_usec")) is not None:
            return usec / 1e6
        return max((one.at for one in self.pieces if one.at is not None), default=None)


@dataclass
class Server:
    """What was pasted of one server."""

    node: str | None = None
    """host:port, where one was named."""
    run_id: str = ""
    moments: list[Moment] = field(default_factory=list)
    """In the order of its life."""
    others: list[Piece] = field(default_factory=list)
    """Pieces that are no INFO."""

    @property
    def pieces(self) -> int:
        """How many there are of it."""
        return sum(len(one.pieces) for one in self.moments) + len(self.others)

    @property
    def port(self) -> int:
        """Its port, as far as it's known."""
        ports = [number(one.info, name) for one in self.moments for name in ("tcp_port",)]
        return next((port for port in ports if port and port < 65536), USUAL_PORT)

    @property
    def name(self) -> str:
        """host:port; of a server that nobody named under a host that doesn't exist."""
        return self.node or f"{UNNAMED}:{self.port}"


def servers_of(pieces: Iterable[Piece]) -> list[Server]:
    """The servers that were pasted, the one of which there is most first.

    A piece belongs to the server that its prompt names, else to that of the INFO before it, else to the first one.
    """
    found: list[Server] = []
    current: Server | None = None
    early: list[Piece] = []
    for piece in pieces:
        if piece.form == "info" or (piece.form in ("metrics", "stat") and piece.values):
            sections = (
                parsed(str(piece.reply or piece.text)) if piece.form == "info" else of_figures(piece.values or {})
            )
            current = _server(found, current, piece, sections)
            _add(current, piece, sections)
            continue
        if piece.node and (current is None or current.node != piece.node):
            current = next((one for one in found if one.node == piece.node), None) or _named(found, piece.node, current)
        (current.others if current else early).append(piece)
    if not found:
        found.append(Server())
    found[0].others[:0] = early
    for server in found:
        _settle(server)
    return sorted(found, key=lambda one: -one.pieces)


def _server(found: list[Server], current: Server | None, piece: Piece, info: Sections) -> Server:
    """The server of an INFO: known by its run_id, by its name, or the one that was spoken of."""
    run_id, port = word(info, "run_id"), number(info, "tcp_port")
    for one in found:
        if (run_id and one.run_id == run_id) or (not run_id and piece.node and one.node == piece.node):
            return one
    follows = current is not None and (not piece.node or current.node in (None, piece.node))
    is_other = bool(current and run_id and current.run_id) and current is not None and (
        (current.moments and port is not None and current.port != port) or not _lived_on(current, info)
    )  # fmt: skip
    if current is not None and follows and not is_other:
        server = current
    else:
        server = Server()
        found.append(server)
    server.node, server.run_id = server.node or piece.node, run_id or server.run_id
    return server


def _lived_on(server: Server, info: Sections) -> bool:
    """Whether an INFO with another run_id may be of the same server after a restart: at the same port."""
    port = number(info, "tcp_port")
    return port is not None and port == server.port


def _named(found: list[Server], node: str, current: Server | None) -> Server:
    if current is not None and current.node is None:
        current.node = node
        return current
    server = Server(node=node)
    found.append(server)
    return server


def _add(server: Server, piece: Piece, info: Sections) -> None:
    """Put an INFO to its moment: what tells another uptime is of another moment, parts without one go to the last."""
    last, uptime = (server.moments[-1] if server.moments else None), number(info, "uptime_in_seconds")
    if last is None or (uptime is not None and last.uptime not in (None, uptime)):
        server.moments.append(Moment(info, [piece]))
        return
    # What prose quotes is weaker than what the server printed.
    last.info = together((info, last.info) if piece.cut and uptime is None else (last.info, info))
    last.pieces.append(piece)


def _settle(server: Server) -> None:
    """Order the moments, and leave out those of an earlier life."""
    if all(one.uptime is not None for one in server.moments):
        ids = [word(one.info, "run_id") for one in server.moments]
        if len(set(ids)) > 1:
            # Which life is the newer one, only the clock or the order of the paste tells.
            newest = max(server.moments, key=lambda one: (one.at or 0.0, server.moments.index(one)))
            server.moments = [one for one in server.moments if word(one.info, "run_id") == word(newest.info, "run_id")]
        server.moments.sort(key=lambda one: one.uptime or 0)
