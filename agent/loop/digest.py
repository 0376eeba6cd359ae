"""Readings as the model is shown them: the vital signs in a line each, or one reading whole."""

import json
import re
from collections.abc import Iterable

from agent.answer.diagnosis import Cause
from agent.evidence.fields import SHOWN
from tools.patterns import deferred
from tools.records import Reading, Scalar

ALARMING = deferred(
    r"(rejected_connections|evicted_\w+|expired_keys|errorstat_.*|sync_(full|partial_err)|aof_delayed_fsync|"
    r"acl_access_denied_\w+|total_error_replies|client_\w+_disconnections|.*\.(rejected|failed)_calls)(\.count)?\.delta|"
    r"[^.]+\.usec\.delta|peer1\..*|T?ListenDrops\.delta|TCP\w+\.delta"
)
"""Fields that are shown where they aren't zero."""
APART = ("connect", "info", "replication", "cluster", "sentinel")
"""Tools whose readings distinguish one node of a deployment from another."""
NAMED_SHARE = 0.6
"""Of the digest, where there are several nodes."""
LINE_MOST, READING_MOST, WORD_MOST = 420, 4000, 90


def digest(readings: Iterable[Reading], most: int) -> str:
    """The vital signs, a line for each reading under its node; at most so many bytes.

    Of further nodes only what distinguishes them is shown: who answers, their role, and what is alarming.
    """
    taken = [reading for reading in readings if reading.tool != "symptom"]
    newest = {(reading.node, reading.tool): reading.id for reading in taken}
    by_node: dict[str | None, list[Reading]] = {}
    for reading in taken:
        # A longer look replaces a first glance, but not a failure.
        if reading.unavailable or newest[reading.node, reading.tool] == reading.id:
            by_node.setdefault(reading.node, []).append(reading)
    # What is of no node comes first: which nodes there are.
    ordered = sorted(by_node.items(), key=lambda item: item[0] is not None)
    named = next((node for node, _ in ordered if node is not None), None)
    several = sum(node is not None for node in by_node) > 1
    lines, used, left = [], 0, 0
    for node, of_node in ordered:
        shown = of_node if node in (named, None) else [one for one in of_node if _is_distinctive(one)]
        # The named node leaves room for the others.
        bound = most * NAMED_SHARE if several and node == named else most
        for line in [f"{node or 'all nodes'}:", *map(vital_line, shown)]:
            if used + len(line.encode()) + 1 > bound - 40:
                left += 1
                continue
            used += len(line.encode()) + 1
            lines.append(line)
    if left:
        lines.append(f"… and {left} lines more")
    return "\n".join(lines) or "none"


def _is_distinctive(reading: Reading) -> bool:
    alarming = any(value and ALARMING.fullmatch(field) for field, value in (reading.values or {}).items())
    return reading.unavailable is not None or reading.tool in APART or alarming


def vital_line(reading: Reading) -> str:
    """A reading in a line."""
    head = f"{reading.id} {reading.tool}"
    if reading.unavailable:
        head += f" unavailable={reading.unavailable.kind}"
    values = reading.values or {}
    parts, used = [], len(head)
    for field in first_fields(reading):
        part = f"{field}={literal(values[field])}"
        if (used := used + len(part) + 1) > LINE_MOST:
            break
        parts.append(part)
    rest = len(values) - len(parts)
    return " ".join([head, *parts, *([f"+{rest}"] if rest else [])])


def first_fields(reading: Reading) -> list[str]:
    """The fields to show first: what is alarming, then what matters, without what is null."""
    values = {field: value for field, value in (reading.values or {}).items() if value is not None}
    alarms = () if reading.tool == "latencystats" else values.items()
    alarming = [field for field, value in alarms if value and ALARMING.fullmatch(field)]
    notable = re.compile(SHOWN.get(reading.tool, ".*"))
    return [*alarming, *(field for field in values if field not in alarming and notable.fullmatch(field))]


def findings_text(findings: Iterable[Cause], most: int) -> str:
    """The checks' ranking with its evidence; at most so many characters."""
    lines: list[str] = []
    for cause in findings:
        cited = "; ".join(f"{one.reading} {one.field}={literal(one.value)}" for one in cause.evidence)
        line = f"- {cause.id} {cause.probability:.2f}: {cause.why} [{cited}]"
        if sum(map(len, lines)) + len(line) > most:
            lines.append("…")
            break
        lines.append(line)
    return "\n".join(lines) or "nothing"


def reading_json(reading: Reading, about: str = "", times: int = 1) -> str:
    """A reading as JSON for the model, cut to a bounded size; `about` explains its fields.

    `times` is how often it was taken with these arguments by now.
    """
    values = reading.values or {}
    first = first_fields(reading)
    shown: dict[str, Scalar] = {}
    room = READING_MOST
    for field in [*first, *(field for field in values if field not in first)]:
        value = values[field]
        room -= len(field) + len(json.dumps(value)) + 4
        if room < 0:
            break
        shown[field] = value
    content: dict[str, object] = {"id": reading.id, "tool": reading.tool, "node": reading.node, "ms": reading.ms}
    content["values"] = shown if reading.values is not None else None
    content["unavailable"] = reading.unavailable.model_dump() if reading.unavailable else None
    if left := len(values) - len(shown):
        content["more"] = (
            f"{left} more fields; ask for less at once (fewer sections, a smaller top or count) to see them"
        )
    if times > 1:
        content["again"] = f"taken {times} times now with these arguments; a window is always a new one"
    if about:
        content["about"] = about
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def literal(value: Scalar) -> str:
    """A value as it can be cited."""
    text = value if isinstance(value, str) else json.dumps(value)
    if not text or " " in text:
        text = json.dumps(text, ensure_ascii=False)
    return text if len(text) <= WORD_MOST else f"{text[:WORD_MOST]}…"
