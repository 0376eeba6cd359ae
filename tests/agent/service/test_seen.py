"""Signed requests that were taken in: by whichever process, across a restart, and never too many of them."""

from datetime import timedelta
from pathlib import Path

from agent.service.database import Database
from agent.service.seen import DurableSeen
from tests.webhooks import NOW


def test_what_one_process_took_in_another_one_knows(tmp_path: Path) -> None:
    databases = [Database(f"sqlite:///{tmp_path / 'x.sqlite'}") for _ in range(2)]
    databases[0].prepare()
    first, second = (DurableSeen(one) for one in databases)
    assert not first.known("github mac 1", NOW)
    first.add(("github mac 1", "github id 2"), NOW)
    first.add((), NOW)
    second.add(("github mac 1",), NOW)
    assert second.known("github mac 1", NOW) and second.known("github id 2", NOW)
    assert not second.known("gitlab mac 1", NOW)
    for one in databases:
        one.close()


def test_it_is_forgotten_in_time_and_the_oldest_are_if_they_are_too_many(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    database.prepare()
    seen = DurableSeen(database, most=3, kept=timedelta(hours=1), every=5)
    for number in range(5):
        seen.add((str(number),), NOW + timedelta(seconds=number))
    assert [seen.known(str(number), NOW) for number in range(5)] == [False, False, True, True, True]
    later = NOW + timedelta(hours=1, seconds=3)
    assert [seen.known(str(number), later) for number in range(5)] == [False, False, False, False, True]
    seen.clean(later)
    assert not seen.known("3", NOW) and seen.known("4", NOW)
    database.close()
