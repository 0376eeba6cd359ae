"""The tables that say who may send: each key checked, and nothing said by a file that isn't trusted."""

import re
from pathlib import Path

import pytest

from tools.errors import UsageError
from tools.settings.parsing import parse_settings
from tools.settings.tables import Settings
from tools.settings.webhook_table import AUTHS, MOST_WEBHOOKS, WebhookTable

FILE = Path("/etc/team/rediagnose.toml")
DOCS = Path(__file__).resolve().parents[3] / "docs"
ALERTS = '[[webhook]]\nname = "alerts"\nkind = "alertmanager"\nsecret_env = "SECRET"\n'
OURS = ALERTS.replace("alertmanager", "json")
SNS = '[[webhook]]\nname = "sns"\nkind = "cloudwatch"\nauth = "sns"\n'
TOPIC = 'topic = "arn:aws:sns:eu-west-1:123456789012:alarms"\n'
TARGET = '[[targets]]\nname = "orders"\nurl = "redis://127.0.0.1:1"\n'


def read(text: str, *, trusted: bool = True) -> Settings:
    return parse_settings(FILE, text.encode(), {}, trusted=trusted)


def only(text: str) -> WebhookTable:
    (table,) = read(text).webhook
    return table


def test_what_is_expected_if_nothing_is_said() -> None:
    table = only(ALERTS)
    assert (table.proof, table.secret.env, table.target, table.map) == ("bearer", "SECRET", None, None)
    github = only(ALERTS.replace("alertmanager", "github"))
    assert (github.proof, github.proof_header) == ("hmac", "X-Hub-Signature-256")


def test_files_are_beside_the_settings() -> None:
    assert only(SNS + TOPIC + 'certificate_file = "sns.pem"\n').certificate_file == FILE.parent / "sns.pem"
    table = only(ALERTS.replace("secret_env", "secret_file"))
    assert table.secret.file == FILE.parent / "SECRET"


def test_a_target_by_its_name() -> None:
    assert only(TARGET + ALERTS + 'target = "Orders"\n').target == "Orders"


def test_an_untrusted_file_lets_nobody_in() -> None:
    settings = read(ALERTS, trusted=False)
    with pytest.raises(UsageError, match="isn't trusted"):
        _ = settings.webhook[0].secret
    assert "webhook: alerts: alertmanager may send, checked by bearer" in settings.destinations()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ALERTS.replace('"alerts"', '"Al erts"'), "webhook 1: name: not lower-case letters"),
        (ALERTS.replace('"alerts"', f'"{"a" * 41}"'), "webhook 1: name: not lower-case letters"),
        (ALERTS.replace('kind = "alertmanager"\n', ""), 'webhook 1: kind: missing; write kind = "alertmanager"'),
        (ALERTS.replace("alertmanager", "nagios"), "webhook 1: kind: 'nagios' isn't"),
        (ALERTS.replace('secret_env = "SECRET"\n', ""), 'secret_env: missing; write secret_env = "VARIABLE"'),
        (ALERTS + 'secret_file = "x"\n', "secret_env and secret_file: keep only one"),
        (ALERTS + 'secret = "x"\n', "webhook 1: secret: unknown key; there are name, kind, auth"),
        (ALERTS + 'auth = "hmac"\n', 'auth: alertmanager can\'t do "hmac"; write auth = "bearer" or "basic"'),
        (ALERTS + 'auth = "basic"\n', 'user: missing; write user = "rediagnose"'),
        (ALERTS + 'user = "me"\n', 'user: it means nothing with kind = "alertmanager" and auth = "bearer"'),
        (ALERTS + 'header = "X-Y"\n', "header: it means nothing"),
        (ALERTS + 'timestamp_header = "X-Y"\n', "timestamp_header: it means nothing"),
        (ALERTS + TOPIC, "topic: it means nothing"),
        (ALERTS + 'map = { title = "a", key = "b" }\n', 'map: only kind = "json" has one; leave it out'),
        (ALERTS + 'target = "orders"\n', "webhook: alerts: target: no [[targets]] has the name 'orders'"),
        (ALERTS * 2, "webhook: the name 'alerts' appears 2 times; keep one"),
        (ALERTS + 'header = "X Y"\n', "webhook 1: header: not the name of a header"),
        (OURS, 'map: missing; write map = { title = "alert.title", key = "alert.id" }'),
        (OURS + 'auth = "hmac"\nmap = { title = "a", key = "b" }\n', 'header: missing; write header = "X-Signature"'),
        (OURS + 'map = { title = "a" }\n', 'webhook 1: map: key: missing; write key = "alert.id"'),
        (OURS + 'map = { title = "a..b", key = "b" }\n', "webhook 1: map: title: not a dotted path"),
        (OURS + 'map = { title = 7, key = "b" }\n', 'webhook 1: map: title: not a text; write title = "alert.title"'),
        (OURS + 'map = { title = "a", key = "b", text = [] }\n', "map: text: not a dotted path or a list"),
        (OURS + 'map = { title = "a", key = "b", labels = ["x"] }\n', "map: labels: not the path of an object"),
        (OURS + 'map = { title = "a", key = "b", resolved = [1] }\n', "map: resolved: not a text or a list"),
        (OURS + 'map = { title = "a", key = "b", name = "c" }\n', "map: name: unknown key; there are title, key"),
        (SNS, "certificate_file: missing"),
        (SNS + 'certificate_file = "x"\n', "topic: missing"),
        (SNS + TOPIC + 'certificate_file = "x"\nsecret_env = "S"\n', "secret_env: it means nothing"),
        (SNS + 'topic = "alarms"\n', "topic: not the ARN of a topic"),
        ('webhook = "x"\n', "webhook: not a list of tables; write [[webhook]] above each"),
        ("".join(ALERTS.replace("alerts", f"a{n}") for n in range(MOST_WEBHOOKS + 1)), "webhook: 65 of them; leave 64"),
    ],
)
def test_mistakes_are_named_with_the_remedy(text: str, why: str) -> None:
    with pytest.raises(UsageError) as failed:
        read(text)
    assert why in str(failed.value) and str(FILE) in str(failed.value)


def test_the_tables_in_the_docs() -> None:
    page = (DOCS / "webhooks.md").read_text(encoding="utf-8")
    known = read("\n".join(re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)))
    assert {one.kind for one in known.webhook} == set(AUTHS)
    assert all(
        f"/v1/webhooks/{one.name}" in page for one in known.webhook if one.name not in ("cloudwatch-signed", "opsgenie")
    )
    assert all(f"`{kind}`" in page for kind in AUTHS)
