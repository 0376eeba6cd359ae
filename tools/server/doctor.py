"""What LATENCY DOCTOR and MEMORY DOCTOR say, without the theatre; and parts of a reading that fail separately."""

import re

from tools.connection.node import Node
from tools.connection.protocol import Command, Reply, ServerError
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Scalar, Values

FAILED = (ServerError, Unanswered)
"""What replaces a missing reply."""
LONGEST = 600
"""Characters of advice that are kept."""
MOST_ADVICE = 8192
"""Characters of advice that are looked at."""
_POINT = deferred(r"\s*(?:-|\*|\d{1,3}\.)\s+(\S.*)?")
_SPIKES = deferred(
    r"\s*\d{1,3}\. (?P<event>[a-z][a-z0-9-]{1,40}): (?P<spikes>\d{1,9}) latency spikes "
    r"\(average (?P<mean_ms>\d{1,9})ms, .{0,80}Worst all time event (?P<max_ms>\d{1,9})ms\..{0,200}"
)
"""What LATENCY DOCTOR says of an event."""
_END = deferred(r"[.!?](?=\s|$)")
"""Of a sentence."""


async def answers(node: Node, *commands: Command) -> list[Reply]:
    """Like `Node.ask`, for extra parts of a reading: without an answer each reply is the `Unanswered`."""
    try:
        return await node.ask(*commands)
    except Unanswered as error:
        return [error] * len(commands)


def doctor(node: Node, reply: Reply) -> Values:
    """The advice as `doctor`, bounded, and `doctor_points`; or null with `doctor.unavailable`."""
    if isinstance(reply, FAILED):
        return {"doctor": None, "doctor.unavailable": unavailable(node, reply)}
    reply = str(reply)[:MOST_ADVICE]
    points = [match[1] or "" for line in str(reply).splitlines() if (match := _POINT.fullmatch(line))]
    texts = points or [" ".join(str(reply).split())]
    return {"doctor": bounded(" | ".join(first_sentences(point) for point in texts)), "doctor_points": len(points)}


def told_spikes(reply: Reply) -> Values:
    """The figures of LATENCY DOCTOR's events, as `<event>.spikes`, `.mean_ms` and `.max_ms`; it tells no times."""
    lines = [] if isinstance(reply, FAILED) else str(reply)[:MOST_ADVICE].splitlines()
    found = filter(None, map(_SPIKES.fullmatch, lines))
    return {f"{one['event']}.{name}": int(one[name]) for one in found for name in ("spikes", "mean_ms", "max_ms")}


def unavailable(node: Node, error: ServerError | Unanswered) -> Scalar:
    """The kind that an error means, else the error in words that may be shown."""
    return error.kind or node.pseudonyms.error(str(error))


def first_sentences(text: str, most: int = 150) -> str:
    """As many complete sentences as fit into `most` characters, at least the first."""
    ends = [match.end() for match in _END.finditer(text)]
    fitting = [end for end in ends if end <= most] or ends[:1]
    return (text[: fitting[-1]] if fitting else text).strip()


def bounded(text: str) -> str:
    """Printable ASCII of at most `LONGEST` characters."""
    clean = re.sub(r"[^\x20-\x7e]+", " ", text)
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 3] + "..."
