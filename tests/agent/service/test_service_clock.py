"""The wall clock is set an hour forward or back under the service: nothing is lost, and nothing is done twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import ColumnElement

from agent.answer.diagnosis import Diagnosis
from agent.service.database import Database
from agent.service.decided import claim, is_valid, take
from agent.service.leases import Leases
from agent.service.questions import OFTEN, Said, finish, room, taken
from agent.service.records import Decision, Query, Submission
from agent.service.retention import Limits, clean
from agent.service.seam import Full
from agent.service.seen import DurableSeen
from agent.service.store import Store, Work
from agent.tickets.ticket import Ticket
from agent.web.access.attempts import MOST, Attempts
from tests.stand_in import answer, step
from tools.clock import SystemClock

HOUR = 3600.0
JUMPS = pytest.mark.parametrize("jump", [HOUR, -HOUR])


class Clock(SystemClock):
    """A wall clock that somebody sets; what only goes forward isn't touched by it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 31, 2, 5, 7, tzinfo=UTC)
        self.passed = 1000.0

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def monotonic(self) -> float:
        return self.passed

    def jump(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Jumping(Database):
    """A database on a machine whose clock is set."""

    ahead = 0.0

    @property
    def now(self) -> ColumnElement[float]:
        return super().now + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Jumping]:
    one = Jumping(f"sqlite:///{tmp_path / 'incidents.sqlite'}")
    one.prepare()
    yield one
    one.close()


@pytest.fixture
def store(database: Jumping, clock: Clock) -> Store:
    return Store(database, clock)


def opened(store: Store, key: str) -> Work:
    ticket = Ticket(source="text", title="slow")
    _, work = store.submit(Submission(ticket=ticket, key=key, by="somebody"), "orders", 100)
    assert work is not None
    return work


def answered(store: Store, key: str, said: Diagnosis | None = None) -> Work:
    work = opened(store, key)
    assert store.begin(work.incident, work.round)
    assert store.answered(work, said or answer("maxclients-exhausted"), None)
    return work


@JUMPS
def test_incidents_stay_in_order_and_alerts_join_them(store: Store, clock: Clock, tmp_path: Path, jump: float) -> None:
    before = [answered(store, "a").incident, opened(store, "b").incident]
    clock.jump(jump)
    after = [opened(store, "c").incident, opened(store, "d").incident]
    assert [one.id for one in store.incidents(Query())] == [*after[::-1], *before[::-1]]
    found = store.incident(after[1])
    assert found and [one.id for one in store.similar(found)][:1] == after[:1]
    ticket = Ticket(source="text", title="slow")
    again, work = store.submit(Submission(ticket=ticket, key="b", by="somebody"), "orders", 100)
    assert again.incident == before[1] and work is None
    assert [one.number for one in store.events(before[1], 0)] == [1, 2]
    assert clean(store, tmp_path, Limits(days=1)) == [], "an hour is no reason to delete anything"


@JUMPS
def test_no_process_takes_another_one_for_dead(database: Jumping, jump: float) -> None:
    passed = 0.0
    first, second = (Leases(database, name, 30, lambda: passed) for name in ("first", "second"))
    for one in (first, second):
        one.renew()
    passed += 60
    for one in (first, second):
        assert one.renew()
    assert first.alive() == {"first", "second"}
    database.ahead = jump
    # The first one is first to notice, before the other one had a chance to renew its lease.
    assert first.renew() and first.alive() == {"first", "second"}
    first.sweep()
    assert second.renew() and second.alive() == {"first", "second"}


def test_a_dead_process_of_another_machine_is_noticed_though_the_clock_was_set_back(
    database: Jumping, tmp_path: Path
) -> None:
    passed = 0.0
    alive, dead = (Leases(database, name, 30, lambda: passed) for name in ("alive", "dead"))
    dead.renew()
    alive.renew()
    passed, database.ahead = 60.0, -HOUR
    alive.renew()
    assert alive.alive() == {"alive", "dead"}
    database.ahead = -HOUR + 31
    alive.renew()
    assert alive.alive() == {"alive", "dead"}, "its own lease had run out, too: it may have stood still"
    passed += 31
    alive.renew()
    assert alive.alive() == {"alive"}
    alive.sweep()
    assert not dead.renew()


@JUMPS
def test_an_approval_is_carried_out_at_most_once_and_never_a_stale_one(store: Store, clock: Clock, jump: float) -> None:
    work = answered(store, "a", answer("maxclients-exhausted").model_copy(update={"plan": (step("s1"),)}))
    found = store.incident(work.incident)
    assert found and found.diagnosis
    (one,) = found.diagnosis.plan
    decision = Decision(step=one.id, verb="approve", action=one.action, before=one.before, by="somebody")
    assert take(store, work.incident, decision) is not None
    clock.jump(jump)
    assert take(store, work.incident, decision) is None, "a second click is the same one"
    claimed = claim(store, 1, "here")
    assert claimed and claimed.anew and not is_valid(claimed.at, store.now())
    again = claim(store, 1, "there")
    assert again and not again.anew
    assert is_valid(store.now() - 60, store.now())


@JUMPS
def test_a_person_may_ask_on_after_the_clock_was_set(store: Store, clock: Clock, jump: float) -> None:
    work = answered(store, "a")

    def ask() -> None:
        with store.database.writing(alone=True) as connection:
            room(store, connection, work.incident, "somebody")
            new = taken(store, connection, work.incident, "why?", "somebody", None)
        finish(store, new.number, Said("so", 1))

    for _ in range(OFTEN):
        ask()
    with pytest.raises(Full) as refused:
        ask()
    assert refused.value.retry_after <= 60
    clock.jump(jump)
    for _ in range(OFTEN):
        ask()
    with pytest.raises(Full) as refused:
        ask()
    assert refused.value.retry_after <= 60
    assert len(store.history(work.incident, ("reply",))) == 2 * OFTEN


@JUMPS
def test_a_signed_request_is_still_known(database: Jumping, clock: Clock, jump: float) -> None:
    seen = DurableSeen(database)
    seen.add(("github mac 1",), clock.now())
    clock.jump(jump)
    seen.clean(clock.now())
    assert seen.known("github mac 1", clock.now())


def test_sessions_and_failed_attempts_dont_ask_the_wall_clock(clock: Clock) -> None:
    attempts = Attempts(clock.monotonic)
    for _ in range(MOST + 1):
        attempts.failed("192.0.2.1")
    clock.jump(HOUR)
    assert attempts.wait("192.0.2.1")
    clock.passed += 61
    assert attempts.wait("192.0.2.1") is None
