"""An incident out of what people pasted: the pieces of one server, and whatever else is known of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from agent.answer.open_points import Pasted
from agent.pastes.recording import moment_of, recording_of
from agent.pastes.servers import Server
from agent.pastes.whose import sorted_out
from tools.clock import iso_time
from tools.errors import ToolError, UsageError
from tools.paste.gather import Text, gather
from tools.paste.pieces import Piece, Recognised, Stretch
from tools.paste.recognise import recognise
from tools.record.schema import Line
from tools.record.tape import Tape
from tools.text import one_line

NAMES = {
    "info": "INFO", "slowlog": "SLOWLOG", "commandlog": "COMMANDLOG", "client-list": "CLIENT LIST",
    "config": "CONFIG GET", "config-file": "the configuration file", "latency-latest": "LATENCY LATEST",
    "latency-history": "LATENCY HISTORY", "latency-doctor": "LATENCY DOCTOR", "memory-stats": "MEMORY STATS",
    "memory-doctor": "MEMORY DOCTOR", "cluster-nodes": "CLUSTER NODES", "cluster-info": "CLUSTER INFO",
    "cluster-shards": "CLUSTER SHARDS", "cluster-slots": "CLUSTER SLOTS", "sentinel": "SENTINEL", "acl-log": "ACL LOG",
    "role": "ROLE", "bigkeys": "--bigkeys", "latency-cli": "--latency", "stat": "--stat", "server-log": "the log",
    "kernel-log": "the kernel's log", "kubernetes": "Kubernetes' description", "container": "docker inspect",
    "metrics": "metrics",
    "host-facts": "the machine's facts", "machine": "the machine's memory and load",
    "disk": "df", "sockets": "a list of sockets", "monitor": "MONITOR", "error": "an error reply",
    "client-error": "a client's error",
}  # fmt: skip
"""What a person calls a form."""
EVIDENCE = frozenset(NAMES) - {"error", "client-error", "server-log", "config-file"}
"""Forms that say something of a server beside what a report says anyway: a log's lines in it are read as such."""
FIELDS_LEAST = 5
ERRORS, ERROR_MOST, CLIENT_MOST = 5, 300, 1500
"""Errors that are taken into the report, and characters of each; those of a client carry figures."""
WORDS_MOST, STRETCHES = 100, 20


@dataclass(frozen=True)
class Incident:
    """What was pasted, as something that can be investigated."""

    tape: Tape
    lines: tuple[Line, ...]
    """Those of its recording."""
    told: Pasted


def read_pastes(paths: Sequence[str], symptom: str, stdin: BinaryIO | None = None) -> Incident:
    """The incident that files, folders and archives hold, or stdin.

    Raises `UsageError` for what can't be read, or where nothing is recognised.
    """
    return incident_of(map(recognised, gathered(paths, stdin)), symptom)


def gathered(paths: Sequence[str], stdin: BinaryIO | None = None) -> list[Text]:
    """The texts of files, folders and archives, or stdin. Raises `UsageError` for what can't be read."""
    try:
        return list(gather(paths, stdin))
    except ToolError as error:
        raise UsageError(f"--paste: {error}") from None


def recognised(text: Text) -> Recognised:
    """What is in one text; of one that wasn't read, why."""
    if text.refused is None:
        return recognise(text.text, text.source)
    return Recognised(pieces=(), unrecognised=(Stretch(source=text.source, lines=0, words=text.refused),))


def incident_of(found: Iterable[Recognised], symptom: str) -> Incident:
    """The incident of all that was recognised; without a symptom it's what somebody wrote around it.

    Raises `UsageError` where nothing was recognised.
    """
    pieces: list[Piece] = []
    stretches: list[Stretch] = []
    prose: list[str] = []
    for one in found:
        pieces += one.pieces
        prose += [one.prose] if one.prose else []
        # What was taken for the report before isn't unknown.
        reported = bool(one.prose) and one.prose in symptom
        stretches += [stretch for stretch in one.unrecognised if not (stretch.prose and reported)]
    if not pieces:
        hint = f"; it begins {stretches[0].words[:WORDS_MOST]!r}" if stretches else ""
        raise UsageError(
            f"--paste: nothing in it is of a Redis server{hint} (INFO, SLOWLOG GET, CLIENT LIST, a log ...); "
            "what people report is the symptom, and an alert or a ticket goes to rediagnose annotate"
        )
    if not symptom.strip() and prose:
        symptom = "\n".join(prose)
        stretches = [one for one in stretches if not one.prose]
    servers, unplaced = sorted_out(pieces)
    stretches = [*map(_unplaced, unplaced), *stretches]
    recording = recording_of(servers, _reported(symptom, pieces))
    told = _told(servers, stretches)
    return Incident(tape=Tape(recording), lines=tuple(recording.lines), told=told)


def shows_a_server(piece: Piece) -> bool:
    """Whether a piece in somebody's words says something of a server beside what a report says anyway."""
    # A sentence that names a field or two is still a sentence.
    return piece.form in EVIDENCE and (piece.form != "info" or piece.text.count("\n") >= FIELDS_LEAST)


def _reported(symptom: str, pieces: Sequence[Piece]) -> str:
    """What was reported, with the pasted errors and MONITOR's lines: clients' words, as a report is."""
    most = {"error": ERROR_MOST, "monitor": ERROR_MOST, "client-error": CLIENT_MOST}
    errors = [one_line(one.text, most[one.form]) for one in pieces if one.form in most]
    # A ticket's report is its text.
    new = [one for one in dict.fromkeys(errors) if one not in symptom]
    return "\n\n".join([symptom, *new[:ERRORS]]).strip()


def _unplaced(piece: Piece) -> Stretch:
    """A piece that was recognised and can't be used, as one that wasn't: why."""
    why = piece.text if piece.form == "host-facts" and piece.cut else "it isn't said which server it is of"
    return Stretch(source=piece.source, lines=0, words=f"{NAMES.get(piece.form, 'a reply')}: {why}")


def _told(servers: Sequence[Server], stretches: Sequence[Stretch]) -> Pasted:
    first = servers[0]
    forms = [piece.form for server in servers for one in server.moments for piece in one.pieces]
    forms += [piece.form for server in servers for piece in server.others]
    uptimes = [one.uptime for one in first.moments if one.uptime is not None]
    return Pasted(
        what=tuple(dict.fromkeys(NAMES.get(form, "other replies") for form in forms)), node=first.node,
        also=tuple(one.name for one in servers[1:]),
        at=None if (at := moment_of(first)) is None else iso_time(at), 
        samples=sum(bool(one.pieces) for one in first.moments),
        seconds=float(uptimes[-1] - uptimes[0]) if len(uptimes) > 1 and not first.stated else None,
        unrecognised=tuple(
            f"{one.source} ({_many(one.lines)}{one_line(one.words, WORDS_MOST)})" for one in stretches[:STRETCHES]
        ),
    )  # fmt: skip


def _many(lines: int) -> str:
    return "" if not lines else "1 line: " if lines == 1 else f"{lines} lines: "
