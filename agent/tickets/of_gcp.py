"""An incident of Google Cloud Monitoring: its webhook, or the same message through Pub/Sub."""

from typing import Any

from agent.tickets.ticket import Labels, Ticket, moment_of, object_of, pairs_of, text_of


def is_gcp(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    incident = object_of(body.get("incident"))
    return "incident_id" in incident and ("policy_name" in incident or "condition_name" in incident)


def of_gcp(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    incident = object_of(body.get("incident"))
    state = text_of(incident.get("state")).lower()
    documentation = object_of(incident.get("documentation"))
    metric = object_of(incident.get("metric")).get("type")
    parts = (metric, incident.get("summary"), documentation.get("subject"), documentation.get("content"))
    names = dict.fromkeys(filter(None, (text_of(incident.get(n)) for n in ("policy_name", "condition_name"))))
    return Ticket(
        source="gcp-monitoring", title=": ".join(names), text="\n".join(filter(None, map(text_of, parts))),
        labels=(_labels(incident),), key=text_of(incident.get("incident_id")) or None,
        closed=state if state == "closed" else None, at=moment_of(incident.get("started_at")),
    )  # fmt: skip


def _labels(incident: dict[str, Any]) -> Labels:
    resource, metric = object_of(incident.get("resource")), object_of(incident.get("metric"))
    metadata = object_of(incident.get("metadata"))
    single = {
        "project": incident.get("scoping_project_id"), "severity": incident.get("severity"),
        "resource_name": incident.get("resource_name"), "resource_type": resource.get("type"),
        "metric": metric.get("type"),
    }  # fmt: skip
    # The policy's own labels were chosen by a person, so that they take precedence.
    return {
        **{name: (text_of(value),) for name, value in single.items() if text_of(value)},
        **pairs_of(metadata.get("system_labels")), **pairs_of(metadata.get("user_labels")),
        **pairs_of(metric.get("labels")), **pairs_of(resource.get("labels")),
        **pairs_of(incident.get("policy_user_labels")),
    }  # fmt: skip
