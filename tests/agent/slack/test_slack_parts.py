"""The parts by themselves: text in both directions, limits, seals, and which process keeps a thread."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from agent.service.database import Database
from agent.service.records import NumberedEvent, Submission
from agent.service.store import Store
from agent.service.tables import threads
from agent.slack.blocks import SECTION_MOST, fitted, header, person, section
from agent.slack.progress import undecided
from agent.slack.sealed import Forged, Place, Sealed, Seals
from agent.slack.threads import Threads
from agent.slack.words import is_resolved, targets_in, text_in, ticket_of, unescaped, url_in, without_mention
from agent.tickets.ticket import Ticket
from tests.postgres import postgres
from tools.clock import SystemClock

HERE = Place(team="T0", channel="C0", thread="1.000001")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a &lt;b&gt; &amp;amp;", "a <b> &amp;"), ("<https://x.example|good> <redis://h:1>", "https://x.example redis://h:1"),
        ("<!here> <!subteam^S01|@oncall> <#C0|orders> <@U0ANN|ann>", "@here @subteam #orders @U0ANN"),
        ("a\u202eb\0c", "a"), ("< <", "< <"), ("<" * 5000, "<"),
    ],
)  # fmt: skip
def test_text_is_read_as_people_see_it(text: str, plain: str) -> None:
    found = unescaped(text)
    assert found.startswith(plain) and "\u202e" not in found and "\0" not in found


def test_an_alert_is_all_that_its_message_says() -> None:
    block = {"type": "rich_text", "elements": [{"elements": [{"text": "orders "}, {"text": "is down"}]}]}
    alert: dict[str, Any] = {"attachments": [
        {"title": "[FIRING] Down", "text": "of <http://x|orders>", "fields": [{"title": "severity", "value": "page"}]},
        {"fallback": "and more"}, {"blocks": [{"type": "section", "text": {"text": "a block"}}]}, "no object",
    ]}  # fmt: skip
    assert text_in(alert).split("\n") == ["[FIRING] Down", "of http://x", "severity: page", "and more", "a block"]
    assert text_in({"blocks": [block]}) == "orders is down" and text_in({"text": 7, "blocks": {"a": 1}}) == ""


@pytest.mark.parametrize(
    "text", ["[RESOLVED] Down", ":white_check_mark: Resolved: down", "OK: down", "Recovered: down"]
)
def test_what_is_resolved(text: str) -> None:
    assert is_resolved(text)


def test_what_a_message_names() -> None:
    assert not is_resolved("[FIRING:1] Down") and not is_resolved("the okra service is down")
    assert targets_in("Orders, and my-carts!", ["orders", "carts", "order"]) == ["orders"]
    assert url_in("look at redis://h:6379, now") == "redis://h:6379" and url_in("https://h") is None
    assert without_mention("<@U0BOT|rediagnose> slow <@U0ANN>", "U0BOT") == "slow <@U0ANN>"


def test_a_ticket_of_a_long_thread_is_bounded_and_has_no_credentials() -> None:
    before = [{"text": f"redis-cli -a hunter2secret {'x ' * 2000}"}] * 100
    ticket = ticket_of("slow\nredis://:hunter2secret@h", before, "k", "1700000000.000100")
    assert ticket.title == "slow" and len(ticket.text) <= 8000 and "hunter2secret" not in ticket.text
    assert ticket.at is not None and ticket.at.year == 2023
    assert ticket_of("", [{"text": "it is slow"}], "k", "1").title == "it is slow"


def test_lines_are_cut_where_nothing_breaks() -> None:
    for line in ("&amp;" * 2000, "`" + "x" * 5000 + "`", "a" * 5000):
        text = fitted([line], SECTION_MOST)
        assert len(text) <= SECTION_MOST and text.count("`") % 2 == 0 and text.count("&") == text.count(";")
    assert fitted(["a" * 2000, "b" * 2000, "c"], SECTION_MOST) == "a" * 2000
    assert section([])["text"]["text"] == "-"


def test_only_ids_of_slack_become_mentions() -> None:
    assert person("slack:U0ANN") == "<@U0ANN>"
    assert "<" not in person("slack:U0ANN><!here") and "<" not in person("<@U0ANN>")


def test_what_is_sealed_is_whole_or_refused() -> None:
    seals = Seals(SecretStr("xoxb-1"))
    one = Sealed(
        what="decide", place=HERE, incident="20260131-020507-123abcdef", step="s12", mark="m" * 24, user="U0ANN"
    )
    text = seals.seal(one)
    assert seals.opened(text) == one and len(text) < 2000
    for wrong in ("", "x", text[:-1], text.replace("s12", "s13"), "é" * 40, text[32:], "0" * 32 + text[32:]):
        with pytest.raises(Forged):
            seals.opened(wrong)
    with pytest.raises(Forged):
        Seals(SecretStr("xoxb-2")).opened(text)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.live)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with ExitStack() as stack:
        file = f"sqlite:///{tmp_path / 'incidents.sqlite'}"
        one = Database(file if request.param == "sqlite" else stack.enter_context(postgres()))
        one.prepare()
        yield one
        one.close()


def test_one_process_keeps_a_thread_and_another_takes_it_on(database: Database) -> None:
    store = Store(database, SystemClock())
    first, second = Threads(database, "first"), Threads(database, "second")
    first.wait(HERE, "slack:U0ANN", "{}")
    first.asked(HERE, "1.000002")
    waiting = second.at(HERE)
    assert waiting is not None and (waiting.incident, waiting.message) == (None, "1.000002")
    done, _ = store.submit(Submission(ticket=Ticket(source="slack", title="slow"), key="k", by="b"), "orders", 10)
    assert done.incident is not None
    for _ in range(2):
        first.begin(HERE, done.incident, "slack:U0ANN")
    assert first.keep("T0", []) == [done.incident] and second.keep("T0", []) == [] and first.keep("T1", []) == []
    with database.writing() as connection:
        connection.execute(update(threads).values(until=1.0))
    assert second.keep("T0", []) == [done.incident] and first.keep("T0", [done.incident]) == []
    second.told(done.incident, 1)
    second.let_go()
    store.close(done.incident, "ann")
    # Its end is still to be shown.
    assert first.keep("T0", []) == [done.incident]
    first.told(done.incident, 2)
    first.let_go(done.incident)
    assert first.keep("T0", []) == [] and first.of(done.incident) is not None
    store.forget(done.incident)
    assert first.at(HERE) is None


def test_a_heading_longer_than_slack_shows_is_a_bold_section_and_loses_nothing() -> None:
    assert header("Redis is full")["type"] == "header"
    long = "RedisRejectedConnections: not any more, 0 in 2 s. " * 4 + "<!channel>"
    block = header(long)
    assert block["type"] == "section"
    assert block["text"]["text"].count("RedisRejectedConnections") == 4
    assert "<!channel>" not in block["text"]["text"]


def test_an_event_that_was_too_long_to_be_kept_stops_nobody() -> None:
    at = datetime(2026, 5, 4, tzinfo=UTC)
    decided = '{"step": "s1", "verb": "approve", "by": "ann"}'
    history = [
        NumberedEvent(number=number, at=at, kind=kind, data=data)
        for number, (kind, data) in enumerate((("answered", '{"diagnosis": {"sym'), ("decided", decided)))
    ]
    assert undecided(history) == {"s1": "approval by ann, being carried out"}
