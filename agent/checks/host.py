"""The machine and network under the server: lost packets, a full link, huge pages."""

import re
from typing import Literal

from agent.checks.cpu import main_thread_share
from agent.checks.types import Family, Found, Limits
from agent.checks.versus_baseline import against
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

STEPS = ((190, 240), (390, 460), (590, 720), (790, 920), (1290, 1500))
"""Milliseconds above the median at which a lost packet is retransmitted: TCP's least timeout is 200 ms, then it
doubles."""
LATE = 100.0
"""Milliseconds above the median at which a PING counts as late."""
BULK_WORDS = deferred(
    r"\b(large|big|huge|bulk\w*|megabytes?|mb|pages?|throughput|bandwidth|mbit\w*|gbit\w*|images?|blobs?|payloads?)\b",
    re.IGNORECASE,
)
"""Words with which people report that large values are slow."""
SAVE_WORDS = deferred(
    r"\b(memory|rss|save|snapshot|bgsave|fork|rewrite|latency|spikes?|copy.on.write|oom)\b", re.IGNORECASE
)


def _quiet(view: View, limits: Limits) -> bool:
    """Whether the server itself shows no long work, neither now nor in the last minutes."""
    busy, share = view.number("commandstats", "busy_share"), main_thread_share(view)
    if busy is None or busy > limits["idle_busy_share"] or (share or 0) > 0.7:
        return False
    age = view.number("slowlog", "newest_age")
    slow = (view.number("slowlog", "max_usec") or 0) >= limits["slow_command_usec"]
    return not (slow and age is not None and age <= 60)


def late(view: View) -> tuple[int, int, int]:
    """PINGs of the sample, the late ones, and among these the ones late by a TCP timeout."""
    median = view.number("latency_sample", "median_ms") or 0
    took = [float(word) - median for word in view.text("latency_sample", "series_ms").split()]
    behind = [value for value in took if value >= LATE]
    stepped = [value for value in behind if any(low <= value <= high for low, high in STEPS)]
    return len(took), len(behind), len(stepped)


def packet_loss(view: View, limits: Limits) -> Found:
    """Most PINGs are fast, and single ones are 200 or 400 ms late: the time after which TCP retransmits."""
    pings, behind, stepped = late(view)
    median, answered = view.number("latency_sample", "median_ms"), view.number("latency_sample", "answered")
    if not pings or median is None or not answered:
        return
    cited: tuple[Cited, ...] = (
        ("latency_sample", "series_ms"), ("latency_sample", "median_ms"), ("latency_sample", "p95_ms"),
        ("latency_sample", "max_ms"), ("commandstats", "busy_share"), ("slowlog", "max_usec"),
        ("sockets", "TCPRetransSegs.delta"), ("sockets", "retransmitting"),
    )  # fmt: skip
    if here(view):
        # Requests from here cross no network; what the server sends to others may.
        yield from _dropped(view, limits)
        yield from _sent_again(view)
        return
    if not stepped or behind > pings / 2 or stepped < behind / 2:
        if not behind:
            because = (
                f"No PING was late by a TCP time-out; the slowest took {view.text('latency_sample', 'max_ms')} ms."
            )
            yield view.not_("packet-loss", because, ("latency_sample", "max_ms"))
        return
    if not _quiet(view, limits):
        return
    why = (
        f"{stepped} of {pings} PINGs were late by 200 ms or a multiple, as when "
        "TCP retransmits, while half took at most "
    )
    why += f"{median:.1f} ms; the server has no slow commands."
    yield view.cause("packet-loss", 0.92 if stepped >= 3 else 0.7 if stepped == 2 else 0.45, why, *cited)


def here(view: View) -> bool:
    """Whether the server runs on the machine from which it's asked."""
    return view.text("process", "locality") == "local"


def own_delay(view: View, which: Literal["p95", "max"]) -> float:
    """Milliseconds that this program itself waited for a processor, if the server shares them; else 0."""
    return (view.number("latency_sample", f"own_delay_{which}_ms") or 0) if here(view) else 0.0


def _dropped(view: View, limits: Limits) -> Found:
    """The machine's own firewall drops packets, because its table of connections is full."""
    age = view.number("kernel_log", "conntrack_full.newest_age")
    if age is not None and age <= limits["conntrack_full_seconds"]:
        why = f"The kernel dropped packets {age:.0f} s ago because its table of connections (nf_conntrack) is full."
        cited = ("kernel_log", "conntrack_full.newest_age"), ("kernel_log", "conntrack_full.count")
        yield view.cause("packet-loss", 0.85, f"{why} New connections to this machine are affected first.", *cited)


def _sent_again(view: View) -> Found:
    """What the server's machine had to retransmit to clients elsewhere."""
    again, out = view.number("sockets", "TCPRetransSegs.delta"), view.number("sockets", "TCPOutSegs.delta")
    waiting = view.number("sockets", "retransmitting") or 0
    cited = ("sockets", "TCPRetransSegs.delta"), ("sockets", "TCPOutSegs.delta"), ("sockets", "retransmitting")
    if again == 0:
        yield view.not_("packet-loss", "The server's machine retransmitted no segments.", *cited)
    elif again and out and again >= 5 and again >= 0.01 * out and waiting >= 2:
        why = f"{again:.0f} of {out:.0f} segments of this machine were retransmitted over the window, and {waiting:.0f}"
        why += " of the server's connections are waiting for an overdue acknowledgement."
        words = re.search(r"p99|\b[246]00 ?ms|retrans|loss|lost|single|now and then", view.symptom, re.IGNORECASE)
        yield view.cause("packet-loss", 0.6 if words else 0.4, why, *cited)


@against("output_kbps")
def bandwidth(view: View, limits: Limits) -> Found:
    """Large replies fill the link: PINGs wait behind them or get lost, and the server is idle."""
    sent = view.number("info", "total_net_output_bytes.rate")
    commands = view.number("info", "total_commands_processed.rate")
    fastest, share = view.number("latency_sample", "min_ms"), view.number("latency_sample", "over_10ms_share")
    if sent is None or commands is None or fastest is None or share is None:
        return
    # What replicas are sent isn't a reply to anybody.
    followed = view.number("replication", "connected_slaves") or 0
    sent = max(0.0, sent - followed * (view.number("replication", "master_repl_offset.rate") or 0))
    each = sent / max(commands, 1.0)
    cited: tuple[Cited, ...] = (
        ("info", "total_net_output_bytes.rate"), ("info", "total_commands_processed.rate"),
        ("info", "instantaneous_output_kbps"), ("latency_sample", "min_ms"), ("latency_sample", "over_10ms_share"),
        ("latency_sample", "p95_ms"), ("commandstats", "busy_share"), ("slowlog", "max_usec"),
    )  # fmt: skip
    if each < limits["bulk_reply_bytes"] or sent < limits["bulk_output_bytes"]:
        if commands < 1:
            # Clients that ask for nothing within the window show nothing about the replies.
            return
        because = f"Replies are small ({each:.0f} bytes each, {sent / 1000:.0f} kB a second)."
        yield view.not_("bandwidth-cap", because, *cited[:2])
        return
    _, behind, stepped = late(view)
    starved = (view.number("process", "main_wait_share") or 0) > 0.2
    throttled = (view.number("process", "cgroup_nr_throttled.delta") or 0) > 0
    if not _quiet(view, limits) or starved or throttled:
        return
    why = f"{sent / 1000:.0f} kB a second leave the server, {each / 1000:.0f} kB per command"
    if size := view.number("large_commands", "reply.bytes"):
        on = view.text("large_commands", "reply.key")
        why += f" (the largest {size / 1e6:.1f} MB, {view.text('large_commands', 'reply.command')} on {on or 'no key'})"
        cited = (*cited, ("large_commands", "reply.bytes"), ("large_commands", "reply.command"))
    words = mention(BULK_WORDS, view.symptom) is not None
    # On the server's own machine no PING waits behind outgoing data.
    queued = not here(view) and share >= 0.2 and (view.number("latency_sample", "p95_ms") or 0) >= 4 * fastest
    if queued and stepped <= behind / 2 + 1:
        why += (
            f"; the fastest PING takes {fastest:.1f} ms, {share:.0%} wait behind these replies, and the server is idle."
        )
        yield view.cause("bandwidth-cap", 0.9 if words else 0.82, why, *cited)
    elif _flat(view):
        # Merely steady traffic looks the same, unless much of it waits in the kernel.
        waits = (view.number("sockets", "unacked_bytes") or 0) >= limits["bulk_output_bytes"] and here(view)
        why += ", at a steady rate over the window, while the server is idle: the rate may be the link's limit."
        likely = 0.75 if waits else 0.45
        cited = (*cited, ("sockets", "unacked_bytes"))
        yield view.cause("bandwidth-cap", likely if words else likely - 0.15, why, *cited)


def _flat(view: View) -> bool:
    """Whether the output stayed at one rate: before, after and on average."""
    after = view.number("info", "instantaneous_output_kbps") or 0
    before = after - (view.number("info", "instantaneous_output_kbps.delta") or 0)
    mean = (view.number("info", "total_net_output_bytes.rate") or 0) / 1024
    return after > 0 and abs(after - before) <= 0.1 * after and abs(mean - after) <= 0.15 * after


def huge_pages(view: View, limits: Limits) -> Found:
    """Huge pages in the process's memory: each write after a fork copies 2 MiB instead of 4 KiB."""
    pages, rss = view.number("process", "smaps_AnonHugePages_bytes"), view.number("process", "rss_bytes")
    cited: tuple[Cited, ...] = (
        ("process", "smaps_AnonHugePages_bytes"), ("process", "rss_bytes"), ("process", "thp_enabled"),
        ("machine", "transparent_hugepage"), ("persistence", "rdb_last_cow_size"), ("info", "latest_fork_usec"),
    )  # fmt: skip
    if pages is None or not rss:
        return
    share = pages / rss
    if pages < limits["huge_pages_bytes"] or share < limits["huge_pages_share"]:
        yield view.not_("thp", f"{pages / 2**20:.0f} MiB of the server's memory is in huge pages.", *cited[:4])
        return
    copied = view.number("persistence", "rdb_last_cow_size") or view.number("info", "rdb_last_cow_size") or 0
    felt = copied >= 0.3 * rss or (view.number("info", "latest_fork_usec") or 0) >= 100_000
    why = f"{share:.0%} of the server's memory ({pages / 2**20:.0f} MiB) is in transparent huge pages"
    why += ", and the last save copied much of it." if felt else "."
    words = mention(SAVE_WORDS, view.symptom) is not None
    yield view.cause("thp", 0.75 if felt and words else 0.6 if felt else 0.4, why, *cited)


FAMILY = Family(
    checks=(packet_loss, bandwidth, huge_pages),
    needs={
        "packet-loss": ("machine",), "bandwidth-cap": (), "thp": (),
    },
    consequences={
        "bandwidth-cap": {"path-latency": 0.4, "packet-loss": 0.4, "slow-consumer-output": 0.5},
        "packet-loss": {
            "bandwidth-cap": 0.5, "path-latency": 0.5, "idle-drop-by-network": 0.6, "connection-churn": 0.7,
        },
        "process-frozen": {"packet-loss": 0.3},
        "client-paused": {"packet-loss": 0.3},
        "slow-on-command": {"packet-loss": 0.3, "bandwidth-cap": 0.4},
        "cpu-throttled": {"packet-loss": 0.4, "bandwidth-cap": 0.4},
    },
)  # fmt: skip
