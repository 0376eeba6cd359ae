"""A ServiceNow incident: a record of its Table API, or a business rule's message with the same fields."""

import re
from typing import Any

from agent.tickets.ticket import Labels, Ticket, foreign_comment, object_of, objects_of, scalar_text, time_of
from tools.patterns import deferred

_NUMBER = deferred(r"[A-Z]{2,10}[0-9]{4,15}", re.ASCII)
_OVER = {"6": "resolved", "7": "closed", "8": "canceled"}
"""The numbers of an incident's states as they are delivered."""
_LABELS = (
    "cmdb_ci", "business_service", "service_offering", "assignment_group", "category", "priority", "urgency",
    "environment",
)  # fmt: skip


def is_servicenow(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    record = _record(body)
    return _NUMBER.fullmatch(_shown(record.get("number"))) is not None and "short_description" in record


def of_servicenow(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    record = _record(body)
    comment = foreign_comment(_shown(record.get("comments")))
    known = {name: (value,) for name in _LABELS if (value := _shown(record.get(name)))}
    labels: Labels = {**_own(record), **known}
    return Ticket(
        source="servicenow", title=_shown(record.get("short_description")),
        text="\n".join(filter(None, (comment, _shown(record.get("description"))))), labels=(labels,),
        key=_shown(record.get("number")), closed=_closed(record),
        at=time_of(_shown(record.get("opened_at"), stored=True)),
    )  # fmt: skip


def _record(body: dict[str, Any]) -> dict[str, Any]:
    result = body.get("result")
    return (objects_of(result) or [{}])[0] if isinstance(result, list) else object_of(result) or body


def _shown(value: Any, *, stored: bool = False) -> str:
    """A field as a person sees it; with sysparm_display_value it is an object that has both forms."""
    if isinstance(value, dict):
        names = ("value", "display_value") if stored else ("display_value", "value")
        return next((text for name in names if (text := scalar_text(value.get(name)))), "")
    return scalar_text(value)


def _closed(record: dict[str, Any]) -> str | None:
    state = _shown(record.get("state"), stored=True).lower()
    return _OVER.get(state) or (state if state in _OVER.values() else None)


def _own(record: dict[str, Any]) -> Labels:
    """A team's own fields, which ServiceNow names with `u_`."""
    own = {name.removeprefix("u_"): _shown(value) for name, value in record.items() if name.startswith("u_")}
    return {name: (value,) for name, value in own.items() if name and value}
