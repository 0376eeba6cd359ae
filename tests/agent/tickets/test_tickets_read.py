"""Tickets as their services document them, and as people and machines mangle them."""

import codecs
import json
from pathlib import Path

import pytest

from agent.tickets.of_alerts import of_alerts
from agent.tickets.reading import MOST_BYTES, decode, parse_ticket, read_ticket
from agent.tickets.ticket import LONGEST, TicketError
from tests.ticketing import TICKETS
from tools.errors import UsageError
from tools.settings.webhook_table import MapTable

EXPECTED = {
    "github_issues_opened.json": ("github", "example-shop/checkout#1347", None),
    "github_issue.json": ("github", "example-shop/checkout#1347", None),
    "github_issue_comment.json": ("github", "example-shop/checkout#1347", None),
    "github_issue_closed.json": ("github", "example-shop/checkout#1347", "closed"),
    "github_enterprise_issue.json": ("github", "example-shop/checkout#1347", None),
    "jira_issue_created.json": ("jira", "OPS-12", None),
    "jira_issue_v3.json": ("jira", "OPS-12", None),
    "jira_issue_server.json": ("jira", "OPS-12", None),
    "jira_issue_done.json": ("jira", "OPS-12", "Done"),
    "pagerduty_incident_triggered.json": ("pagerduty", "PGR0VU2", None),
    "pagerduty_incident_annotated.json": ("pagerduty", "PGR0VU2", None),
    "pagerduty_incident.json": ("pagerduty", "PGR0VU2", None),
    "pagerduty_incident_resolved.json": ("pagerduty", "PGR0VU2", "resolved"),
    "alertmanager.json": ("alertmanager", None, None),
    "alertmanager_resolved.json": ("alertmanager", None, "resolved"),
    "grafana.json": ("grafana", None, None),
    "grafana_resolved.json": ("grafana", None, "resolved"),
    "github_pull_request_opened.json": ("github", "example-shop/checkout#1348", None),
    "gitlab_issue_opened.json": ("gitlab", None, None),
    "gitlab_issue_closed.json": ("gitlab", None, "closed"),
    "datadog_triggered.json": ("datadog", None, None),
    "datadog_recovered.json": ("datadog", None, "recovered"),
    "datadog_default.json": ("datadog", None, None),
    "cloudwatch_alarm.json": ("cloudwatch", None, None),
    "cloudwatch_ok.json": ("cloudwatch", None, "OK"),
    "cloudwatch_event.json": ("cloudwatch", None, None),
    "azure_monitor_fired.json": ("azure-monitor", None, None),
    "azure_monitor_resolved.json": ("azure-monitor", None, "resolved"),
    "gcp_monitoring_open.json": ("gcp-monitoring", None, None),
    "gcp_monitoring_closed.json": ("gcp-monitoring", None, "closed"),
    "zabbix_problem.json": ("zabbix", None, None),
    "zabbix_recovery.json": ("zabbix", None, "resolved"),
    "incidentio_created.json": ("incidentio", None, None),
    "incidentio_closed.json": ("incidentio", None, "closed"),
    "incidentio_alert.json": ("incidentio", None, None),
    "servicenow_incident.json": ("servicenow", None, None),
    "servicenow_resolved.json": ("servicenow", None, "resolved"),
    "opsgenie_created.json": ("opsgenie", None, None),
    "opsgenie_closed.json": ("opsgenie", None, "closed"),
    "ticket.txt": ("text", None, None),
}
MARKER = "rediagnose:0123456789abcdef"


def test_every_file_is_expected() -> None:
    assert {path.name for path in TICKETS.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_ticket_says(name: str) -> None:
    ticket = read_ticket(str(TICKETS / name))
    assert (ticket.source, ticket.place and ticket.place.key, ticket.closed) == EXPECTED[name]
    assert "redis" in ticket.symptom.lower()
    if ticket.source != "text" and "annotated" not in name:
        assert ticket.at is not None and ticket.at.isoformat().startswith("2026-05-04T12:05:07")
        name = "CacheClusterId" if ticket.source == "cloudwatch" else "service"
        assert any("orders" in value for labels in ticket.labels for value in labels[name])
        assert ticket.key


def test_what_is_over_does_not_count() -> None:
    ticket = read_ticket(str(TICKETS / "alertmanager.json"))
    assert [labels["instance"] for labels in ticket.labels] == [("cache-7.example:9121",)]


def test_a_template_and_markup_are_no_words() -> None:
    assert "Please say" not in read_ticket(str(TICKETS / "github_issue.json")).symptom
    told = read_ticket(str(TICKETS / "jira_issue_v3.json")).symptom
    assert "Since noon requests to the order service fail." in told and "Timeout reading" in told


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.endswith(".json")])
def test_nulls_in_any_place(name: str) -> None:
    """Whatever field is null, of another type or missing: it's read, or it's said what is wrong."""
    whole = json.loads((TICKETS / name).read_text())

    def walk(node: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        return [path, *(found for key, child in inner for found in walk(child, (*path, key)))]

    values: tuple[object, ...] = (None, 7, [], {}, "x")
    for path in walk(whole)[1:]:
        for value in values:
            copy = json.loads(json.dumps(whole))
            place = copy
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            try:
                assert isinstance(parse_ticket(json.dumps(copy)).symptom, str)
            except UsageError as error:
                assert "unknown form" in str(error)


@pytest.mark.parametrize(
    "raw",
    [text.encode(encoding) for text in ("Größe: Redis läuft über",) for encoding in
     ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1")],
)  # fmt: skip
def test_encodings(raw: bytes) -> None:
    assert decode(raw) == "Größe: Redis läuft über"


def test_json_with_a_mark_in_front(tmp_path: Path) -> None:
    path = tmp_path / "ticket"
    path.write_bytes(codecs.BOM_UTF16_LE + (TICKETS / "github_issue.json").read_text().encode("utf-16-le"))
    assert read_ticket(str(path)).source == "github"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it's empty"),
        (" \n\t\0", "it's empty"),
        ('{"action": "opened",\n "issue": {', "invalid JSON at line 2"),
        ('{"foo": 1, "bar": 2}', "its keys: foo, bar"),
        ("{}", "its keys: none"),
        ('[{"a": 1}, {"b": 2}]', "a JSON list of 2"),
        ("[" * 100_000, ""),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "ticket"
    path.write_text(text)
    with pytest.raises(UsageError) as failed:
        read_ticket(str(path))
    assert said in str(failed.value) and len(str(failed.value)) < 500
    assert str(path) in str(failed.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    for name, said in ((str(tmp_path), "a folder, not a regular file"), (str(tmp_path / "none"), "No such file"),
                       ("https://github.com/o/r/issues/1", "never fetched"), ("a\0b", "not a valid file")):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            read_ticket(name)


def test_what_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "ticket"
    path.write_bytes(b"x" * (MOST_BYTES + 1))
    with pytest.raises(UsageError, match="larger than"):
        read_ticket(str(path))


def test_a_long_ticket_is_short_as_a_symptom() -> None:
    ticket = parse_ticket("Redis is slow\n" + "requests time out " * 200_000)
    assert len(ticket.symptom) <= LONGEST


def test_secrets_and_control_characters_stay_behind() -> None:
    text = "redis-cli -h cache -a hunter2hunter2 hangs \x1b[2J\u202e and redis://:s3cr3tpw@cache:6379 too"
    symptom = parse_ticket(text).symptom
    assert "hunter2" not in symptom and "s3cr3t" not in symptom
    assert "\x1b" not in symptom and "\u202e" not in symptom and "hangs" in symptom


@pytest.mark.parametrize(
    "name", ["github_issue_comment.json", "jira_issue_created.json", "pagerduty_incident_annotated.json"]
)
def test_our_own_comment_is_not_answered(name: str) -> None:
    body = json.loads((TICKETS / name).read_text())
    if "event" in body:
        body["event"]["data"]["content"] = f"It's down. [{MARKER}]"
    else:
        body["comment"] = {"body": f"It's down. <!-- {MARKER} -->"}
    with pytest.raises(TicketError, match="own"):
        parse_ticket(json.dumps(body))


@pytest.mark.parametrize("key", ["../../user", "..", "owner/..", "o/r/x"])
def test_a_repository_leads_nowhere_else(key: str) -> None:
    body = json.loads((TICKETS / "github_issue.json").read_text())
    body["url"] = body["html_url"] = f"https://api.github.com/repos/{key}/issues/1347"
    with pytest.raises(UsageError):
        parse_ticket(json.dumps(body))


def test_an_incident_leads_nowhere_else() -> None:
    body = json.loads((TICKETS / "pagerduty_incident.json").read_text())
    body["incident"]["id"] = "../users/me"
    with pytest.raises(UsageError):
        parse_ticket(json.dumps(body))


def test_a_gateway_around_the_webhook() -> None:
    inner = (TICKETS / "alertmanager.json").read_text()
    assert parse_ticket(json.dumps({"headers": {}, "body": inner, "isBase64Encoded": False})).source == "alertmanager"


def test_what_command_line_tools_print() -> None:
    listed = [{"labels": {"alertname": "RedisDown"}, "annotations": {}, "startsAt": "2026-05-04T12:05:07Z",
               "status": {"state": "active"}}] * 2  # fmt: skip
    ticket = parse_ticket(json.dumps(listed))
    assert ticket.source == "alertmanager" and ticket.title == "RedisDown" and ticket.closed is None
    shown = {"title": "t", "body": "b", "number": 3, "url": "https://github.com/o/r/issues/3", "state": "CLOSED",
             "labels": [{"name": "x"}], "createdAt": "2026-05-04T12:05:07Z"}  # fmt: skip
    issue = parse_ticket(json.dumps(shown))
    assert issue.closed == "closed" and issue.place and issue.place.key == "o/r#3" and issue.at


def test_json_of_a_team_of_its_own() -> None:
    mapping = MapTable(
        title="alert.name", key="alert.id", text=("alert.values.1.text",), state="alert.open", resolved=("false",),
        at="alert.since", labels={"service": "alert.apps"},
    )  # fmt: skip
    body = {"alert": {"name": "Redis is slow", "id": 7, "values": [{}, {"text": "p99 of 2 s"}], "open": False,
                      "since": 1777896307, "apps": ["orders", 5, None]}}  # fmt: skip
    ticket = parse_ticket(json.dumps(body), mappings=(MapTable(title="x", key="y"), mapping))
    assert (ticket.source, ticket.key, ticket.closed) == ("json", "7", "false")
    assert ticket.symptom == "Redis is slow\np99 of 2 s" and ticket.labels == ({"service": ("orders", "5")},)
    assert ticket.at and ticket.at.isoformat() == "2026-05-04T12:05:07+00:00"
    with pytest.raises(UsageError, match="unknown form"):
        parse_ticket(json.dumps(body))


def test_a_pagerduty_webhook_of_version_2() -> None:
    incident = json.loads((TICKETS / "pagerduty_incident.json").read_text())["incident"]
    ticket = parse_ticket(json.dumps({"messages": [{"event": "incident.trigger", "incident": incident}]}))
    assert ticket.place and ticket.place.key == "PGR0VU2"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://prometheus:9090/graph?g0.expr=redis_connected_clients%7Bjob%3D%22a%22%7D+%3E+500&g0.tab=1",
         'redis_connected_clients{job="a"} > 500'),
        ("http://prometheus:9090/graph", ""), ("http://[", ""), (7, ""),
        ("?" + "&".join(f"a{n}=1" for n in range(99)), ""),
    ],
)  # fmt: skip
def test_an_alerts_expression_is_read_from_its_address(address: object, expected: str) -> None:
    one = {"labels": {"alertname": "Clients"}, "annotations": {}, "generatorURL": address}
    assert of_alerts({"status": "firing", "alerts": [one]}).text == expected
