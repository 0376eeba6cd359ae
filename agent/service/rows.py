"""Rows of the database as records, and the small values in them."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, RowMapping, insert, update

from agent.answer.diagnosis import Diagnosis
from agent.service.records import Feedback, Incident, NumberedEvent, State
from agent.service.tables import events, incidents
from tools.text import escaped_json

WHOLE = tuple(one for one in incidents.c if one.name not in ("ticket", "words", "brief"))
BRIEF = tuple(one for one in incidents.c if one.name not in ("ticket", "words", "diagnosis", "brief"))
"""The columns of an incident, and those of one in a list: its answer is read without the readings."""
_STAMP = "20260131-020507-123"
"""What an id begins with."""


def new_id(now: datetime, last: str | None = None) -> str:
    """An id whose alphabetical order is the order in time: after the last one, even if the clock was set back since."""
    if last and (then := datetime.strptime(last[: len(_STAMP)], "%Y%m%d-%H%M%S-%f").replace(tzinfo=UTC)) >= now:
        now = then + timedelta(milliseconds=1)
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}{secrets.token_hex(3)}"


def identity(source: str, key: str) -> str:
    """What an incident is found by when its alert fires again."""
    return hashlib.sha256(f"{source}\0{key}".encode(errors="replace")).hexdigest()


def moment(seconds: float) -> datetime:
    """A stored time."""
    return datetime.fromtimestamp(seconds, UTC)


def incident_of(row: RowMapping, feedback: Iterable[str] = ()) -> Incident:
    """The incident of a row."""
    return Incident(
        id=row["id"], source=row["source"], key=row["key"], target=row["target"], title=row["title"],
        symptom=row["symptom"], state=cast(State, row["state"]), opened_at=moment(row["opened_at"]),
        updated_at=moment(row["updated_at"]),
        closed_at=moment(row["closed_at"]) if row["closed_at"] is not None else None, closed_by=row["closed_by"],
        alerts=row["alerts"], diagnosis=diagnosis_of(row["diagnosis"]), problem=row["problem"],
        posted=row["posted"], recording=row["recording"],
        feedback=tuple(Feedback.model_validate_json(one) for one in feedback),
    )  # fmt: skip


def diagnosis_of(text: str | None) -> Diagnosis | None:
    """A stored answer."""
    return None if text is None else Diagnosis.model_validate_json(text)


def stored(answer: Diagnosis) -> dict[str, str | None]:
    """The columns of an answer."""
    text = escaped_json(answer.model_dump_json(by_alias=True))
    brief = answer.model_copy(update={"readings": ()})
    return {"diagnosis": text, "brief": escaped_json(brief.model_dump_json(by_alias=True))}


def event_of(row: RowMapping) -> NumberedEvent:
    """The event of a row."""
    return NumberedEvent(number=row["number"], at=moment(row["at"]), kind=row["kind"], data=row["data"])


def data(kind: str, **values: Any) -> tuple[str, str]:
    """An event of the service's own: its kind and its JSON."""
    return kind, escaped_json(json.dumps({"type": kind, **values}, ensure_ascii=False))


def append(connection: Connection, incident: str, now: float, new: Sequence[tuple[str, str]]) -> bool:
    """Store events in order; false if the incident is gone. Its row is locked: numbers have no gaps and no rivals."""
    if not new:
        return True
    numbered = (
        update(incidents).where(incidents.c.id == incident)
        .values(last_event=incidents.c.last_event + len(new), updated_at=now)
        .returning(incidents.c.last_event)
    )  # fmt: skip
    last = connection.scalar(numbered)
    if last is None:
        return False
    first = last - len(new) + 1
    connection.execute(
        insert(events),
        [
            {"incident": incident, "number": first + at, "at": now, "kind": kind, "data": text}
            for at, (kind, text) in enumerate(new)
        ],
    )
    return True
