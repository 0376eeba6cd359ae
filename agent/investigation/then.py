"""What was pasted beside a server that was looked at: what it shows of then, and what became of it."""

from collections.abc import Iterator, Sequence

from agent.answer.diagnosis import Diagnosis
from agent.answer.open_points import PASTED_THEN, Evidence, Then
from agent.report.meanings import MEANINGS
from agent.report.quantities import bytes_text
from agent.report.words import all_in_words
from tools.records import Reading, Scalar
from tools.server.info import COUNTERS

DECISIVE = 2.0
"""How many times a figure is what it was, or was what it is, for the difference to say something."""
APART = 10.0
"""How many times the memory of one the other uses for both to be hardly the same server."""
VERSIONS = ("valkey_version", "redis_version")
SHOWN = 5


def with_then(answer: Diagnosis, then: Diagnosis) -> Diagnosis:
    """The answer with what the paste shows; a server is never called fine over a paste that shows a fault."""
    causes = tuple(cause.id for cause in then.causes)
    meaning = MEANINGS.get(causes[0], causes[0]) if causes else ""
    told = then.pasted.told if then.pasted else ""
    if meaning:
        told = f"{told.removesuffix('; not a live look.')}: {meaning} ({', '.join(causes)})."
    if other := _another(then.readings, answer.readings):
        told = f"{told} {other}".strip()
    changed = tuple(dict.fromkeys(_changed(then, answer)))[:SHOWN]
    whole = answer.model_copy(update={"then": Then(told=told, causes=causes, meaning=meaning, changed=changed)})
    was_wrong = meaning or next((one.what for one in then.complaints), "")
    if answer.outcome == "no-fault" and not was_wrong and other:
        # Who reads that all is well is asked first whether this is the server that the report is about.
        return whole.model_copy(update={"summary": f"{whole.summary} {other}".strip()})
    if answer.outcome != "no-fault" or not was_wrong:
        return whole
    more = f": {'; '.join(changed)}" if changed else ""
    line = f"{PASTED_THEN}: {was_wrong}; the server doesn't show it now{more}."
    then_ = whole.then.model_copy(update={"meaning": was_wrong}) if whole.then else None
    return whole.model_copy(update={
        "outcome": "insufficient-evidence", "summary": line, "unknown": (line, *answer.unknown), "benign": (),
        "then": then_,
    })  # fmt: skip


def _another(then: Sequence[Reading], now: Sequence[Reading]) -> str:
    """That the paste may be of another server than the one that was looked at, with what shows it; else nothing."""
    apart = []
    for field in VERSIONS:
        was, is_ = _field(then, field), _field(now, field)
        if was and is_ and was != is_:
            apart.append(f"version {was} there, {is_} here")
            break
    was, is_ = _field(then, "used_memory"), _field(now, "used_memory")
    if isinstance(was, int | float) and isinstance(is_, int | float) and max(was, is_) > APART * max(1, min(was, is_)):
        apart.append(f"{bytes_text(was)} in use there, {bytes_text(is_)} here")
    return f"What was pasted may be of another server, or of long ago: {'; '.join(apart)}." if apart else ""


def _field(readings: Sequence[Reading], field: str) -> Scalar:
    return next((one.get(field) for one in readings if one.tool in ("info", "memory") and one.has(field)), None)


def _changed(then: Diagnosis, now: Diagnosis) -> Iterator[str]:
    """What of the paste's own evidence is decisively different now."""
    tools = {reading.id: reading for reading in then.readings}
    cited = [one for cause in then.causes for one in cause.evidence]
    cited += [one for complaint in then.complaints for one in complaint.evidence]
    for one in cited:
        reading = tools.get(one.reading)
        if reading is None or one.field == "unavailable" or reading.tool == "symptom":
            continue
        found = _now(now.readings, reading.tool, one.field)
        if found is None or not _differs(one.value, found[1]):
            continue
        was = _words(Evidence(reading=one.reading, field=one.field, value=one.value, verified=True), then.readings)
        is_ = _words(Evidence(reading=found[0].id, field=found[2], value=found[1], verified=True), now.readings)
        if was and is_ and was != is_:
            yield f"then {was}, now {is_}"


def _now(readings: Sequence[Reading], tool: str, field: str) -> tuple[Reading, Scalar, str] | None:
    """The newest value of a field, with its reading and its name; of what only ever grows, its growth."""
    base = field.removesuffix(".delta").removesuffix(".rate")
    name = f"{base}.delta" if field == base and COUNTERS.fullmatch(base) else field
    for reading in reversed(readings):
        if reading.tool == tool and reading.has(name) and reading.get(name) is not None:
            return reading, reading.get(name), name
    return None


def _differs(was: Scalar, now: Scalar) -> bool:
    if isinstance(was, bool | str) or isinstance(now, bool | str) or was is None or now is None:
        return was != now
    low, high = sorted((abs(was), abs(now)))
    return low * DECISIVE < high


def _words(one: Evidence, readings: Sequence[Reading]) -> str:
    return "; ".join(all_in_words([[one]], readings))
