"""What a machine's own tools suggest where only their output was pasted, beside an error or a report."""

import ipaddress

from agent.checks.types import Family, Found, Limits
from agent.checks.words import REFUSED
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

HINT = 0.45
"""Below 50 %: a machine's figures don't say whose pages and writes they are, nor a file what is configured now."""
SCARCE, SWAPPED = 0.05, 256 * 2**20
WAITS = 0.2
"""Share of the processors' time that waits for a disk."""
SCHEDULED_MS = 10.0
"""A processor that runs nothing else doesn't pause a program for this long."""
WHOLE = frozenset(("keys", "smembers", "hgetall", "lrange", "zrange", "sort", "sunion", "sinter", "hvals", "hkeys"))
"""Commands whose cost grows with what they go through."""
WATCHED_LEAST = 3
_AOF_FULL = deferred(r"MISCONF Errors writing to the AOF file: No space left on device")
_WATCHED = deferred(
    r"MONITOR shows (?P<total>\d{1,9}) commands over [\d.]{1,12} s: (?P<often>\d{1,9}) (?P<top>[A-Z]{3,12})\b"
)
_ALWAYS = deferred(r"appendfsync[\s\"'`=:]{1,9}(?:is |set to )?[\"'`]?always")
_RDB = deferred(r"MISCONF (?:Redis|Valkey) is configured to save")


def disk_full(view: View, limits: Limits) -> Found:
    """The server's own error names the disk, or a full disk stands beside its refusal to write."""
    share, told = view.number("disk", "dir_used_share"), mention(_AOF_FULL, view.symptom)
    if view.get("persistence", "aof_last_write_status") is not None or view.unavailable("process") != "not-pasted":
        return
    full = share is not None and share >= limits["disk_used_share"]
    beside: tuple[Cited, ...] = (("disk", "dir_used_share"), ("disk", "dir_free_bytes")) if full else ()
    where = f", and {share:.0%} of its file system is used" if full and share is not None else ""
    if told is not None:
        why = f"The server's own error says that the append-only file can't be written for lack of space{where}."
        yield view.cause("aof-disk-full", 0.9 if full else 0.8, why, ("symptom", "text"), *beside)
    elif full and mention(_RDB, view.symptom) is not None and view.get("persistence", "rdb_last_bgsave_status") is None:
        why = f"The server refuses writes because it couldn't save{where}."
        yield view.cause("bgsave-disk-full", 0.8, why, ("symptom", "text"), *beside)


def short_of_memory(view: View, limits: Limits) -> Found:
    """Hardly any memory is left on the machine, and much was moved to swap."""
    total, left = view.number("machine", "memory_total_bytes"), view.number("machine", "memory_available_bytes")
    swapped, waits = view.number("machine", "swap_used_bytes"), view.number("machine", "cpu_iowait_share")
    if view.unavailable("machine") != "not-pasted" or view.number("process", "swap_bytes") is not None:
        return
    if not total or left is None or swapped is None or left > SCARCE * total or swapped < SWAPPED:
        return
    why = f"{swapped / 2**20:,.0f} MiB of the machine's memory is in swap, and {left / 2**20:,.0f} MiB is left"
    why += f"; its processors wait for a disk {waits:.0%} of the time" if waits and waits >= WAITS else ""
    why += ": whether it's the server's memory, its /proc/PID/status says (VmSwap)."
    yield view.cause(
        "swapping", HINT, why, ("machine", "swap_used_bytes"), ("machine", "memory_available_bytes"),
        *((("machine", "cpu_iowait_share"),) if waits and waits >= WAITS else ()),
    )  # fmt: skip


def slow_disk(view: View, limits: Limits) -> Found:
    """The machine waits for its disk, and the server for each write to it."""
    waits = view.number("machine", "cpu_iowait_share")
    always = mention(_ALWAYS, view.symptom) is not None and view.number("persistence", "aof_enabled") == 1
    if view.unavailable("machine") != "not-pasted" or waits is None or waits < WAITS or not always:
        return
    why = f"The machine's processors wait for a disk {waits:.0%} of the time, and by the report appendfsync is always: "
    why += "each write waits for the disk."
    cited = ("machine", "cpu_iowait_share"), ("persistence", "aof_enabled"), ("symptom", "text")
    yield view.cause("fsync-always-slow", HINT, why, *cited)


def only_inside(view: View, limits: Limits) -> Found:
    """Somebody is refused, and the server listens on its own machine's addresses only."""
    if mention(REFUSED, view.symptom) is None or view.unavailable("process") != "not-pasted":
        return
    for cited in (("sockets", "listens_at"), ("config_drift", "bind")):
        named = [one.removeprefix("-") for one in view.text(*cited).split()]
        if named and all(map(_is_loopback, named)):
            why = f"It listens only at {', '.join(named)}: clients on any other machine are refused."
            yield view.cause("bound-elsewhere", HINT, why, ("symptom", "text"), cited)
            return


def too_many_votes(view: View, limits: Limits) -> Found:
    """By a sentinel's own file more sentinels have to agree than it knows of."""
    quorum, known = view.number("config_drift", "sentinel.quorum"), view.number("config_drift", "sentinel.known")
    if quorum is None or known is None or quorum <= known + 1 or view.last("sentinel") is not None:
        return
    why = f"Of {known + 1:.0f} sentinels that the file names, itself included, {quorum:.0f} would have to agree that "
    why += "the primary is down: they never will, so that no failover begins."
    cited = ("config_drift", "sentinel.quorum"), ("config_drift", "sentinel.known")
    yield view.cause("sentinel-noquorum", HINT, why, *cited)


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return text == "localhost"


def paused(view: View, limits: Limits) -> Found:
    """`redis-cli --intrinsic-latency`, which asks no server, was itself kept from running."""
    worst = view.number("latency_sample", "intrinsic_max_ms")
    if worst is None or worst < SCHEDULED_MS:
        return
    why = f"A program that only counted was kept from running for {worst:.0f} ms: the machine, or the host that it "
    why += "runs on, gives its processors to others. No server was asked."
    yield view.cause("outside-redis", HINT, why, ("latency_sample", "intrinsic_max_ms"))


def watched(view: View, limits: Limits) -> Found:
    """MONITOR's lines are mostly of a command that goes through all keys, or all of one."""
    told = mention(_WATCHED, view.symptom)
    if told is None or told["top"].lower() not in WHOLE or int(told["often"]) < WATCHED_LEAST:
        return
    why = f"{told['often']} of the {told['total']} commands that MONITOR shows are {told['top']}, which takes the "
    why += "longer the more there is; how long, SLOWLOG says."
    yield view.cause("slow-on-command", HINT, why, ("symptom", "text"))


FAMILY = Family(checks=(watched, disk_full, short_of_memory, slow_disk, only_inside, paused, too_many_votes), needs={})
