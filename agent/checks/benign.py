"""Explanations for a report although nothing is wrong, each from a reading."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from agent.answer.open_points import Benign
from agent.checks.exposure import LOOPBACK
from agent.evidence.view import Cited, View
from tools.patterns import deferred

SHOWN = 3
MIB = float(1 << 20)
WASTE_RATIO, REST_BYTES = 1.4, 100 * MIB
"""The mem_fragmentation_ratio at which people ask, and the default of active-defrag-ignore-bytes."""
YOUNG, WARM = 600.0, 0.9
"""Seconds after a start in which a cache may still be filling, and the hit ratio at which it is full."""
FULL = 0.95
FEW_FREE = 0.5
OLD_ENTRY = 60.0
BLOCKS = ("blpop", "brpop", "blmove", "brpoplpush", "blmpop", "bzpopmin", "bzpopmax", "xread", "xreadgroup")

_LISTS, _SETS, _STREAMS = ("lpush", "rpush"), ("zadd",), ("xadd",)
FEEDS = {
    name: _STREAMS if name.startswith("x") else _SETS if name.startswith("bz") else _LISTS for name in BLOCKS
}  # fmt: skip
"""The usual commands that give clients blocked in each of these what they wait for."""


def _saving(view: View) -> Iterator[tuple[str, list[Cited]]]:
    if view.number("persistence", "rdb_bgsave_in_progress") != 1:
        return
    seconds, pid = view.number("persistence", "rdb_current_bgsave_time_sec"), view.number("process", "child_pid")
    who = f", pid {pid:.0f}," if pid else ""
    since = f" since {seconds:.0f} s" if seconds is not None and seconds >= 0 else ""
    copied = view.number("persistence", "current_cow_size")
    more = f", and has copied {copied / MIB:.0f} MiB so far" if copied else ""
    yield (
        f"A BGSAVE child{who} has been running{since}{more}: the second process and its memory belong to the snapshot.",
        [("persistence", "rdb_bgsave_in_progress"), ("persistence", "rdb_current_bgsave_time_sec"),
         ("process", "child_pid"), ("persistence", "current_cow_size")],
    )  # fmt: skip


def _saved(view: View) -> Iterator[tuple[str, list[Cited]]]:
    if view.text("persistence", "rdb_last_bgsave_status") == "ok":
        changes = view.number("persistence", "rdb_changes_since_last_save")
        since = f"; {changes:.0f} changes since the last one" if changes is not None else ""
        yield (
            f"Snapshots succeed (rdb_last_bgsave_status is ok{since}), so no write is refused with MISCONF now.",
            [("persistence", "rdb_last_bgsave_status"), ("persistence", "rdb_changes_since_last_save")],
        )


def _waste(view: View) -> Iterator[tuple[str, list[Cited]]]:
    ratio, waste = view.number("info", "mem_fragmentation_ratio"), view.number("info", "mem_fragmentation_bytes")
    if ratio is not None and waste is not None and ratio >= WASTE_RATIO and 0 <= waste < REST_BYTES:
        yield (
            f"A fragmentation ratio of {ratio:g} means {waste / MIB:.0f} MiB of "
            "waste, below active-defrag-ignore-bytes "
            "(100 MiB by default): too little to be a fault.",
            [("info", "mem_fragmentation_ratio"), ("info", "mem_fragmentation_bytes")],
        )


def _limit(view: View) -> Iterator[tuple[str, list[Cited]]]:
    most, used = view.number("info", "maxmemory"), view.number("info", "used_memory")
    if most is None or used is None:
        return
    cited: list[Cited] = [("info", "used_memory"), ("info", "maxmemory")]
    policy = view.text("info", "maxmemory_policy")
    replica = view.text("replication", "role") == "slave"
    if most and replica and used > most:
        yield (
            f"A replica ignores maxmemory: {(used - most) / MIB:.0f} MiB more than its {most / MIB:.0f} MiB is in "
            "use, and would be evicted after a promotion; raise its maxmemory before that.",
            [*cited, ("replication", "role")],
        )
    elif most and used >= FULL * most and policy.startswith("allkeys"):
        gone, hits = view.number("info", "evicted_keys.delta") or 0, view.number("keyspace", "hit_ratio")
        found = f", and {hits:.0%} of the lookups hit" if hits else ""
        yield (
            f"A cache is full by design: this one evicts by {policy} at {most / MIB:.0f} MiB ({gone:.0f} keys over the "
            f"window{found}).",
            [*cited, ("info", "maxmemory_policy"), ("info", "evicted_keys.delta"), ("keyspace", "hit_ratio")],
        )
    elif most and used < FULL * most:
        yield f"{used / MIB:.0f} of {most / MIB:.0f} MiB is in use: there is room for writes now.", cited
    elif not most:
        yield f"{used / MIB:.0f} MiB is in use, and maxmemory sets no limit.", cited


def _young(view: View) -> Iterator[tuple[str, list[Cited]]]:
    up, hits = view.number("info", "uptime_in_seconds"), view.number("keyspace", "hit_ratio")
    if up is not None and up < YOUNG:
        found = ""
        if hits is not None and hits < WARM:
            found = f", and {hits:.0%} of the lookups hit over the window: a cache has to fill up again after a restart"
        yield (
            f"The server has been up for {up:.0f} s{found}.",
            [("info", "uptime_in_seconds"), ("keyspace", "hit_ratio")],
        )


def _let_in(view: View) -> Iterator[tuple[str, list[Cited]]]:
    ever, now = view.number("info", "rejected_connections"), view.number("info", "rejected_connections.delta")
    clients, most = view.number("info", "connected_clients"), view.number("info", "maxclients")
    cited: list[Cited] = [
        ("info", "rejected_connections"), ("info", "connected_clients"), ("info", "maxclients"),
    ]  # fmt: skip
    of = f"{clients:.0f} of {most:.0f} clients are connected" if clients is not None and most else ""
    if ever == 0:
        yield f"rejected_connections is 0 since startup: this server has turned no clients away; {of}.", cited
    elif ever and now == 0:
        yield (
            f"{ever:.0f} connections were rejected since startup, but none over the window; {of}.",
            [*cited, ("info", "rejected_connections.delta")],
        )


def _steady(view: View) -> Iterator[tuple[str, list[Cited]]]:
    clients, most = view.number("info", "connected_clients"), view.number("info", "maxclients")
    grown, came = (
        view.number("info", "connected_clients.delta") or 0,
        view.number("info", "total_connections_received.rate"),
    )
    if clients is not None and most and clients < FEW_FREE * most and grown <= 0 and came is not None:
        yield (
            f"{clients:.0f} of {most:.0f} clients are connected, and their number isn't growing; {came:g} new ones "
            "connect per second.",
            [("info", "connected_clients"), ("info", "maxclients"), ("info", "total_connections_received.rate")],
        )


def _waiting(view: View) -> Iterator[tuple[str, list[Cited]]]:
    blocked = view.number("info", "blocked_clients")
    if not blocked:
        return
    called = [(name, ("commandstats", f"{name}.calls")) for name in BLOCKS
              if view.number("commandstats", f"{name}.calls")]  # fmt: skip
    # A call is counted once it returns, so workers that never got anything show in CLIENT LIST alone.
    seen = [(name, ("clients", f"{group}.cmds")) for group in ("o1", "o2", "o3") for name in BLOCKS
            if name in view.text("clients", f"{group}.cmds").split()]  # fmt: skip
    if not (found := called or seen):
        return
    name, field = found[0]
    what = f"{blocked:.0f} clients are blocked in {name.upper()}, as intended: workers are waiting for work"
    pushes = {one: view.number("commandstats", f"{one}.calls.delta") for one in FEEDS[name]}
    if view.last("commandstats") is None or any(pushes.values()):
        yield f"{what}.", [("info", "blocked_clients"), field]
        return
    feeds = " or ".join(one.upper() for one in FEEDS[name])
    arrived = [("commandstats", f"{one}.calls.delta") for one, count in pushes.items() if count is not None]
    yield (
        f"{what}, and none arrived over the window: there was no {feeds}. Look at whoever should send it.",
        [("info", "blocked_clients"), field, *arrived],
    )


def _expiring(view: View) -> Iterator[tuple[str, list[Cited]]]:
    gone, seconds = view.number("info", "expired_keys.delta"), view.number("info", "window_seconds")
    share = view.number("keyspace", "ttl_coverage")
    if gone and seconds and share:
        yield (
            f"{gone:.0f} keys expired over {seconds:.0f} s because of their time to live: {share:.0%} of the keys "
            "have one.",
            [("info", "expired_keys.delta"), ("keyspace", "ttl_coverage")],
        )


def _nothing_lost(view: View) -> Iterator[tuple[str, list[Cited]]]:
    evicted, keys = view.number("info", "evicted_keys"), view.number("keyspace", "keys")
    flushed = any(view.number("commandstats", f"{name}.calls") for name in ("flushall", "flushdb"))
    if evicted == 0 and keys and not flushed and view.number("commandstats", "commands"):
        yield (
            f"{keys:.0f} keys exist; nothing has been evicted or flushed since startup.",
            [("keyspace", "keys"), ("info", "evicted_keys"), ("commandstats", "commands")],
        )


def _old_entries(view: View) -> Iterator[tuple[str, list[Cited]]]:
    age, took = view.number("slowlog", "newest_age"), view.number("slowlog", "max_usec")
    if age is not None and took and age > OLD_ENTRY:
        yield (
            f"The slow log's newest entry is {age:.0f} s old (the slowest took "
            f"{took / 1000:.0f} ms), and there has been nothing since.",
            [("slowlog", "newest_age"), ("slowlog", "max_usec")],
        )


def _quick(view: View) -> Iterator[tuple[str, list[Cited]]]:
    median, slowest = view.number("latency_sample", "median_ms"), view.number("latency_sample", "max_ms")
    busy, pings = view.number("commandstats", "busy_share"), view.number("latency_sample", "answered")
    if median is not None and slowest is not None and busy is not None and pings:
        yield (
            f"Of {pings:.0f} PINGs, the median took {median:.2g} ms and the slowest "
            f"{slowest:.2g} ms, and commands take up "
            f"{busy:.1%} of the server's time.",
            [("latency_sample", "median_ms"), ("latency_sample", "max_ms"), ("commandstats", "busy_share")],
        )


def _few_errors(view: View) -> Iterator[tuple[str, list[Cited]]]:
    new, ever = (view.number("info", f"total_error_replies{part}") for part in (".delta", ""))
    if new == 0 and ever is not None:
        before = f"; {ever:.0f} since startup" if ever else ""
        yield (
            f"No call returned an error over the window{before}.",
            [("info", "total_error_replies.delta"), ("info", "total_error_replies")],
        )


def _linked(view: View) -> Iterator[tuple[str, list[Cited]]]:
    link, ago = view.text("replication", "master_link_status"), view.number("replication", "master_last_io_seconds_ago")
    if link == "up":
        heard = f", and last heard from it {ago:.0f} s ago" if ago is not None and ago >= 0 else ""
        yield (
            f"The replica is connected to its primary{heard}.",
            [("replication", "master_link_status"), ("replication", "master_last_io_seconds_ago")],
        )
    elif online := view.number("replication", "replicas_online"):
        are = "1 replica is" if online == 1 else f"{online:.0f} replicas are"
        yield f"{are} online at the primary.", [("replication", "replicas_online")]


def _whole_cluster(view: View) -> Iterator[tuple[str, list[Cited]]]:
    if view.text("cluster", "cluster_state") == "ok":
        slots = view.number("cluster", "cluster_slots_ok")
        serves = f", and {slots:.0f} slots are served" if slots is not None else ""
        yield (
            f"cluster_state is ok{serves}: every key is reachable now.",
            [("cluster", "cluster_state"), ("cluster", "cluster_slots_ok")],
        )


def _closed_door(view: View) -> Iterator[tuple[str, list[Cited]]]:
    bind = view.text("config_drift", "bind")
    if bind and all(LOOPBACK.fullmatch(address) for address in bind.split()):
        yield (
            (f"It listens only on loopback ({bind}): nobody can connect from another machine."),
            [("config_drift", "bind")],
        )
    elif view.get("config_drift", "password_set") is True:
        yield "The default user has a password.", [("config_drift", "password_set")]


def _group_exists(view: View) -> Iterator[tuple[str, list[Cited]]]:
    field = ("info", "errorstat_BUSYGROUP.count")
    if count := view.number(*field):
        yield f"BUSYGROUP, {count:.0f} times since startup, only means that a consumer's group exists already.", [field]


Explains = Callable[[View], Iterator[tuple[str, list[Cited]]]]


class _Question(NamedTuple):
    """Questions, by their words, and what may answer them, best first."""

    words: re.Pattern[str]
    answers: tuple[Explains, ...]


def _asks(pattern: str, *answers: Explains) -> _Question:
    return _Question(deferred(pattern, re.IGNORECASE), answers)


QUESTIONS = (
    _asks(r"busygroup|group name already exists", _group_exists),
    _asks(r"snapshot|bgsave|backup|\bfork|second process|two processes|child", _saving),
    _asks(r"misconf|can.t (store|write)|\bno write", _saved),
    _asks(r"fragment", _waste),
    _asks(r"evict|\bfull\b|at (its|the) limit|maxmemory|\boom\b|100 ?%|out of memory", _limit),
    _asks(r"blocked|\bjobs?\b|worker|queue|consumer", _waiting),
    _asks(r"number of clients|refused|reject|turned away|max ?clients|can.t connect|connect to", _let_in),
    _asks(r"connections\b|clients\b|pool|leak", _steady),
    _asks(r"expir|vanish|disappear", _expiring, _nothing_lost),
    _asks(r"missing|gone|lost|empty|logged out|lose|throw", _nothing_lost, _young, _expiring),
    _asks(r"hit ratio|misses|restart|reboot|doesn.t start", _young),
    _asks(r"memory|\brss\b", _saving, _limit, _waste),
    _asks(r"replica|slave|stale|in step|as it was", _linked),
    _asks(r"cluster|moved|slot|redirect", _whole_cluster),
    _asks(r"password|nobody wrote|expos|\bopen\b", _closed_door),
    _asks(r"noauth|wrongpass|authenticat|permission", _few_errors),
    _asks(r"slow|tim(e|es|ed|ing)[- ]?out|latenc|p9\d|spike|stall|freez|peak|waves|longer|doubled|busy|too large",
          _saving, _quick, _old_entries),
    _asks(r"error|exception|fail", _few_errors, _quick),
)  # fmt: skip
"""In order, the most specific question first."""


def benign(views: Sequence[View]) -> tuple[Benign, ...]:
    """What was read at the named node, or at the first with something to say, that answers the report's question."""
    found: dict[str, Benign] = {}
    asked = [question for question in QUESTIONS if views and question.words.search(views[0].symptom)]
    for explain in dict.fromkeys(one for question in asked for one in question.answers):
        for view in views:
            if explain.__name__ not in found:
                for what, cited in explain(view):
                    found[explain.__name__] = Benign(what=what, evidence=view.cite(*cited))
    return tuple(found.values())[:SHOWN]
