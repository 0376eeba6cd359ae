"""How a number goes on after a recording's end: nothing jumps back at the seam, and rates stay what they were."""

import itertools
from typing import Any

import pytest

from tools.record.continuation import Sample, Series, Stretch, Visit
from tools.record.continued_clients import ContinuedClients, cluster_nodes
from tools.record.continued_logs import Again, slow_log, spikes
from tools.record.continued_readings import continued_reading
from tools.record.continued_rows import ContinuedRows
from tools.record.continued_text import ContinuedText, fields_in
from tools.record.field_classes import class_of, is_number, text_at
from tools.record.schema import Seen
from tools.records import Reading, Values

STRETCH = Stretch(2.0, 12.0)


def series(*rows: tuple[float, float], stretch: Stretch = STRETCH) -> Series:
    return Series(tuple(Sample(t, value, f"{value:g}") for t, value in rows), stretch)


def info(now: float, *texts: tuple[float, str], last: int = -1, zero: float = 1000.0) -> dict[str, str]:
    """INFO's fields at a moment, of a recording that has these texts."""
    lines = [(t, text.replace(" ", "\r\n")) for t, text in texts]
    place = STRETCH.place(now)
    base = next((text for t, text in reversed(lines) if t <= place.phase), lines[-1][1])
    return fields_in(ContinuedText(lines, STRETCH, zero, lambda field: None).at(base, lines[last][1], now))


@pytest.mark.parametrize(
    ("now", "phase", "turns"), [(0, 0, 0), (12, 12, 0), (12.5, 2.5, 1), (21.9, 11.9, 1), (312.5, 2.5, 31)]
)
def test_a_moment_is_one_of_the_steady_part(now: float, phase: float, turns: int) -> None:
    place = STRETCH.place(now)
    assert place.phase == pytest.approx(phase) and place.turns == turns
    assert place.phase + place.shift == pytest.approx(now)


def test_a_counter_never_falls_and_keeps_its_pace() -> None:
    counter = series((2.1, 100), (4.0, 100), (4.5, 160), (11.5, 194))
    values = [counter.gained(step / 20) for step in range(40, 20_000)]
    assert values == sorted(values)
    assert max(later - one for one, later in itertools.pairwise(values)) < 7, "no jump at a seam"
    rate = (194 - 100) / (11.5 - 2.1)
    assert (counter.gained(902) - counter.gained(102)) / 800 == pytest.approx(rate, rel=1e-6)
    assert counter.gained(4.5) == 160, "what was recorded is what is said"


def test_rates_of_two_readings_agree_with_the_clock() -> None:
    clocks = "uptime_in_seconds:{:.0f} server_time_usec:{:.0f} total_commands_processed:{:.0f}"
    texts = [(t, clocks.format(100 + t // 1, (1000 + t) * 1e6, 50 * t)) for t in (2.5, 4.5, 6.5, 8.5, 11.0)]
    one, later = info(40.0, *texts), info(340.0, *texts)
    clock = (int(later["server_time_usec"]) - int(one["server_time_usec"])) / 1e6
    assert clock == pytest.approx(300) and int(later["uptime_in_seconds"]) - int(one["uptime_in_seconds"]) == 300
    assert (int(later["total_commands_processed"]) - int(one["total_commands_processed"])) / clock == pytest.approx(
        50, rel=0.02
    )


def test_a_gauge_repeats() -> None:
    texts = [(t, f"instantaneous_ops_per_sec:{ops}") for t, ops in ((3.0, 4), (6.0, 9), (9.0, 2))]
    said = [info(now, *texts)["instantaneous_ops_per_sec"] for now in (13.5, 16.5, 19.5, 22.5, 23.5)]
    assert said == ["4", "9", "2", "2", "4"]


def test_a_level_that_only_wanders_never_jumps_back() -> None:
    texts = [
        (t, f"db0:keys={keys},expires=5,avg_ttl=0") for t, keys in ((3.0, 100), (6.0, 90), (9.0, 140), (11.0, 150))
    ]
    keys = [int(info(12 + step / 4, *texts)["db0"].split(",")[0].removeprefix("keys=")) for step in range(200)]
    assert set(keys) == {100, 90, 140, 150}
    assert max(abs(later - one) for one, later in itertools.pairwise(keys)) == 50


def test_a_level_that_grew_steadily_grows_on_up_to_its_limit() -> None:
    texts = [(t, f"connected_clients:{int(10 * t)} maxclients:1000 total_connections_received:{int(10 * t)}")
             for t in (2.5, 4.5, 6.5, 8.5, 11.5)]  # fmt: skip
    assert int(info(52.0, *texts)["connected_clients"]) == pytest.approx(520, abs=2)
    assert info(500.0, *texts)["connected_clients"] == "800", "what wasn't full doesn't become full"


def test_memory_that_grows_and_its_parts_stay_below_the_limit() -> None:
    memory = "used_memory:{0} used_memory_dataset:{1} maxmemory:1000000 db0:keys={0},expires=0,avg_ttl=0"
    texts = [(t, memory.format(int(200_000 + 1000 * t), int(100_000 + 1000 * t))) for t in (3.0, 5.0, 7.0, 11.0)]
    grown, later = info(112.0, *texts), info(5000.0, *texts)
    assert int(grown["used_memory"]) == pytest.approx(312_000, abs=2)
    assert int(later["used_memory"]) == pytest.approx(800_000, abs=2)
    assert int(later["used_memory"]) - int(later["used_memory_dataset"]) == pytest.approx(100_000, abs=2)


def test_what_was_not_empty_does_not_become_empty() -> None:
    fields = "db0:keys={0},expires=0,avg_ttl=0 used_memory:{1} used_memory_dataset:{2} maxmemory:0"
    texts = [
        (t, fields.format(int(1000 - 20 * t), int(9e5 - 1e4 * t), int(5e5 - 1e4 * t))) for t in (3.0, 5.0, 7.0, 11.0)
    ]
    assert info(22.0, *texts)["db0"].startswith("keys=560,"), "it goes on falling"
    late = info(300.0, *texts)
    assert late["db0"].startswith("keys=156,"), "to a fifth of what it was at the end"
    assert int(late["used_memory"]) == pytest.approx(158_000, abs=1)
    assert int(late["used_memory_dataset"]) == pytest.approx(78_000, abs=1)


def test_memory_at_its_limit_stays_there() -> None:
    memory = "used_memory:{} maxmemory:1000000 used_memory_peak:1001000 used_memory_human:{:.2f}K"
    texts = [
        (t, memory.format(value, value / 1024))
        for t, value in ((3.0, 999_000), (5.0, 1_000_500), (7.0, 998_000), (9.0, 1_000_100))
    ]
    for now in (13.0, 31.0, 300.0):
        fields = info(now, *texts)
        assert 998_000 <= int(fields["used_memory"]) <= 1_000_500 <= int(fields["used_memory_peak"])
        assert fields["used_memory_human"] == f"{int(fields['used_memory']) / 1024:.2f}K"


def test_the_age_of_what_is_over_grows_and_that_of_what_recurs_repeats() -> None:
    down = [(t, f"master_link_down_since_seconds:{20 + int(t)}") for t in (3.0, 7.0, 11.0)]
    assert info(111.0, *down)["master_link_down_since_seconds"] == "131"
    talks = [(t, f"master_last_io_seconds_ago:{age}") for t, age in ((3.0, 0), (7.0, 1), (11.0, 0))]
    assert {info(float(now), *talks)["master_last_io_seconds_ago"] for now in range(13, 300)} == {"0", "1"}
    none = [(t, "master_last_io_seconds_ago:-1") for t in (3.0, 7.0)]
    assert info(300.0, *none)["master_last_io_seconds_ago"] == "-1"


def test_the_time_of_what_happened_moves_along_and_that_of_what_did_not_stays() -> None:
    saved = [(3.0, "rdb_last_save_time:500"), (6.0, "rdb_last_save_time:1005"), (9.0, "rdb_last_save_time:1005")]
    assert info(16.5, *saved)["rdb_last_save_time"] == "1015"
    assert info(13.5, *saved)["rdb_last_save_time"] == "1005", "the next one is still to come"
    still = [(3.0, "rdb_last_save_time:500"), (9.0, "rdb_last_save_time:500")]
    assert info(300.0, *still)["rdb_last_save_time"] == "500"


def test_a_commands_statistics_agree_with_each_other() -> None:
    stats = "cmdstat_get:calls={:.0f},usec={:.0f},usec_per_call=3.00,rejected_calls=0,failed_calls=0"
    texts = [(t, stats.format(7 * t, 21 * t)) for t in (3.0, 6.0, 9.0)]
    line = info(307.0, *texts)["cmdstat_get"]
    parts = dict(part.split("=") for part in line.split(","))
    assert int(parts["calls"]) == pytest.approx(7 * 307, rel=0.01)
    assert float(parts["usec_per_call"]) == pytest.approx(int(parts["usec"]) / int(parts["calls"]), abs=0.01)
    assert (parts["rejected_calls"], parts["failed_calls"]) == ("0", "0")


def test_text_that_only_looks_like_a_number_is_left_alone() -> None:
    texts = [
        (3.0, "redis_git_sha1:00000000 run_id:123e45 tcp_port:6379"),
        (9.0, "redis_git_sha1:00000000 run_id:123e45 tcp_port:6379"),
    ]
    assert info(99.0, *texts) == {"redis_git_sha1": "00000000", "run_id": "123e45", "tcp_port": "6379"}
    assert not is_number("007") and not is_number("1e5") and is_number("-1") and is_number("0.25")


def test_the_slow_log_gains_entries_with_ids_and_times_that_go_on_and_keeps_its_length() -> None:
    rows: list[Any] = [
        [12, 1009, 700, ["KEYS", "*"], "a", ""],
        [11, 1005, 600, ["KEYS", "*"], "a", ""],
        [10, 990, 5, ["GET", "x"], "b", ""],
    ]
    again = Again(rows[::-1], lambda entry: float(entry[1]), STRETCH, 1000.0, lambda entry: entry[3][0])
    assert slow_log(rows, again, 12.0, 10) == rows
    assert [row[0] for row in slow_log(rows, again, 16.0, 10)] == [13, 12, 10], "one of a turn takes another's place"
    later = slow_log(rows, again, 312.0, 128)
    ids, times = [row[0] for row in later], [row[1] for row in later]
    assert ids == [ids[0], ids[0] - 1, 10] and ids[0] == 12 + 2 * 30 and times == sorted(times, reverse=True)
    assert 1000 + 312 - 8 <= times[0] <= 1000 + 312
    history = [[1005, 6], [1009, 7]]
    again = Again(history, lambda row: float(row[0]), STRETCH, 1000.0)
    assert spikes(history, again, 16.0) == [[1009, 7], [1015, 6]]


def test_what_was_logged_once_is_over() -> None:
    rows: list[Any] = [
        [12, 1009, 700, ["KEYS", "*"], "a", ""],
        [11, 1007, 900, ["HGETALL", "x"], "b", ""],
        [10, 1005, 600, ["KEYS", "*"], "a", ""],
    ]
    again = Again(rows[::-1], lambda entry: float(entry[1]), STRETCH, 1000.0, lambda entry: entry[3][0])
    assert [row for row in slow_log(rows, again, 312.0, 128) if row[3][0] == "HGETALL"] == [rows[1]]


def test_whoever_looks_at_a_log_before_the_recorder_did_finds_what_was_there_then() -> None:
    rows: list[Any] = [[row, 1000 + t, 700, ["KEYS", "*"], "a", ""] for row, t in ((13, 11), (12, 5), (11, 3))]
    visits = Stretch(2.0, 12.0, (Visit(100.0, 88.0),))
    again = Again(rows[::-1], lambda entry: float(entry[1]), visits, 1000.0, lambda entry: entry[3][0], first_read=6.0)
    (later, earlier) = slow_log(rows, again, 101.0, 10)
    assert later[1] == 1101 and earlier[1] == 1100, "and nothing is from the time to come"
    assert len(slow_log(rows, again, 109.0, 10)) == 3


def test_what_was_logged_shortly_before_is_as_recent_for_whoever_comes() -> None:
    rows: list[Any] = [
        [row, 1000 + t, 700, ["EVAL", "x"], "a", ""] for row, t in ((14, 8), (13, -5), (12, -9), (11, -90))
    ]
    visits = Stretch(2.0, 12.0, (Visit(302.0, 290.0),))
    again = Again(rows[::-1], lambda entry: float(entry[1]), visits, 1000.0, lambda entry: entry[3][0])
    assert slow_log(rows, again, 200.0, 10)[-3:] == rows[1:], "for those who stayed it's over"
    first, later = (slow_log(rows, again, now, 10) for now in (303.0, 345.0))
    assert [1303 - row[1] for row in first[:2]] == [9, 13] and first[2:] == rows[3:], "as long ago as at second 3"
    assert [row[0] for row in first[:2]] == [13 + 30, 12 + 30] and later[-3:] == first, "and it doesn't happen again"
    assert later[0][0] > first[0][0] and later[0][1] > first[0][1]


def test_memory_that_buffers_take_for_a_while_does_not_go_on_growing() -> None:
    texts = [
        (t, f"used_memory:{int(1_200_000 + 30_000 * t)} maxmemory:0 db0:keys={{0}},expires=0,avg_ttl=0")
        for t in (3.0, 5.0, 8.0, 11.0)
    ]
    held = [(t, text.format(500)) for t, text in texts]
    assert int(info(300.0, *held)["used_memory"]) <= 1_530_000
    filled = [(t, text.format(int(1000 * t))) for t, text in texts]
    assert int(info(300.0, *filled)["used_memory"]) == pytest.approx(1_200_000 + 30_000 * 300, abs=2)


def test_what_a_log_of_the_machine_has_happens_again_and_what_was_before_is_longer_ago() -> None:
    first: Values = {"log_age": 1.0, "timeout.newest_age": 1.0, "timeout.count": 2, "started_age": 30.0}
    last: Values = {"log_age": 2.0, "timeout.newest_age": 2.0, "timeout.count": 4, "started_age": 38.0}
    seen = [
        Seen(
            t=t,
            reading=Reading(id="r1", tool="log", args={}, node="h:1", at="x", ms=ms, values=values, unavailable=None),
        )
        for t, ms, values in ((3.0, 9000.0, first), (11.0, 1.0, last))
    ]
    assert continued_reading(seen, STRETCH, 11.5).values == last
    for now, age in ((13.0, 4.0), (18.5, 9.5), (19.5, 0.5), (299.5, 0.5)):
        later = continued_reading(seen, STRETCH, now)
        values = later.values or {}
        assert values["timeout.newest_age"] == values["log_age"] == pytest.approx(age), now
        assert values["timeout.count"] == 4 and values["started_age"] == pytest.approx(27 + now)
        assert later.ms == 1.0, "a machine that was busy once isn't again"


def test_a_counter_gains_what_was_usual_while_nobody_is_there() -> None:
    def received(now: float, *clients: int) -> int:
        form = "uptime_in_seconds:{}\r\ntotal_connections_received:{}\r\nconnected_clients:{}"
        texts = [(t, form.format(98 + t, 300 + 100 * t, count)) for t, count in zip((2, 7, 12), clients, strict=True)]
        visits = Stretch(2.0, 12.0, (Visit(62.0, 50.0), Visit(300.0, 200.0)))
        node = ContinuedText(texts, visits, 0.0, lambda field: None)
        assert clients[0] != 9 or node.gain("total_connections_received", 301.0) == pytest.approx(200 * 5 + 97 * 100)
        return int(fields_in(node.at(texts[-1][1], texts[-1][1], now))["total_connections_received"])

    said = [received(now, 9, 9, 9) for now in (13.0, 62.0, 72.0)]
    assert said == [1600, 1750, 2750], "100 a second, and 5 in those of which nobody knows"


def test_what_grows_waits_for_whoever_comes() -> None:
    texts = [(t, f"used_memory:{4 * t}000000\r\nmaxmemory:100000000\r\ndb0:keys={t}000,expires=0") for t in (2, 7, 12)]
    visits = Stretch(2.0, 12.0, (Visit(62.0, 50.0), Visit(300.0, 278.0)))
    node = ContinuedText(texts, visits, 0.0, lambda field: None)

    def said(now: float) -> tuple[str, str]:
        fields = fields_in(node.at(texts[-1][1], texts[-1][1], now))
        return fields["db0"].split(",")[0], fields["used_memory"]

    assert said(13.0) == ("keys=13000", "52000000") and said(62.0) == ("keys=12000", "48000000")
    assert said(72.0) == ("keys=22000", "80000000"), "up to four fifths of the limit"
    assert said(299.0)[1] == said(300.0)[1] == said(310.0)[1] == "80000000"


def test_clients_age_are_idle_and_talk_on() -> None:
    first = "id=3 addr=h:1 name=app age=50 idle=0 tot-cmds=100\nid=4 addr=h:2 name=pool age=40 idle=40 tot-cmds=1\n"
    last = "id=3 addr=h:1 name=app age=58 idle=0 tot-cmds=180\nid=4 addr=h:2 name=pool age=48 idle=48 tot-cmds=1\n"
    clients = ContinuedClients([(3.0, first), (11.0, last)], STRETCH, frozenset())
    text = clients.at(last, 11.0, 111.0, 0.0, 0, None)
    assert text.splitlines()[0].startswith("id=3 addr=h:1 name=app age=158 idle=0 tot-cmds=1180")
    assert text.splitlines()[1] == "id=4 addr=h:2 name=pool age=148 idle=148 tot-cmds=1"
    more = clients.at(last, 11.0, 111.0, 0.5, 50, 4).splitlines()
    assert len(more) == 6 and len({line.split()[0] for line in more}) == 6


def test_clients_that_come_and_go_are_others_each_time() -> None:
    text = "id=90 addr=h:1 name=job age=1 idle=0\n"
    clients = ContinuedClients([(11.0, text)], STRETCH, frozenset())
    assert clients.at(text, 11.0, 21.5, 3.0, 30, None) == "id=120 addr=h:1 name=job age=1 idle=0\n"


def test_rows_of_sentinels_age_and_their_pings_recur() -> None:
    def master(ping: int, reported: int) -> list[Any]:
        return [["name", "m", "last-ok-ping-reply", str(ping), "role-reported-time", str(reported), "quorum", "2"]]

    rows = ContinuedRows([(3.0, master(200, 60_000)), (8.0, master(700, 65_000))], STRETCH, 1000.0, lambda t: 100.0 + t)
    (said,) = rows.at(master(700, 65_000), 108.0)
    assert said[:2] == ["name", "m"] and said[6:] == ["quorum", "2"]
    assert int(said[5]) == 165_000 and int(said[3]) in (200, 700)


def test_a_clusters_pongs_recur_and_a_dead_nodes_do_not() -> None:
    text = "aa h:1@2 master - 0 1007500 1 connected 0-1\nbb h:3@4 master,fail - 990000 989000 2 disconnected\n"
    alive, dead = cluster_nodes(text, 100.0, 1002.0).splitlines()
    assert " 0 1107500 1 " in alive and " 990000 989000 2 " in dead


def test_fields_are_classed_by_name() -> None:
    assert class_of("info", "cmdstat_config|get.calls") == class_of("info", "slave0.offset") == "counter"
    assert class_of("info", "uptime_in_seconds") == "seconds" and class_of("info", "maxmemory") == "gauge"
    assert class_of("info", "used_memory") == "level" and class_of("info", "used_memory_peak") == "latest"
    assert class_of("rows", "get.histogram_usec.4") == "counter" and class_of("client", "idle") == "age"
    assert text_at("info", "used_cpu_sys", series((3, 1.5), (9, 2.1)), 15.0, 0.0, "1.500000") == "2.700000"
