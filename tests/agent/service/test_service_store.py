"""The database by itself: what is kept, for how long, in which order; no server and no engine."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from agent.answer.diagnosis import Diagnosis, Step
from agent.service.database import Database
from agent.service.decided import claim, finish, judge, take
from agent.service.leases import Leases
from agent.service.records import Decision, Feedback, Query, Submission
from agent.service.retention import Limits, clean
from agent.service.rows import stored
from agent.service.seam import Full, NotSo
from agent.service.store import Store, Work
from agent.service.tables import incidents, versions
from agent.tickets.ticket import Ticket
from tests.stand_in import answer, step
from tools.clock import SystemClock
from tools.errors import UsageError


class Clock(SystemClock):
    """A wall clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 31, 2, 5, 7, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    database = Database(f"sqlite:///{tmp_path / 'incidents.sqlite'}")
    database.prepare()
    yield Store(database, Clock())
    database.close()


def submission(key: str, title: str = "slow", **more: object) -> Submission:
    return Submission(ticket=Ticket(source="text", title=title), key=key, by="somebody").model_copy(update=more)


def opened(store: Store, key: str, title: str = "slow", target: str = "orders", most: int = 100) -> Work:
    _, work = store.submit(submission(key, title), target, most)
    assert work is not None
    return work


def answered(store: Store, key: str, *causes: str, target: str = "orders") -> Work:
    work = opened(store, key, target=target)
    assert store.begin(work.incident, work.round)
    assert store.answered(work, answer(*causes), f"{work.incident}-{work.round}.rec")
    return work


def test_ids_are_in_the_order_of_time(store: Store) -> None:
    ids = [opened(store, str(number)).incident for number in range(20)]
    assert ids == sorted(ids)
    assert [one.id for one in store.incidents(Query(limit=3))] == ids[:-4:-1]


def test_hostile_text_is_kept_as_text(store: Store) -> None:
    work = opened(store, "k\0\ud800", "a\0b\u202ec <script> %_'\"; DROP TABLE")
    found = store.incident(work.incident)
    assert found is not None and "\0" not in found.title and "\u202e" not in found.title
    assert "DROP TABLE" in found.title
    assert [one.id for one in store.incidents(Query(text="<SCRIPT>"))] == [work.incident]
    assert store.incidents(Query(text="x%")) == ()


def test_a_full_queue_keeps_nothing(store: Store) -> None:
    opened(store, "1", most=1)
    with pytest.raises(Full) as refused:
        store.submit(submission("2"), "orders", 1)
    assert refused.value.retry_after > 0
    assert len(store.incidents(Query())) == 1
    joined, work = store.submit(submission("1"), "orders", 1)
    assert work is None and not joined.new


def test_similar_ones_are_of_the_same_target_and_those_with_the_same_cause_come_first(store: Store) -> None:
    same = answered(store, "1", "maxclients-exhausted").incident
    other = answered(store, "2", "oom-noeviction").incident
    answered(store, "3", "maxclients-exhausted", target="carts")
    last = answered(store, "4", "maxclients-exhausted").incident
    found = store.incident(last)
    assert found is not None
    assert [one.id for one in store.similar(found)] == [same, other]


def test_an_answer_to_what_was_closed_meanwhile_is_kept_but_not_handed_out(store: Store) -> None:
    work = opened(store, "1")
    assert store.begin(work.incident, 1)
    store.submit(submission("1", resolved=True), "", 100)
    assert not store.answered(work, answer("oom-noeviction"), None)
    found = store.incident(work.incident)
    assert found is not None and found.state == "closed" and found.diagnosis is not None


def test_a_round_that_is_over_is_not_begun_again(store: Store) -> None:
    work = answered(store, "1", "oom-noeviction")
    assert store.begin(work.incident, 1) is None
    again = store.again(work.incident, "somebody", 100)
    assert again.round == 2
    with pytest.raises(NotSo, match="queued"):
        store.again(work.incident, "somebody", 100)
    assert store.begin(work.incident, 1) is None and store.begin(work.incident, 2)
    assert not store.answered(work, answer("no-fault"), None), "the first round's answer comes too late"


def test_what_was_applied_stays_in_the_plan_of_another_answer_until_it_is_taken_back(store: Store) -> None:
    done = step("CONFIG SET maxclients 200", before="64", rollback="CONFIG SET maxclients 64", state="verified")
    left = step("CONFIG SET timeout 300", before="0", rollback="CONFIG SET timeout 0").model_copy(update={"id": "s2"})
    by_hand = step("restart it", "outside", state="applied").model_copy(update={"id": "s3"})
    plan = (done, left, by_hand)
    work = answered(store, "a")

    def look_again(new: Diagnosis) -> tuple[Step, ...]:
        again = store.again(work.incident, "somebody", 100)
        assert store.begin(again.incident, again.round) and store.answered(again, new, None)
        found = store.incident(work.incident)
        assert found and found.diagnosis
        return found.diagnosis.plan

    assert look_again(answer("maxclients-exhausted", plan=plan)) == plan
    came = look_again(answer("maxclients-exhausted", plan=(done.model_copy(update={"state": "proposed"}),)))
    assert [(one.id, one.state) for one in came] == [("s4", "proposed"), ("s1", "verified")]
    back = Decision(step="s1", verb="roll-back", action="CONFIG SET maxclients 64", before=None, by="somebody")
    assert take(store, work.incident, back) is not None
    claimed = claim(store, 1, "here")
    assert claimed
    finish(store, claimed, "rolled-back", "as before")
    assert [one.id for one in look_again(answer("maxclients-exhausted", plan=(left,)))] == ["s2"]


def test_a_round_that_was_answered_just_before_the_end_is_still_handed_out(store: Store) -> None:
    work = answered(store, "a")
    assert store.begin(work.incident, work.round) is None
    assert store.has_answered(work.incident, work.round) and not store.has_answered(work.incident, 2)
    store.close(work.incident, "somebody")
    assert not store.has_answered(work.incident, work.round)


def test_what_is_old_is_deleted_and_the_oldest_recordings_go_first(store: Store, tmp_path: Path) -> None:
    works = [answered(store, str(number), "oom-noeviction") for number in range(4)]
    for work in works:
        (tmp_path / f"{work.incident}-1.rec").write_bytes(b"x" * 1000)
    (tmp_path / f"{works[0].incident}-1.rec.changes.jsonl").write_text("{}")
    store.close(works[2].incident, "somebody")
    assert clean(store, tmp_path, Limits(size=4000)) == []
    # Of closed ones before those of open ones, however old.
    assert clean(store, tmp_path, Limits(size=2500)) == [works[2].incident, works[0].incident]
    assert (tmp_path / f"{works[0].incident}-1.rec.changes.jsonl").exists()
    assert store.incident(works[2].incident) is not None
    assert isinstance(store.clock, Clock)
    store.clock.at += timedelta(days=91)
    young = opened(store, "young").incident
    assert set(clean(store, tmp_path, Limits())) == {work.incident for work in works}
    assert [one.id for one in store.incidents(Query())] == [young]
    assert list(tmp_path.glob("*.rec*")) == []


def planned(store: Store) -> str:
    work = opened(store, "1")
    assert store.begin(work.incident, 1)
    steps = (step("CONFIG SET maxclients 10000", before="64", rollback="CONFIG SET maxclients 64"),)
    assert store.answered(work, answer("maxclients-exhausted", plan=steps), None)
    return work.incident


def test_a_second_click_is_one_decision_and_another_verb_is_none(store: Store) -> None:
    id = planned(store)
    approve = Decision(step="s1", verb="approve", action="CONFIG SET maxclients 10000", before="64", by="a")
    taken = take(store, id, approve)
    assert taken is not None and taken.number is not None and taken.target == "orders"
    assert take(store, id, approve.model_copy(update={"by": "b"})) is None
    with pytest.raises(NotSo, match="decided otherwise"):
        take(store, id, approve.model_copy(update={"verb": "refuse"}))


def test_what_is_carried_out_is_what_was_decided_about(store: Store) -> None:
    id = planned(store)
    approve = Decision(step="s1", verb="approve", action="CONFIG SET maxclients 10000", before="64", by="a")
    taken = take(store, id, approve)
    assert taken is not None and taken.number is not None
    with pytest.raises(NotSo, match="being carried out"):
        store.again(id, "a", 100)
    # Another answer, with another step of the same name, as a process of an older version might write it.
    other = answer("oom-noeviction", plan=(step("CONFIG SET maxmemory 1", before="0"),))
    with store.database.writing() as connection:
        connection.execute(update(incidents).values(**stored(other)))
    found = claim(store, taken.number, "one")
    assert found is not None and found.anew and found.step.action == approve.action
    again = claim(store, taken.number, "two")
    assert again is not None and not again.anew, "whoever comes second only finds out what came of it"
    finish(store, found, "applied", "done")
    assert claim(store, taken.number, "three") is None
    kept = store.incident(id)
    assert kept is not None and kept.diagnosis is not None
    assert [(one.action, one.state) for one in kept.diagnosis.plan] == [("CONFIG SET maxmemory 1", "proposed")]


@pytest.mark.parametrize(("change", "why"), [
    ({"action": "CONFIG SET maxclients 100"}, "look at it again"),
    ({"before": "65"}, "look at it again"),
    ({"before": None}, "look at it again"),
    ({"step": "s2"}, "isn't a step"),
    ({"verb": "roll-back"}, "nothing to roll back"),
])  # fmt: skip
def test_a_decision_about_something_else_counts_for_nothing(store: Store, change: dict[str, str], why: str) -> None:
    id = planned(store)
    decision = Decision(step="s1", verb="approve", action="CONFIG SET maxclients 10000", before="64", by="a")
    with pytest.raises(NotSo, match=why):
        take(store, id, decision.model_copy(update=change))
    store.close(id, "a")
    with pytest.raises(NotSo, match="closed"):
        take(store, id, decision)


def test_a_newer_versions_database_is_left_alone(store: Store) -> None:
    with store.database.writing() as connection:
        connection.execute(update(versions).values(version=99))
    with pytest.raises(UsageError, match="newer version"):
        store.database.prepare()


def test_what_fails_within_a_transaction_leaves_nothing(store: Store) -> None:
    work = opened(store, "1")
    with pytest.raises(ZeroDivisionError), store.database.writing() as connection:
        connection.execute(update(incidents).values(title="other"))
        raise ZeroDivisionError
    with store.database.reading() as connection:
        assert connection.scalar(select(incidents.c.title).where(incidents.c.id == work.incident)) == "slow"


def test_a_process_is_alive_while_it_holds_its_lock_and_its_lease(store: Store) -> None:
    passed = 0.0
    first, second = (Leases(store.database, name, 30, lambda: passed) for name in ("first", "second"))
    assert not first.renew() and not second.renew() and first.renew()
    assert second.alive() == {"first", "second"}
    first.let_go()
    assert second.alive() == {"second"}, "whoever died on this machine let go of its lock"
    second.sweep()
    assert not first.renew(), "it was taken for dead"
    lapsed = Leases(store.database, "lapsed", -1)
    lapsed.renew()
    assert "lapsed" in second.alive(), "whoever has just begun gives the others a chance to renew theirs"
    passed = 5.0
    assert "lapsed" not in second.alive()


def test_a_title_is_kept_without_its_secrets(store: Store) -> None:
    work = opened(store, "a", title="redis://shop:hunter2@cache:6379 times out")
    store.submit(submission("a", title="AUTH hunter2 fails"), "orders", 100)
    found = store.incident(work.incident)
    assert found and "times out" in found.title
    assert not any(
        "hunter2" in text for text in (found.model_dump_json(), *(e.data for e in store.events(found.id, 0)))
    )


def test_an_answer_is_judged_once_there_is_one(store: Store) -> None:
    work, said = opened(store, "a"), Feedback(by="ada", at=datetime.now(UTC), verdict="right")
    with pytest.raises(NotSo, match="queued: there is no answer yet"):
        judge(store, work.incident, said)
    assert store.begin(work.incident, 1) and store.answered(work, answer("thp"), None)
    store.again(work.incident, "ada", 100)
    judge(store, work.incident, said)
    found = store.incident(work.incident)
    assert found is not None and [one.by for one in found.feedback] == ["ada"]
    with pytest.raises(NotSo, match="no such incident"):
        judge(store, "nope", said)
