"""Bodies that nobody should send: each is refused with its status, whatever is in them."""

import json

import pytest

from agent.intake.body import MOST_BYTES, MOST_DEPTH, MOST_VALUES
from agent.intake.receive import receive
from agent.intake.refused import Refusal
from agent.intake.submissions import MOST_ALERTS, MOST_KEY, MOST_TEXT, MOST_TITLE
from tests.webhooks import ENVIRON, NOW, Recent, sent, settings, ticket

ALERT = b'{"alerts": [{"labels": {"alertname": "RedisDown", "x": %s}, "fingerprint": "f"}]}'
NAMES = ("alertmanager", "github", "incidentio", "custom")


BODIES: tuple[tuple[bytes, int, str], ...] = (
    (b"", 400, "line 1, column 1"),
    (b"\n", 400, "isn't JSON"),
    (ALERT[:40], 400, "not all of it"),
    (ALERT % b'"\xff"', 400, "isn't UTF-8"),
    ("\ufeff{}".encode(), 400, "BOM"),
    ('{"a": "b"}'.encode("utf-16"), 400, "isn't UTF-8"),
    (ALERT % b"NaN", 400, "NaN"),
    (ALERT % b"-Infinity", 400, "-Infinity"),
    (ALERT % b"1e999", 400, "too large"),
    (ALERT % (b"9" * 5000), 400, "too long"),
    (ALERT % b'{"a": 1, "a": 2}', 400, "same key twice"),
    (ALERT % (b"[" * 30_000), 400, "nested deeper"),
    (ALERT % (b"[" * MOST_DEPTH + b"]" * MOST_DEPTH), 400, "nested deeper"),
    (ALERT % (b'{"a":' * 100_000 + b"1" + b"}" * 100_000), 400, "nested deeper"),
    (ALERT % (b"[" + b"0," * MOST_VALUES + b"0]"), 413, f"more than {MOST_VALUES} values"),
    (b" " * (MOST_BYTES + 1), 413, "larger than"),
    (b"x" * 50 * 2**20, 413, "larger than"),
    (b'"RedisDown"', 422, "isn't a JSON object"),
    (b"[]", 422, "isn't a JSON object"),
    (b"null", 422, "isn't a JSON object"),
    (b'{"a": "\0"}', 400, "null byte"),
    (b"{} {}", 400, "Extra data"),
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", range(len(BODIES)))
def test_what_is_refused(name: str, number: int) -> None:
    raw, status, said = BODIES[number]
    why = sent(name, raw).refused()
    assert (why.status, said in why.why) == (status, True), why


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"}, {"Content-Type": ""},
        {"Content-Type": "application/json; charset=utf-16"}, {"Content-Encoding": "gzip"},
        {"Content-Type": "multipart/form-data; boundary=x"}, {"Content-Type": "application/jsonp"},
    ],
)  # fmt: skip
def test_other_types_are_refused(headers: dict[str, str]) -> None:
    request = sent("alertmanager", ticket("alertmanager.json"))
    changed = request._replace(headers={**request.headers, **headers})
    assert changed.refused().status == Refusal.UNSUPPORTED
    assert request.without("content-type").refused().status == Refusal.UNSUPPORTED


@pytest.mark.parametrize(
    "type", ["application/json", 'Application/JSON; Charset="UTF-8"', "application/cloudevents+json"]
)
def test_types_of_json(type: str) -> None:
    assert sent("alertmanager", ticket("alertmanager.json")).having(Content_Type=type).accepted()


def test_sns_declares_json_as_text() -> None:
    request = sent("cloudwatch", ticket("cloudwatch_alarm.json"))
    assert request.having(Content_Type="text/plain; charset=UTF-8").accepted()


def test_too_many_alerts_at_once() -> None:
    one = {"labels": {"alertname": "RedisDown"}, "fingerprint": "f"}
    assert len(sent("alertmanager", {"alerts": [one] * MOST_ALERTS}).accepted()) == MOST_ALERTS
    why = sent("alertmanager", {"alerts": [one] * (MOST_ALERTS + 1)}).refused()
    assert why.status == Refusal.TOO_LARGE and "max_alerts" in why.why


def test_what_is_kept_is_bounded_and_printable() -> None:
    labels = {f"l{n}\x1b[2J": "v" * 999 + "\u202e" for n in range(300)}
    body = {
        "alerts": [{"labels": {"alertname": "R\ud800\x00" * 9999, **labels}, "fingerprint": "k\x00" * 999,
                    "annotations": {"summary": "Ünï\u200bcode\x07 " * 9999}}]
    }  # fmt: skip
    (one,) = sent("alertmanager", body).accepted()
    text = one.ticket.model_dump_json()
    assert len(one.key) <= MOST_KEY and len(one.ticket.title) <= MOST_TITLE and len(one.ticket.text) <= MOST_TEXT
    assert len(text) < 60_000 and len(one.ticket.labels[0]) <= 64
    assert not set("\x00\x07\x1b\u202e\u200b\ud800") & set(json.dumps(json.loads(text), ensure_ascii=False))


def test_long_keys_that_differ_stay_different() -> None:
    alerts = [{"labels": {"alertname": "RedisDown"}, "fingerprint": "f" * 500 + str(n)} for n in range(2)]
    first, second = sent("alertmanager", {"alerts": alerts}).accepted()
    assert first.key != second.key


def test_an_alert_without_a_name_still_has_a_title() -> None:
    (one,) = sent("alertmanager", {"alerts": [{"labels": {"severity": "page"}}]}).accepted()
    assert one.ticket.title == "Alertmanager alert" and one.key


def test_what_could_not_be_kept_may_come_again() -> None:
    for name, body in (("github", "github_issues_opened.json"), ("incidentio", "incidentio_created.json")):
        seen, request = Recent(), sent(name, ticket(body))
        receive(request.name, request.headers, request.body, settings(), seen, NOW, ENVIRON)
        assert request.accepted(seen)
        assert request.refused(seen).status == Refusal.FORBIDDEN


def test_what_is_refused_is_not_remembered() -> None:
    seen, request = Recent(), sent("github", b'{"action": "opened"}')
    assert request.refused(seen) == request.refused(seen)
    assert request.refused(seen).status == Refusal.UNUSABLE
