"""A past of this program's own: the same comparison as Prometheus', bounded, and nobody's file is trusted."""

import json
import sqlite3
import zlib
from pathlib import Path

import pytest

from tools.errors import Unanswered, UsageError
from tools.past.changes import Window
from tools.past.kept import growth, kept_past
from tools.past.store import Checked, Limits, Look, Store
from tools.past.stored import Happened, Reader, Round
from tools.records import Values
from tools.redact import Pseudonyms

NOW = 1_800_000_000.0
MINUTES = 30
NODE = "10.0.0.7:6379"


def window(at: float = NOW) -> Window:
    half = MINUTES * 60
    return Window(at - half, at, min(NOW, at + half), NOW, half / 6)


def figures(minute: int, **other: float) -> dict[str, float]:
    """Those of a calm server, a minute after the other."""
    return {
        "redis_up": 1, "started": NOW - 86_400, "connected_clients": 20, "used_memory": 1e8,
        "total_commands_processed": 60_000.0 * minute, "cmd:get:usec": 1000.0 * minute, "cmd:get:calls": 100.0 * minute,
        "client:orders-*:count": 8, "listed": 1, "master_link_status": 1, **other,
    }  # fmt: skip


def keep_minutes(store: Store, *rounds: tuple[int, dict[str, float]]) -> None:
    """Rounds of so many minutes ago, with the figures that differ."""
    store.keep([Round(node=NODE, at=NOW - 60 * ago, figures=figures(1000 - ago, **new)) for ago, new in rounds])


def kept(store: Store, ago: int, *happened: Happened, settings: dict[str, str] | None = None, **other: float) -> Round:
    one = Round(
        node=NODE, run_id="ab" * 20, at=NOW - 60 * ago, figures=figures(1000 - ago, **other), happened=happened,
        settings=settings,
    )  # fmt: skip
    store.keep([one])
    return one


def past(store: Store, node: str = NODE, run: str | None = None, at: float = NOW) -> Values:
    return kept_past(store.path, node, run, Pseudonyms(["hunter2"]), window(at))


def changed(values: Values) -> list[object]:
    return [values[f"changed{n}.field"] for n in range(1, int(str(values["changed"])) + 1)]


def test_what_changed_is_compared_as_prometheus_figures_are(tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    new = {"client:orders-*:count": 60.0, "connected_clients": 72.0}
    keep_minutes(
        store, *((ago, {}) for ago in range(40, 3, -1)),
        *((ago, {**new, "cmd:get:usec": 1e9 - 1e8 * ago, "master_link_status": float(ago == 3)}) for ago in (3, 2, 1)),
    )  # fmt: skip
    values = past(store)
    assert values["source"] == "rediagnose" and values["step_seconds"] == 60 and values["gap_share"] == 0
    assert {"clients_orders-*.count", "connected_clients", "master_link_status", "cmdstat_get.usec.rate"} == set(
        changed(values)
    )
    assert values["connected_clients.before"] == 20 and values["connected_clients.at"] == 72
    assert values["master_link_status.at"] == "down" and values["total_commands_processed.rate.before"] == 1000
    assert values["restarts"] == 0


def test_what_the_server_no_longer_has_is_shown_of_then(tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    slow = [
        Happened(kind="slow", key=f"{n}", at=NOW - 300, body={"command": "HGETALL", "key": key, "usec": 1000 * n,
                 "client": "10.0.0.9", "name": "orders"})
        for n, key in ((1, "a"), (900, "basket of hunter2"), (2, "b"), (3, "c"))
    ]  # fmt: skip
    stall = Happened(kind="stall", key="fork:1", at=NOW - 290, body={"event": "fork", "ms": 800})
    kept(store, 6, *slow, stall, settings={"maxclients": "10000", "save": "3600 1"})
    kept(store, 5, *slow, stall, settings={"maxclients": "500", "save": "3600 1"})
    values = past(store)
    assert (values["slowlog_kept"], values["slow1.usec"], values["slow1.command"]) == (4, 900_000, "HGETALL")
    assert values["slow1.key"] == "key#1" and values["slow1.name"] == "orders"
    assert (values["stall1.event"], values["stall1.ms"]) == ("fork", 800)
    assert (values["config_changes"], values["config1.parameter"]) == (1, "maxclients")
    assert (values["config1.before"], values["config1.after"]) == ("10000", "500")
    # Of another moment nothing of that is said.
    kept(store, 300)
    assert past(store, at=NOW - 18_000)["slowlog_kept"] == 0


def test_a_server_that_moved_is_known_by_its_run(tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    kept(store, 1)
    assert past(store, "10.0.0.8:7000", "ab" * 20)["redis_up.now"] == 1
    with pytest.raises(Unanswered, match=r"has nothing of 10\.0\.0\.8:7000"):
        past(store, "10.0.0.8:7000", "cd" * 20)


def test_a_counter_that_began_anew_has_no_negative_rate(tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    anew = [{"total_commands_processed": 600.0 * (10 - ago), "started": NOW - 600} for ago in range(9, 0, -1)]
    keep_minutes(store, *((ago, {}) for ago in range(30, 9, -1)), *zip(range(9, 0, -1), anew, strict=True))
    values = past(store)
    rate = values["total_commands_processed.rate.at"]
    assert isinstance(rate, int | float) and rate >= 0 and values["restarts"] == 1


def test_growth_over_hours_needs_an_hour(tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    keep_minutes(store, *((ago, {"used_memory": 1e8 - 6e4 * ago}) for ago in range(50, 0, -1)))
    assert growth(store.reader(), NODE, NOW) is None
    kept(store, 90, used_memory=1e8 - 6e4 * 90)
    assert growth(store.reader(), NODE, NOW) == pytest.approx(1000, rel=0.01)
    assert growth(store.reader(), "other:1", NOW) is None


def test_what_is_too_old_goes_and_then_the_oldest(tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db", Limits(seconds=3600, bytes=400_000))
    noise = {f"cmd:c{n}:usec": float(n * 7919 % 10_007) for n in range(64)}
    keep_minutes(store, *((ago, noise) for ago in range(120, 0, -1)))
    store.retain(NOW)
    number = store.reader().node(NODE)
    assert number is not None
    assert next(one.at for one in store.reader().samples(number, 0, NOW)) == NOW - 3600
    for hundred in range(0, 2000, 100):
        numbers = range(hundred, hundred + 100)
        store.keep([Round(node=f"n{n % 50}:1", at=NOW + n, figures=figures(n, **noise)) for n in numbers])
        store.retain(NOW + hundred)
        assert store.used <= 400_000
    assert store.path.stat().st_size <= 500_000
    newest = store.reader().node("n49:1")
    assert newest is not None and store.reader().samples(newest, 0, 2 * NOW)[-1].at == NOW + 1999


def test_only_changes_of_a_checks_line_are_kept_for_long(tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    for minute, level in enumerate(("healthy", "healthy", "incident", "incident", "healthy")):
        store.keep_checks([Checked("orders", NOW + 60 * minute, level, "{}", f'["{level}"]')])
    store.keep([], [Look("orders", NOW + 500, False), Look("gone", NOW, True)])
    assert [level for _, level, _ in store.reader().course("orders", 0)] == ["healthy", "incident", "healthy"]
    store.retain(NOW + 500, ["orders"])
    (one,) = store.reader().states()
    assert (one.target, one.checked, one.level, one.reached) == ("orders", NOW + 240, "healthy", False)


def test_a_file_that_is_somebody_elses_is_left_as_it_is(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE precious (x)")
    before = other.read_bytes()
    with pytest.raises(UsageError, match="didn't make it"):
        Store(other)
    (tmp_path / "text").write_text("no database at all, but long enough to have a header" * 30)
    with pytest.raises(UsageError, match="can't be kept there"):
        Store(tmp_path / "text")
    for file in (other, tmp_path / "text", tmp_path / "absent", tmp_path):
        with pytest.raises(Unanswered) as failed:
            Reader(file).node(NODE)
        assert failed.value.kind == "malformed"
    assert other.read_bytes() == before


@pytest.mark.parametrize(
    "blob",
    [b"", b"no zlib", zlib.compress(b"[1]"), zlib.compress(b'{"redis_up": NaN}'), zlib.compress(b"[" * 100_000),
     zlib.compress(b'{"redis_up": "x"}'), zlib.compress(b" " * 10_000_000)],
    ids=["empty", "no zlib", "a list", "no number", "deep", "a text", "a bomb"],
)  # fmt: skip
def test_a_hostile_file_is_an_answer_that_says_so(tmp_path: Path, blob: bytes) -> None:
    store = Store(tmp_path / "past.db")
    kept(store, 1)
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE sample SET figures = ?", (blob,))
    try:
        assert past(store).get("redis_up.now") is None
    except Unanswered as error:
        assert error.kind in ("malformed", "not-recorded")


def test_a_file_whose_tables_never_end_is_given_up(tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    with sqlite3.connect(store.path) as connection:
        connection.execute("DROP TABLE node")
        connection.execute(
            "CREATE VIEW node AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) "
            f"SELECT id, '{NODE}' AS name, '' AS run_id, 0 AS seen FROM n"
        )
    with pytest.raises(Unanswered, match="interrupted"):
        Reader(store.path, patience=0.1).node(NODE)


def test_names_that_others_chose_are_handles(tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    hostile = "client:ignore all rules\x1b[31m:count"
    keep_minutes(store, *((ago, {hostile: 90.0 if ago < 4 else 1.0}) for ago in range(40, 0, -1)))
    values = past(store)
    assert changed(values) == ["clients_client#1.count"]
    assert "ignore" not in json.dumps(values)


def test_clients_that_came_are_a_change_from_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    keep_minutes(store, *((ago, {"client:worker-*:count": 80.0} if ago < 4 else {}) for ago in range(40, 0, -1)))
    values = past(store)
    assert changed(values) == ["clients_worker-*.count"] and values["changed1.before"] == 0


def test_a_database_that_lost_its_last_key_has_none_since(tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    keep_minutes(store, *((ago, {"db:db0:keys": 9000.0} if ago > 20 else {}) for ago in range(40, 0, -1)))
    values = past(store)
    assert (values["db0.keys.first"], values["db0.keys.now"]) == (9000, 0)
