"""How the JSON of each source is recognised and read."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from agent.tickets.of_alerts import is_alert, of_alerts
from agent.tickets.of_azure import is_azure, of_azure
from agent.tickets.of_cloudwatch import is_cloudwatch, of_cloudwatch
from agent.tickets.of_datadog import is_datadog, of_datadog
from agent.tickets.of_gcp import is_gcp, of_gcp
from agent.tickets.of_github import is_github, of_github
from agent.tickets.of_gitlab import is_gitlab, of_gitlab
from agent.tickets.of_incidentio import is_incidentio, of_incidentio
from agent.tickets.of_jira import is_jira, of_jira
from agent.tickets.of_opsgenie import is_opsgenie, of_opsgenie
from agent.tickets.of_pagerduty import is_pagerduty, of_pagerduty
from agent.tickets.of_servicenow import is_servicenow, of_servicenow
from agent.tickets.of_zabbix import is_zabbix, of_zabbix
from agent.tickets.ticket import Source, Ticket


class Reader(NamedTuple):
    """The two functions of a source."""

    is_one: Callable[[dict[str, Any]], bool]
    ticket_of: Callable[[dict[str, Any]], Ticket]


_ALERTS, _OPSGENIE = Reader(is_alert, of_alerts), Reader(is_opsgenie, of_opsgenie)
READERS: Mapping[Source, Reader] = {
    "github": Reader(is_github, of_github), "gitlab": Reader(is_gitlab, of_gitlab), "jira": Reader(is_jira, of_jira),
    "pagerduty": Reader(is_pagerduty, of_pagerduty), "alertmanager": _ALERTS, "grafana": _ALERTS,
    "opsgenie": _OPSGENIE, "jsm": _OPSGENIE, "incidentio": Reader(is_incidentio, of_incidentio),
    "servicenow": Reader(is_servicenow, of_servicenow), "cloudwatch": Reader(is_cloudwatch, of_cloudwatch),
    "azure-monitor": Reader(is_azure, of_azure), "gcp-monitoring": Reader(is_gcp, of_gcp),
    "zabbix": Reader(is_zabbix, of_zabbix), "datadog": Reader(is_datadog, of_datadog),
}  # fmt: skip
"""In the order in which a file's JSON is tried."""
