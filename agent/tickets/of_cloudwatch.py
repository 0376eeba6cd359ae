"""A CloudWatch alarm: in a notification of SNS, raw, or as an event of EventBridge."""

import json
from typing import Any

from agent.tickets.ticket import Labels, Ticket, object_of, objects_of, text_of, time_of

_STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")


def alarm_in(body: dict[str, Any]) -> dict[str, Any]:
    """The alarm's own object; empty if there is none."""
    if isinstance(body.get("Message"), str) and "TopicArn" in body:
        try:
            body = object_of(json.loads(body["Message"]))
        except (ValueError, RecursionError):
            return {}
    if body.get("detail-type") == "CloudWatch Alarm State Change":
        return _of_event(body)
    return body if "AlarmName" in body and "NewStateValue" in body else {}


def is_cloudwatch(body: dict[str, Any]) -> bool:
    """Whether this is one."""
    return bool(alarm_in(body))


def state_of(alarm: dict[str, Any]) -> str:
    """OK, ALARM or INSUFFICIENT_DATA; empty for anything else."""
    state = text_of(alarm.get("NewStateValue")).upper()
    return state if state in _STATES else ""


def of_cloudwatch(body: dict[str, Any]) -> Ticket:
    """The ticket of one."""
    alarm = alarm_in(body)
    labels = _labels(alarm)
    # Neither the description nor the reason says what is measured.
    measured = " ".join(labels[name][0] for name in ("namespace", "metric") if name in labels)
    parts = [text_of(alarm.get("AlarmDescription")), measured, text_of(alarm.get("NewStateReason"))]
    return Ticket(
        source="cloudwatch", title=text_of(alarm.get("AlarmName")), text="\n".join(filter(None, parts)),
        labels=(labels,), key=text_of(alarm.get("AlarmArn")) or text_of(alarm.get("AlarmName")) or None,
        closed="OK" if state_of(alarm) == "OK" else None, at=time_of(alarm.get("StateChangeTime")),
    )  # fmt: skip


def _labels(alarm: dict[str, Any]) -> Labels:
    trigger = object_of(alarm.get("Trigger"))
    metrics = [trigger, *(object_of(object_of(one.get("MetricStat")).get("Metric")) for one in _metrics(trigger))]
    named = {"alarm": alarm.get("AlarmName"), "region": alarm.get("Region"), "account": alarm.get("AWSAccountId")}
    labels = {name: (text_of(value),) for name, value in named.items() if text_of(value)}
    for metric in metrics:
        pairs = [("metric", metric.get("MetricName")), ("namespace", metric.get("Namespace"))]
        pairs += [(text_of(one.get("name")), one.get("value")) for one in objects_of(metric.get("Dimensions"))]
        for name, value in pairs:
            if name and (text := text_of(value)) and text not in labels.get(name, ()):
                labels[name] = (*labels.get(name, ()), text)
    return labels


def _metrics(trigger: dict[str, Any]) -> list[dict[str, Any]]:
    """The metrics of an alarm on an expression."""
    return objects_of(trigger.get("Metrics"))


def _of_event(event: dict[str, Any]) -> dict[str, Any]:
    """An event of EventBridge in the form that SNS delivers."""
    detail = object_of(event.get("detail"))
    state, configuration = object_of(detail.get("state")), object_of(detail.get("configuration"))
    arns = event.get("resources")
    metrics = [
        object_of(object_of(one.get("metricStat")).get("metric")) for one in objects_of(configuration.get("metrics"))
    ]
    return {
        "AlarmName": detail.get("alarmName"), "AlarmDescription": configuration.get("description"),
        "AlarmArn": arns[0] if isinstance(arns, list) and arns else None, "NewStateValue": state.get("value"),
        "NewStateReason": state.get("reason"), "StateChangeTime": state.get("timestamp"),
        "Region": event.get("region"), "AWSAccountId": event.get("account"),
        "Trigger": {"Metrics": [{"MetricStat": {"Metric": _metric(one)}} for one in metrics]},
    }  # fmt: skip


def _metric(metric: dict[str, Any]) -> dict[str, Any]:
    dimensions = [{"name": name, "value": value} for name, value in object_of(metric.get("dimensions")).items()]
    return {"MetricName": metric.get("name"), "Namespace": metric.get("namespace"), "Dimensions": dimensions}
