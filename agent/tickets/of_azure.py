"""An Azure Monitor alert, in the common alert schema."""

from collections.abc import Iterator
from typing import Any

from agent.tickets.ticket import Labels, Ticket, object_of, objects_of, pairs_of, scalar_text, text_of, time_of

SCHEMA = "azureMonitorCommonAlertSchema"


def is_azure(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    return body.get("schemaId") == SCHEMA and bool(_essentials(body))


def of_azure(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    essentials = _essentials(body)
    over = text_of(essentials.get("monitorCondition")).lower() == "resolved"
    lines = [text_of(essentials.get("description")), *_conditions(body)]
    # The alert's id stays the same when it is resolved; the origin's covers services that send no other.
    key = text_of(essentials.get("alertId")) or text_of(essentials.get("originAlertId"))
    return Ticket(
        source="azure-monitor", title=text_of(essentials.get("alertRule")), text="\n".join(filter(None, lines)),
        labels=(_labels(body),), key=key or None, closed="resolved" if over else None,
        at=time_of(essentials.get("firedDateTime")),
    )  # fmt: skip


def _essentials(body: dict[str, Any]) -> dict[str, Any]:
    return object_of(object_of(body.get("data")).get("essentials"))


def _criteria(body: dict[str, Any]) -> list[dict[str, Any]]:
    context = object_of(object_of(body.get("data")).get("alertContext"))
    return objects_of(object_of(context.get("condition")).get("allOf"))


def _conditions(body: dict[str, Any]) -> Iterator[str]:
    """What was measured against which threshold, a line each."""
    for one in _criteria(body):
        parts = (one.get("timeAggregation"), one.get("metricName"), one.get("operator"), one.get("threshold"))
        line = " ".join(filter(None, map(scalar_text, parts)))
        value = scalar_text(one.get("metricValue"))
        yield f"{line}: {value}" if value else line


def _labels(body: dict[str, Any]) -> Labels:
    essentials = _essentials(body)
    labels: dict[str, tuple[str, ...]] = {}
    for name, field in (("resource", "configurationItems"), ("resource_id", "alertTargetIDs")):
        listed = essentials.get(field)
        values = tuple(text for one in listed if (text := text_of(one))) if isinstance(listed, list) else ()
        if values:
            labels[name] = values
    single = {name: text_of(essentials.get(name)) for name in ("severity", "signalType", "targetResourceGroup")}
    labels |= {name: (value,) for name, value in single.items() if value}
    for criterion in _criteria(body):
        for dimension in objects_of(criterion.get("dimensions")):
            name, value = text_of(dimension.get("name")), scalar_text(dimension.get("value"))
            if name and value and value not in labels.get(name, ()):
                labels[name] = (*labels.get(name, ()), value)
    return pairs_of(object_of(body.get("data")).get("customProperties")) | labels
