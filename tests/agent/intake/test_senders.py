"""Every sender as its maker documents it: taken in when it's signed, refused when it's anybody else's."""

import copy
from datetime import timedelta
from pathlib import Path

import pytest

from agent.intake.receive import receive
from agent.intake.refused import Refusal, Refused
from tests.webhooks import ENVIRON, NOW, TOML, Recent, sent, settings, ticket
from tools.settings.parsing import parse_settings
from tools.settings.webhook_table import AUTHS

CUSTOM = {"what": {"title": "Redis is slow", "message": "p99 of 2 s"}, "id": 17, "phase": "open", "redis": "ORDERS"}
BEGINNINGS = {
    "alertmanager": ("alertmanager.json", "a1b2c3d4e5f60718"), "azure-monitor": ("azure_monitor_fired.json", None),
    "cloudwatch": ("cloudwatch_alarm.json", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders-curr-connections"),
    "datadog": ("datadog_triggered.json", "6134209417372853891"),
    "gcp-monitoring": ("gcp_monitoring_open.json", "0.opqiw61fsv7p"),
    "github": ("github_issues_opened.json", "example-shop/checkout#1347"),
    "gitlab": ("gitlab_issue_opened.json", "shop/checkout#23"),
    "gitlab-signed": ("gitlab_issue_opened.json", "shop/checkout#23"),
    "grafana": ("grafana.json", None), "grafana-untimed": ("grafana.json", None),
    "incidentio": ("incidentio_created.json", "01FDAG4SAP5TYPT98WGR2N7W91"),
    "jira": ("jira_issue_created.json", "OPS-12"), "jira-automation": ("jira_issue_created.json", "OPS-12"),
    "jsm": ("opsgenie_created.json", "052652ac-5d1c-464a-812a-7dd18bbfba8c"),
    "opsgenie": ("opsgenie_created.json", "052652ac-5d1c-464a-812a-7dd18bbfba8c"),
    "pagerduty": ("pagerduty_incident_triggered.json", "PGR0VU2"),
    "servicenow": ("servicenow_incident.json", "INC0010023"), "zabbix": ("zabbix_problem.json", "1471"),
}  # fmt: skip
ENDS = {
    "azure-monitor": "azure_monitor_resolved.json", "cloudwatch": "cloudwatch_ok.json",
    "datadog": "datadog_recovered.json", "gcp-monitoring": "gcp_monitoring_closed.json",
    "gitlab": "gitlab_issue_closed.json", "incidentio": "incidentio_closed.json", "jsm": "opsgenie_closed.json",
    "opsgenie": "opsgenie_closed.json", "pagerduty": "pagerduty_incident_resolved.json",
    "servicenow": "servicenow_resolved.json", "zabbix": "zabbix_recovery.json",
}  # fmt: skip
SIGNED = ("github", "jira", "pagerduty", "zabbix", "grafana", "incidentio", "gitlab-signed", "slackish")
TIMED = ("grafana", "incidentio", "gitlab-signed", "slackish")


def body_of(name: str) -> dict[str, object]:
    return CUSTOM if name in ("custom", "slackish") else ticket(BEGINNINGS[name][0])


ALL = (*BEGINNINGS, "custom", "slackish")


def test_every_kind_is_tried() -> None:
    assert {one.kind for one in settings().webhook} == set(AUTHS)
    assert {one.name for one in settings().webhook} == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_what_is_signed_is_taken_in(name: str) -> None:
    (first, *_) = sent(name, body_of(name)).accepted()
    kind = next(one.kind for one in settings().webhook if one.name == name)
    assert (first.ticket.source, first.by, first.resolved) == (kind, f"webhook {name}", False)
    assert "redis" in first.ticket.symptom.lower() or "orders" in first.ticket.symptom.lower()
    if (key := BEGINNINGS.get(name, ("", "17"))[1]) and name != "alertmanager":
        assert first.key == key
    assert first.target == ("orders" if name in ("pagerduty", "custom", "slackish") else None)


@pytest.mark.parametrize("name", ENDS)
def test_the_end_has_the_key_of_the_beginning(name: str) -> None:
    (began,), (ended,) = sent(name, body_of(name)).accepted(), sent(name, ticket(ENDS[name])).accepted()
    assert began.key == ended.key and not began.resolved and ended.resolved


@pytest.mark.parametrize("name", ALL)
def test_another_secret_opens_nothing(name: str) -> None:
    why = sent(name, body_of(name), secret="another").refused()
    signed = name in (*SIGNED, "grafana-untimed")
    assert why.status == (Refusal.FORBIDDEN if signed else Refusal.UNPROVEN)
    assert "s3cret" not in why.why


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_taken_without_proof(name: str) -> None:
    request = sent(name, body_of(name))
    bare = request._replace(headers={"Content-Type": "application/json"}).refused()
    assert bare.status == Refusal.UNPROVEN
    if name in ("azure-monitor", "cloudwatch", "gcp-monitoring", "servicenow"):
        assert bare.challenge and bare.challenge.startswith("Basic ")


@pytest.mark.parametrize("name", SIGNED)
def test_a_body_that_was_changed_is_refused(name: str) -> None:
    request = sent(name, body_of(name))
    assert request._replace(body=request.body.replace(b"Redis", b"redis") + b" ").refused().status == Refusal.FORBIDDEN


@pytest.mark.parametrize("name", SIGNED)
def test_what_was_recorded_is_refused(name: str) -> None:
    seen, request = Recent(), sent(name, body_of(name))
    assert request.accepted(seen)
    assert request.refused(seen).status == Refusal.FORBIDDEN
    headers = {header: value.upper() if "Signature" in header else value for header, value in request.headers.items()}
    assert request._replace(headers=headers).refused(seen).status == Refusal.FORBIDDEN


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_time_that_is_not_now_is_refused(name: str, minutes: int) -> None:
    request = sent(name, body_of(name), at=NOW + timedelta(minutes=minutes))
    assert "300 s" in request.refused().why
    for name_of in ("webhook-timestamp", "X-Slack-Request-Timestamp", "X-Grafana-Alerting-Timestamp"):
        if name_of in request.headers:
            for value in ("", "now", "1e9", "-1", "\uff19", "9" * 40):
                changed = request._replace(headers={**request.headers, name_of: value})
                assert changed.refused().status in (Refusal.FORBIDDEN, Refusal.UNPROVEN)


def test_a_delivery_that_is_signed_anew_is_thanked_and_not_taken_twice() -> None:
    seen, body, later = Recent(), body_of("incidentio"), NOW + timedelta(minutes=2)
    assert len(sent("incidentio", body).accepted(seen)) == 1
    assert sent("incidentio", body, at=later).accepted(seen, later) == ()
    assert len(sent("incidentio", body, at=later, id="msg_2").accepted(seen, later)) == 1


def test_grafana_repeats_itself_word_for_word_without_a_time() -> None:
    seen, request = Recent(), sent("grafana-untimed", body_of("grafana-untimed"))
    assert request.accepted(seen) and request.accepted(seen) == ()


def test_alertmanager_repeats_itself_as_long_as_an_alert_fires() -> None:
    seen, request = Recent(), sent("alertmanager", body_of("alertmanager"))
    assert request.accepted(seen) == request.accepted(seen) != ()


def test_a_time_that_is_left_out_makes_no_signature_valid() -> None:
    request = sent("grafana", body_of("grafana"))
    assert request.without("X-Grafana-Alerting-Timestamp").refused().status == Refusal.UNPROVEN
    untimed = request._replace(name="grafana-untimed").without("X-Grafana-Alerting-Timestamp")
    assert untimed.refused().status == Refusal.FORBIDDEN


def test_one_of_several_signatures_suffices() -> None:
    request = sent("pagerduty", body_of("pagerduty"))
    right = request.headers["X-PagerDuty-Signature"].rpartition(",")[2]
    for value in (right, f"v0=ff, {right}", f"{right},v1=ff"):
        assert request._replace(headers={**request.headers, "X-PagerDuty-Signature": value}).accepted()
    for value in (right.removeprefix("v1="), right.replace("v1", "v0"), ",".join(["v1=ff"] * 50 + [right]), ",,="):
        assert request._replace(headers={**request.headers, "X-PagerDuty-Signature": value}).refused().status == 403


def test_each_alert_of_a_group_is_a_submission_of_its_own() -> None:
    body = ticket("alertmanager.json")
    first = body["alerts"][0]
    other = copy.deepcopy(first)
    other["labels"]["instance"], other["fingerprint"], other["status"] = "cache-8.example:9121", "f8", "resolved"
    found = sent("alertmanager", {**body, "alerts": [first, other]}).accepted()
    assert [one.resolved for one in found] == [False, True]
    assert [one.ticket.labels[0]["instance"] for one in found] == [
        ("cache-7.example:9121",), ("cache-8.example:9121",)
    ]  # fmt: skip
    assert found[0].key != found[1].key == "f8"
    bare = {name: value for name, value in first.items() if name not in ("fingerprint", "status")}
    (one,), (again,) = (
        sent("alertmanager", {"status": status, "alerts": [bare]}).accepted() for status in ("firing", "resolved")
    )
    assert one.key == again.key and (one.resolved, again.resolved) == (False, True)


@pytest.mark.parametrize(
    ("name", "file", "change"),
    [
        ("github", "github_issues_opened.json", {"action": "assigned"}),
        ("gitlab", "gitlab_issue_opened.json", {"object_kind": "note"}),
        ("jira", "jira_issue_created.json", {"webhookEvent": "comment_created"}),
        ("jira", "jira_issue_created.json", {"webhookEvent": "jira:issue_updated", "changelog": {"items": []}}),
        ("pagerduty", "pagerduty_incident_annotated.json", {}),
        ("jsm", "opsgenie_created.json", {"action": "Acknowledge"}),
        ("zabbix", "zabbix_problem.json", {"event_update_status": "1"}),
        ("incidentio", "incidentio_created.json", {"event_type": "public_incident.follow_up_created_v1"}),
    ],
)
def test_what_is_no_news_is_accepted_and_leads_to_nothing(name: str, file: str, change: dict[str, object]) -> None:
    assert sent(name, {**ticket(file), **change}).accepted() == ()


def test_github_tries_a_webhook_with_a_ping() -> None:
    request = sent("github", {"zen": "Keep it logically awesome.", "hook_id": 1})
    assert request.having(X_GitHub_Event="ping").accepted() == ()


def test_an_issue_that_is_deleted_is_over() -> None:
    (one,) = sent("github", {**ticket("github_issues_opened.json"), "action": "deleted"}).accepted()
    (other,) = sent("jira", {**ticket("jira_issue_created.json"), "webhookEvent": "jira:issue_deleted"}).accepted()
    assert one.resolved and other.resolved


def test_a_comment_of_our_own_is_no_incident() -> None:
    body = ticket("opsgenie_created.json")
    body["alert"]["note"] = "see [rediagnose:0123456789abcdef]"
    assert sent("opsgenie", body).accepted() == ()


@pytest.mark.parametrize("name", BEGINNINGS)
def test_what_another_sender_sends_is_refused(name: str) -> None:
    news: dict[str, dict[str, object]] = {
        "github": {"action": "opened"}, "opsgenie": {"action": "create"}, "jsm": {"action": "create"},
        "incidentio": {"event_type": "public_incident.incident_created_v2"},
        "gitlab": {"object_kind": "issue", "object_attributes": {"action": "open"}},
    }  # fmt: skip
    why = sent(name, {"unrelated": True, **news.get(name.removesuffix("-signed"), {})}).refused()
    assert why.status == Refusal.UNUSABLE and "its keys: unrelated" in why.why


@pytest.mark.parametrize("name", sorted(set(BEGINNINGS) - {"alertmanager", "grafana", "grafana-untimed"}))
def test_an_alert_of_prometheus_isnt_taken_for_another_senders(name: str) -> None:
    result = sent(name, ticket("alertmanager.json")).received()
    assert result == () or (isinstance(result, Refused) and result.status == Refusal.UNUSABLE)


def test_a_body_chooses_only_among_the_targets_that_are_known() -> None:
    for given in ("redis://127.0.0.1:6379", "payments", "", 7, None, ["orders"]):
        (one,) = sent("custom", {**CUSTOM, "redis": given}).accepted()
        assert one.target is None


def test_a_state_of_ones_own_closes() -> None:
    assert [sent("custom", {**CUSTOM, "phase": phase}).accepted()[0].resolved for phase in ("Resolved", "x")] == [
        True, False,
    ]  # fmt: skip


def test_an_unknown_name_and_an_untrusted_file() -> None:
    assert sent("custom", CUSTOM)._replace(name="nobody").refused().status == Refusal.UNKNOWN
    request = sent("custom", CUSTOM)
    untrusted = parse_settings(Path("/x/rediagnose.toml"), TOML.encode(), ENVIRON, trusted=False)
    for known, environ in ((untrusted, ENVIRON), (settings(), {})):
        why = receive(request.name, request.headers, request.body, known, Recent(), NOW, environ)
        assert isinstance(why, Refused) and why.status == Refusal.UNAVAILABLE
        assert "SECRET" not in why.why and "/x" not in why.why
