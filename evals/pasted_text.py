"""What a person would have copied from a recorded incident: its replies as redis-cli prints them, and its log."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tools.connection.protocol import Reply, ServerError
from tools.host.log_events import PATTERNS
from tools.record.tape import Key, NodeTape, Tape
from tools.records import Scalar

_LOUD = {"info": "*", "warning": "#", "critical": "#"}


def human(reply: Reply, indent: int = 0) -> str:
    """A reply as redis-cli prints it to a terminal."""
    if isinstance(reply, ServerError):
        return f"(error) {reply.text}"
    if reply is None:
        return "(nil)"
    if isinstance(reply, int):
        return f"(integer) {reply}"
    if isinstance(reply, str):
        quoted = reply.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n")
        return f'"{quoted}"'
    if not reply:
        return "(empty array)"
    width = len(str(len(reply)))
    rows = []
    for number, one in enumerate(reply, 1):
        lead = "" if number == 1 else " " * indent
        rows.append(f"{lead}{number:>{width}}) {human(one, indent + width + 2)}")
    return "\n".join(rows)


def pasted(tape: Tape, node: str, *, samples: int = 1, info_only: bool = False, pings: bool = False) -> str:
    """The text that a person copies from a node's terminal: INFO as often as that, and the rest at the end."""
    own = tape.nodes[node]
    whole = _answered(own, ("INFO", "EVERYTHING")) or _answered(own, ("INFO",))
    if samples > 1 and whole:
        whole = [*whole[:1], _without(_own_failures(own), whole[-1])]
    parts = [f"{node}> INFO everything\n{text}" for text in (whole if samples > 1 else whole[-1:])]
    if info_only or not parts:
        return "\n".join(parts)
    for command in (("SLOWLOG", "GET"), ("ACL", "LOG"), ("LATENCY", "LATEST")):
        asked = max((key for key in own.outcomes if key[:2] == command), key=_most, default=None)
        if asked and (found := _answered(own, asked)):
            shown = " ".join(asked[: 2 if command == ("SLOWLOG", "GET") else 3])
            parts.append(f"{node}> {shown}\n{human(found[-1])}")
    if found := _answered(own, ("CLIENT", "LIST")):
        parts.append(f"{node}> CLIENT LIST\n{found[-1]}")
    if config := _config(own):
        parts.append(f"{node}> CONFIG GET *\n{human([word for pair in config.items() for word in pair])}")
    if pings and (line := _latency(tape, node)):
        parts.append(f"$ redis-cli --latency\n{line}")
    if log := "\n".join(log_of(tape, node)):
        parts.append(log)
    return "\n\n".join(part.replace("\r\n", "\n") for part in parts) + "\n"


def _own_failures(own: NodeTape) -> Counter[str]:
    """By the names of INFO's counters, what the recording program itself asked in vain: nobody else did."""
    counts: Counter[str] = Counter()
    for asked, outcomes in own.outcomes.items():
        for one in outcomes:
            if isinstance(one.reply, ServerError):
                word = one.reply.text.split(" ")[0]
                counts[f"errorstat_{word}"] += 1
                counts["total_error_replies"] += 1
                counts[f"cmdstat_{asked[0].lower()}"] += 1
    return counts


def _without(counts: Counter[str], text: str) -> str:
    """INFO without as many errors as that, as far as it counts them."""

    def less(line: re.Match[str]) -> str:
        return f"{line[1]}{max(0, int(line[3]) - counts[line[2]])}"

    text = re.sub(r"(?m)^((cmdstat_[a-z]+)\S*failed_calls=)(\d+)", less, text)
    text = re.sub(r"(?m)^((errorstat_\w+):count=)(\d+)", less, text)
    return re.sub(r"(?m)^((total_error_replies):)(\d+)", less, text)


def _latency(tape: Tape, node: str) -> str:
    """What `redis-cli --latency` would have printed: in whole milliseconds, and only of PINGs that were answered."""
    # The samples that a replay takes are made of PINGs: whether each was prompt is all that is rounded away.
    took = [one.ms for one in tape.nodes[node].outcomes.get(("PING",), ()) if one.end is None]
    if not took:
        return ""
    return f"min: {int(min(took))}, max: {int(max(took))}, avg: {sum(took) / len(took):.2f} ({len(took)} samples)"


def _most(key: Key) -> int:
    return int(key[2]) if len(key) > 2 and key[2].isdecimal() else 10


def _answered(own: NodeTape, asked: Key) -> list[Any]:
    found = (one for one in own.outcomes.get(asked, ()) if one.end is None and not isinstance(one.reply, ServerError))
    return [one.reply for one in found]


def _config(own: NodeTape) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for asked in own.outcomes:
        if asked[:2] == ("CONFIG", "GET") and (found := _answered(own, asked)):
            pairs |= {str(name): str(value) for name, value in zip(found[-1][::2], found[-1][1::2], strict=False)}
    return pairs


def log_of(tape: Tape, node: str) -> Iterator[str]:
    """Lines that a server writes for the events that the recording's log reading counts, oldest first."""
    readings = [one for one in tape.readings("log", node) if one.values]
    if not readings:
        return
    values, now = readings[-1].values or {}, datetime.fromisoformat(readings[-1].at).timestamp()
    told: list[tuple[float, int, str]] = []
    # In one second the start comes first, as in the table.
    for order, event in enumerate(PATTERNS):
        name = event.name
        age = values.get(f"{name}.newest_age")
        if isinstance(age, int | float):
            figures = {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(name)}
            told.append((round(now - age), order, f"{_LOUD[event.level]} {example(event.match.pattern, figures)}"))
    for at, _, line in sorted(told):
        yield f"1:M {datetime.fromtimestamp(at, UTC):%d %b %Y %H:%M:%S}.000 {line}"


def example(pattern: str, figures: Mapping[str, Scalar]) -> str:
    """A text that a pattern matches, with figures in the place of its named groups."""
    parser: Any = re._parser  # type: ignore[attr-defined]
    tree = parser.parse(pattern)
    names = {number: name for name, number in tree.state.groupdict.items()}
    return _written(tree, names, figures)


def _written(tree: Any, names: Mapping[int, str], figures: Mapping[str, Scalar]) -> str:
    text = ""
    for kind, what in tree:
        match str(kind):
            case "LITERAL":
                text += chr(what)
            case "NOT_LITERAL" | "ANY":
                text += "x"
            case "IN":
                text += _of_class(what)
            case "BRANCH":
                text += _written(what[1][0], names, figures)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                text += _written(what[2], names, figures) * what[0]
            case "SUBPATTERN":
                figure = figures.get(names.get(what[0], ""))
                text += _written(what[3], names, figures) if figure is None else str(figure)
            case "ATOMIC_GROUP":
                text += _written(what, names, figures)
            case _:
                # An assertion takes no room.
                continue
    return text


def _of_class(members: Any) -> str:
    kind, what = members[0]
    match str(kind):
        case "LITERAL":
            return chr(what)
        case "RANGE":
            return chr(what[0])
        case "CATEGORY":
            return {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " "}.get(str(what), "x")
        case _:
            return "x"
