"""Which server a ticket means: by rules, by its address or name, and never by a guess."""

import json
import re
from pathlib import Path

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.investigation.own_trouble import is_unknown_name
from agent.report.summary import headline
from agent.tickets.reading import parse_ticket
from agent.tickets.targets import target_of_ticket
from agent.tickets.ticket import TicketError
from evals.readme import DOCS
from tests.standins import WebhookStandIn, serving
from tests.ticketing import TICKETS, Desk, desk
from tools.settings.file import load_settings

__all__ = ["desk"]
TWO = """
[[targets]]
name = "orders"
url = "redis://127.0.0.1:1"
match = { service = "orders", env = "prod*" }

[[targets]]
name = "sessions"
url = "redis://cache-7.example:6380"
match = [{ service = ["sessions", "login"] }, { queue = "s-?" }]
text = ["session store", "log in"]
"""


def alert(*labels: dict[str, str], summary: str = "Redis is slow") -> str:
    alerts = [{"status": "firing", "labels": one, "annotations": {"summary": summary}} for one in labels]
    return json.dumps({"version": "4", "status": "firing", "alerts": alerts})


def chosen(folder: Path, text: str, content: str = TWO) -> str | None:
    (folder / "rediagnose.toml").write_text(content)
    return target_of_ticket(parse_ticket(text), load_settings(environ={}, folder=folder))[0].name


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ({"service": "orders", "env": "prod-eu"}, "orders"),
        ({"service": "ORDERS", "env": "production"}, "orders"),
        ({"service": "login"}, "sessions"),
        ({"queue": "s-3"}, "sessions"),
        ({"instance": "127.0.0.1:1"}, "orders"),
        ({"addr": "redis://cache-7.example:6380"}, "sessions"),
        ({"instance": "cache-7.example:9121"}, "sessions"),
        ({"instance": "Cache-7.example"}, "sessions"),
        ({"app": "sessions"}, "sessions"),
        ({"label": "redis/orders"}, "orders"),
    ],
)
def test_labels(tmp_path: Path, labels: dict[str, str], name: str) -> None:
    assert chosen(tmp_path, alert(labels)) == name


@pytest.mark.parametrize(
    "labels",
    [
        {"service": "orders", "env": "test"} | {"service": "order"},
        {"queue": "s-33"},
        # Another server on the same machine, and names that only begin or end like one.
        {"instance": "cache-7.example:6379"},
        {"instance": "cache-7.example:63801"},
        {"addr": "redis://cache-7.example.org:6380"},
        {"app": "sessions-old"},
        {"app": "my.orders"},
        {},
    ],
)
def test_labels_that_fit_nothing(tmp_path: Path, labels: dict[str, str]) -> None:
    with pytest.raises(TicketError, match="the targets are orders, sessions") as failed:
        chosen(tmp_path, alert(labels))
    assert all(f"{name}={value}" in str(failed.value) for name, value in labels.items())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The Session  store is down", "sessions"),
        ("nobody can log\nin any more", "sessions"),
        ("timeouts to 127.0.0.1:1, all day", "orders"),
        ("Is orders fine?", "orders"),
        ("cache-7.example:6380 hangs.", "sessions"),
    ],
)
def test_text(tmp_path: Path, text: str, name: str) -> None:
    assert chosen(tmp_path, text) == name


@pytest.mark.parametrize("text", ["nobody can login", "reorders are slow", "orders-eu is slow", "127.0.0.1:16 hangs"])
def test_text_that_fits_nothing(tmp_path: Path, text: str) -> None:
    with pytest.raises(TicketError, match="no target in"):
        chosen(tmp_path, text)


def test_labels_come_before_text(tmp_path: Path) -> None:
    assert chosen(tmp_path, alert({"service": "login"}, summary="orders is slow")) == "sessions"


def test_the_more_particular_rule_wins(tmp_path: Path) -> None:
    more = TWO + '[[targets]]\nname = "any"\nurl = "redis://any"\nmatch = { service = "*" }\n'
    assert chosen(tmp_path, alert({"service": "orders", "env": "prod"}), more) == "orders"
    assert chosen(tmp_path, alert({"service": "orders", "env": "test"}), more) == "any"


def test_several_that_fit_are_named(tmp_path: Path) -> None:
    for text in (alert({"service": "login"}, {"service": "orders", "env": "prod"}), "orders and sessions are down"):
        with pytest.raises(TicketError, match=r"several targets: orders .*; sessions .*--target"):
            chosen(tmp_path, text)


@pytest.mark.parametrize("name", sorted(path.name for path in TICKETS.iterdir() if "annotated" not in path.name))
def test_every_payload_finds_its_target(tmp_path: Path, name: str) -> None:
    rules = '[[targets]]\nname = "a"\nurl = "redis://a"\nmatch = { service = "order?" }\n'
    rules += 'text = ["order service", "Redis of orders"]\n'
    assert chosen(tmp_path, (TICKETS / name).read_text(), rules + '[[targets]]\nurl = "redis://b"\n') == "a"


async def test_without_any_target(desk: Desk) -> None:
    done = await desk.annotate("alertmanager.json")
    assert done.status == 2 and "[[targets]]" in done.err and done.out == ""


async def test_a_target_that_fits_is_looked_at(desk: Desk) -> None:
    desk.settings(TWO)
    done = await desk.annotate(desk.ticket("Is orders fine?"))
    assert done.status == 0 and "orders: orders in its text" in done.err
    assert "process-down" in done.out
    assert (await desk.annotate(desk.ticket("nothing"), "--target", "Orders")).status == 0
    done = await desk.annotate(desk.ticket("nothing"), "--target", "x")
    assert done.status == 2 and "orders, sessions" in done.err
    done = await desk.annotate(desk.ticket("nothing"))
    assert done.status == 3 and done.out == ""
    assert (await desk.annotate(desk.ticket("x"), "--target", "orders", "--url", "redis://a")).status == 2


async def test_a_url_in_the_ticket_is_never_dialled(desk: Desk) -> None:
    """Whoever writes a ticket doesn't say where a password goes."""
    desk.settings('[[targets]]\nname = "a"\nurl = "redis://127.0.0.1:1"\n')
    desk.patch.setenv("REDISCLI_AUTH", "hush")
    async with serving(WebhookStandIn()) as trap:
        host = trap.url.removeprefix("http://")
        desk.patch.setenv("REDIS_URL", f"redis://{host}")
        for text in (f"redis://{host} is slow", alert({"addr": f"redis://{host}", "instance": host})):
            done = await desk.annotate(desk.ticket(text))
            assert done.status == 3 and done.out == ""
        assert (await desk.annotate(desk.ticket(f"redis://{host} and a are slow"))).status == 0
        assert trap.seen == []


async def test_where_a_target_keeps_its_secrets(desk: Desk) -> None:
    desk.ticket("redis://:hush@127.0.0.1:2\n", "url")
    desk.settings(
        '[[targets]]\nname = "a"\nurl = "redis://127.0.0.1:1"\npassword_env = "A_PW"\n'
        '[[targets]]\nname = "b"\nurl_file = "url"\n[[targets]]\nname = "c"\nurl_env = "C_URL"\n'
        '[[targets]]\nname = "d"\nurl = "redis://:hush@127.0.0.1:4"\n'
    )
    done = await desk.annotate(desk.ticket("a"))
    assert done.status == 2 and "A_PW isn't set" in done.err
    desk.patch.setenv("A_PW", "hush")
    for name, status in (("a", 0), ("b", 0), ("c", 2), ("d", 2)):
        done = await desk.annotate(desk.ticket(name))
        assert done.status == status, done.err
        assert "hush" not in done.out + done.err
    assert "password_env" in done.err
    desk.patch.setenv("C_URL", "redis://:hush@127.0.0.1:3")
    assert (await desk.annotate(desk.ticket("c"))).status == 0


def test_the_example_in_the_docs(tmp_path: Path) -> None:
    page = (DOCS / "tickets.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "rediagnose.toml").write_text(example)
    known = load_settings(environ={"REDIAGNOSE_CONFIG": str(tmp_path / "rediagnose.toml")})
    assert target_of_ticket(parse_ticket(alert({"service": "orders", "env": "production"})), known)[0].name == "orders"
    assert known.jira.url and known.github.token and known.pagerduty.person and known.notify[0].name == "oncall"


async def test_a_name_that_is_not_known_here_is_no_answer(desk: Desk) -> None:
    done = await desk.annotate("ticket.txt", "--url", "redis://127.0.0.1:1", "--format", "json")
    answer = Diagnosis.model_validate_json(done.out.replace('"kind": "refused"', '"kind": "dns"'))
    assert is_unknown_name(answer.model_copy(update={"symptom": "checkout is slow"}))
    assert not is_unknown_name(answer.model_copy(update={"symptom": "redis: Name or service not known"}))
    assert not is_unknown_name(Diagnosis.model_validate_json(done.out))
    assert (
        headline(answer.model_copy(update={"outcome": "outside-redis", "causes": ()}))
        == "The server's name doesn't resolve"
    )
