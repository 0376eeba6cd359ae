"""What will go wrong unless somebody acts, judged from one node's readings.

Nothing here is an incident, and what is by design isn't reported: a cache that evicts, a server without persistence.
"""

from collections.abc import Callable, Iterator

from agent.checks.certificates import is_late, known_ends
from agent.checks.complaints.limits import PAIRS
from agent.checks.container import ROOM, limit_of
from agent.checks.filling import until_full, until_gone
from agent.checks.known_versions import CRASH, faults_of
from agent.checks.limits_reached import over
from agent.evidence.view import Cited, View
from agent.fleet.records import Preventive
from agent.report.quantities import bytes_text, seconds_text

DAY = 86_400.0
NEARLY = 0.8
"""Share of a hard limit."""
NEARLY_FULL = 0.85
"""Share of maxmemory if nothing may be evicted, and of the disk that holds the data."""
HORIZON = 14 * DAY
"""How far ahead, in seconds, growth over hours can be extrapolated."""
SUDDEN = 600.0
"""Seconds until memory is full at the rate of a few seconds, up to which that counts whatever the last hours say."""
SOON = DAY
CERTIFICATE, UNKNOWN_LIFE = 30 * DAY, 14 * DAY
"""Seconds before its end from which a certificate is late, and of one whose lifetime isn't known: many are renewed
when a third of 90 days is left."""
MISSED = 2
"""Multiple of a save point's seconds after which it counts as missed."""
BACKUP = 3 * DAY
"""Age of the last snapshot if somebody else triggers them, for example cron."""
HABIT = 3
"""Snapshots by somebody else that are a habit."""
BRIDGED = 10.0
"""Seconds of a replica's absence that the backlog should cover at least: a reconnect, a short restart."""
WORTH_BRIDGING = 128 * 2**20
"""Bytes of data below which a full resync takes a second: many caches run with the default backlog."""
ROOMY = 10 * 2**30
"""Free bytes of a disk that are enough for a small server, whatever share of a large disk that is."""
PART = 0.3
"""Share of the machine's memory from which its growth can be extrapolated over hours."""
EXPIRING = 0.9
"""Share of the new keys that expire by themselves, from which they are a cache."""
DATABASES = 16
DANGEROUS = (CRASH, "process-frozen")
"""What a known fault has to lead to; other known faults are mentioned where they occur."""


def preventive(view: View, growth: float | None = None) -> list[Preventive]:
    """All findings for a node, most urgent first.

    `growth` is its memory growth over the last hours in bytes per second, if known.
    """
    found = [one for check in CHECKS for one in check(view)]
    if growth is not None and view.number("memory", "maxmemory"):
        # Hours say more than seconds do, except of what has only just begun and is nearly over.
        found = [one for one in found if one.id != "memory-fills-up" or (one.seconds or 0) <= SUDDEN]
    if not any(one.id == "memory-fills-up" for one in found):
        found += _fills_up_slowly(view, growth)
    return sorted(found, key=lambda one: one.order)


def nearest_limit(view: View) -> tuple[float, str]:
    """The limit a node is closest to: the share in use, and the words for it; empty if no limit was read."""
    shares: list[tuple[float, str]] = []
    if (share := over(view)) is not None and not _evicts(view):
        shares.append((share, "maxmemory"))
    for has, most, what in PAIRS[:2]:
        used, limit = view.number(*has), view.number(*most)
        if used is not None and limit:
            shares.append((used / limit, "maxclients" if what == "clients" else what))
    share, what = max(shares, default=(0.0, ""))
    return share, f"{share:.0%} of {what}" if what else ""


def _evicts(view: View) -> bool:
    policy = view.text("memory", "maxmemory_policy")
    return policy.startswith("allkeys") or (policy.startswith("volatile") and bool(view.number("keyspace", "expires")))


def _found(view: View, id: str, what: str, rank: int, *cited: Cited, seconds: float | None = None) -> Preventive:
    return Preventive(id=id, what=what, node=view.node, seconds=seconds, rank=rank, evidence=view.cite(*cited))


def _memory(view: View) -> Iterator[Preventive]:
    """Memory that is filling up or nearly full, with nothing to evict."""
    grows = ("memory", "used_memory.delta"), ("memory", "maxmemory_used_share")
    if (left := until_full(view)) is not None and not _expires_before(view, left):
        what = f"memory full in {seconds_text(left)} at this rate"
        yield _found(view, "memory-fills-up", what, 1, *grows, seconds=left)
    elif (left := until_gone(view)) is not None and _is_kept(view):
        what = f"machine's memory used up in {seconds_text(left)} at this rate"
        cited = ("memory", "used_memory.delta"), ("machine", "memory_available_bytes")
        yield _found(view, "memory-fills-up", what, 1, *cited, seconds=left)
    share = over(view)
    if share is not None and share >= NEARLY_FULL and not _evicts(view):
        what = f"{share:.0%} of maxmemory, and nothing may be evicted"
        cited = ("memory", "maxmemory_used_share"), ("memory", "maxmemory_policy")
        yield _found(view, "memory-nearly-full", what, 2, *cited)
    container, most = limit_of(view), view.number("memory", "maxmemory")
    if container and most and most > ROOM * container[0]:
        limit, shown = container
        what = f"maxmemory {bytes_text(most)} is above its container's {bytes_text(limit)}"
        if most <= limit:
            what = (
                f"maxmemory {bytes_text(most)} is {most / limit:.0%} of its container's {bytes_text(limit)}: little is "
                "left for a save's copies"
            )
        if most > limit or _saves(view):
            yield _found(view, "maxmemory-above-container", what, 3, ("memory", "maxmemory"), shown)


def _saves(view: View) -> bool:
    """Whether it forks: for a snapshot, for a rewrite of the append-only file, or for a replica."""
    keeps = view.text("persistence", "config.save") or view.text("persistence", "config.appendonly") == "yes"
    return bool(keeps or view.number("info", "connected_slaves"))


def _expires_before(view: View, left: float) -> bool:
    """Whether what comes in is gone again by then: a cache that warms up grows only until its first keys expire."""
    came, expiring = view.number("keyspace", "keys.delta"), view.number("keyspace", "expires.delta")
    if not came or came <= 0 or (expiring or 0) < EXPIRING * came:
        return False
    lives = [view.number("keyspace", f"db{number}.avg_ttl") for number in range(DATABASES)]
    longest = max((one for one in lives if one), default=0.0) / 1000
    return 0 < longest < left


def _is_kept(view: View) -> bool:
    """Whether growth without a limit is the data's own and already a good part of the machine's memory: the first
    seconds of a small server's work say nothing about hours."""
    grown, data = view.number("memory", "used_memory.delta"), view.number("memory", "used_memory_dataset.delta")
    used, free = view.number("memory", "used_memory"), view.number("machine", "memory_available_bytes")
    limit = view.number("process", "cgroup_memory_limit")
    left = until_gone(view)
    if not grown or not used or left is None or (data or 0) < grown / 2 or _expires_before(view, left):
        return False
    room = min(one for one in (used + free if free is not None else None, limit, float("inf")) if one)
    return used >= PART * room


def _fills_up_slowly(view: View, growth: float | None) -> Iterator[Preventive]:
    used, limit = view.number("memory", "used_memory"), view.number("memory", "maxmemory")
    if not growth or growth <= 0 or not limit or used is None or used >= limit or _evicts(view) or over(view) is None:
        return
    left = (limit - used) / growth
    if left <= HORIZON:
        what = f"memory full in {seconds_text(left)} at the rate of the last hours"
        cited = ("memory", "used_memory"), ("memory", "maxmemory"), ("memory", "maxmemory_used_share")
        yield _found(view, "memory-fills-up", what, 1 if left <= SOON else 2, *cited, seconds=left)


def _limits(view: View) -> Iterator[Preventive]:
    """Clients, files and processes close to their limits."""
    ids = {"clients": "clients-nearly-full", "open files": "files-nearly-full"}
    for has, most, what in PAIRS:
        used, limit = view.number(*has), view.number(*most)
        if used and limit and used >= NEARLY * limit:
            of = "maxclients" if what == "clients" else f"the limit of {what}"
            told = f"{used / limit:.0%} of {of} ({used:.0f} of {limit:.0f})"
            yield _found(view, ids.get(what, "processes-nearly-full"), told, 2, has, most)


def _certificate(view: View) -> Iterator[Preventive]:
    """A certificate that should have been renewed; an expired one is an incident."""
    for left, whose, cited in known_ends(view):
        known = cited[0][0] == "connect" and view.number(*cited[1])
        if 0 < left <= (CERTIFICATE if known else UNKNOWN_LIFE) and is_late(view, left, cited):
            subject = "client certificate" if " client " in whose else "CA certificate" if " ca " in whose else (
                "certificate"
            )  # fmt: skip
            what = f"{subject} expires in {seconds_text(left)}"
            yield _found(view, "certificate-expires", what, 1 if left <= SOON else 2, *cited, seconds=left)
            return


def _backup(view: View) -> Iterator[Preventive]:
    """An overdue snapshot, on servers where snapshots are made at all."""
    age, changes = view.number("persistence", "rdb_last_save_age"), view.number(
        "persistence", "rdb_changes_since_last_save"
    )  # fmt: skip
    if not age or not changes or age < DAY or view.number("persistence", "rdb_bgsave_in_progress"):
        return
    points = list(_save_points(view.text("persistence", "config.save")))
    missed = any(changes >= least and age >= MISSED * seconds for seconds, least in points)
    if missed or (not points and _stopped_by_hand(view, age)):
        cited = ("persistence", "rdb_last_save_age"), ("persistence", "rdb_changes_since_last_save")
        what = f"no backup for {seconds_text(age)}, {changes:,.0f} changes since"
        yield _found(view, "backup-overdue", what, 2, *cited)


def _stopped_by_hand(view: View, age: float) -> bool:
    """Whether somebody else made snapshots again and again, and stopped: a single one is no habit."""
    saves, uptime = view.number("persistence", "rdb_saves"), view.number("info", "uptime_in_seconds")
    if not saves or not uptime or age < BACKUP:
        return False
    # A disk-based full sync for a replica also counts as a save.
    copies = 0.0 if view.text("persistence", "config.repl-diskless-sync") == "yes" else view.number("info", "sync_full")
    made = saves - (copies or 0)
    return made >= HABIT and age >= MISSED * (uptime - age) / made


def _save_points(text: str) -> Iterator[tuple[float, float]]:
    """The seconds and changes of each save point, as in "3600 1 300 100"."""
    words = text.split()
    if len(words) % 2 == 0 and all(word.isdecimal() and len(word) < 12 for word in words):
        yield from zip(map(float, words[::2]), map(float, words[1::2]), strict=True)


def _backlog(view: View) -> Iterator[Preventive]:
    """A backlog so short that even a brief interruption forces a full resync."""
    bridged, used = view.number("replication", "backlog_seconds"), view.number("memory", "used_memory")
    is_small = used is not None and used < WORTH_BRIDGING
    if bridged is not None and bridged < BRIDGED and view.number("replication", "replicas_online") and not is_small:
        what = f"replication backlog holds {seconds_text(bridged)}"
        cited = ("replication", "backlog_seconds"), ("replication", "repl_backlog_size")
        yield _found(view, "backlog-short", what, 3, *cited)


def _disk(view: View) -> Iterator[Preventive]:
    """A nearly full data disk, on servers that save anything."""
    share = view.number("disk", "dir_used_share")
    saves = view.text("persistence", "config.save") or view.text("persistence", "config.appendonly") == "yes"
    if share is not None and share >= NEARLY_FULL and saves:
        free, used = view.number("disk", "dir_free_bytes") or 0, view.number("memory", "used_memory") or 0
        what = f"the disk it saves to is {share:.0%} full, {bytes_text(free)} free"
        # The rest of a large disk may still be plenty.
        if (share >= 0.95 and free < max(ROOMY, 10 * used)) or free < 3 * used:
            yield _found(view, "disk-nearly-full", what, 2, ("disk", "dir_used_share"), ("disk", "dir_free_bytes"))


def _version(view: View) -> Iterator[Preventive]:
    """A version with a known crash or hang that a newer version fixes."""
    bad = [(version, one) for version, one in faults_of(view) if one.fixed and set(one.causes) & set(DANGEROUS)]
    if bad:
        version, one = bad[0]
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        fixed = max((each.fixed or "" for _, each in bad), key=lambda text: [int(part) for part in text.split(".")])
        what = f"known bad version {version}, fixed in {fixed}: {one.what}{more}"
        yield _found(view, "version-known-bad", what, 3, ("info", f"{version.split()[0]}_version"))


CHECKS: tuple[Callable[[View], Iterator[Preventive]], ...] = (
    _memory, _limits, _certificate, _backup, _backlog, _disk, _version,
)  # fmt: skip
