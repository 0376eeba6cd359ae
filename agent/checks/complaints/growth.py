"""What grows although it should come and go, and what is kept unused."""

import re
from collections.abc import Iterator

from agent.checks.backlog import behind_seconds
from agent.checks.complaints.complaint import MIB, Complaint, complaint
from agent.checks.filling import inside_keys, until_full_words
from agent.checks.growth import POPS, PUSHES, called
from agent.checks.holders import bound_of, largest_key, main_writer
from agent.checks.senders import sender
from agent.checks.settings import speaks_of_settings
from agent.checks.types import Limits
from agent.checks.words import JOBS_LOST, MEMORY
from agent.evidence.report_words import mention
from agent.evidence.view import View

KEYS = 100
"""Fewest new keys over the window for their kind to be judged."""
SCRIPTS = 5
ENTRIES, MORE_ENTRIES = 1000, 10
TRACKED, CONSUMERS = 50_000, 500
BEHIND_SECONDS = 300.0
WASTE, WASTE_RATIO = 100 * MIB, 1.5
MISSES = 0.5
KEEPS_UP = 0.9
"""Elements taken for each that is pushed, from which on a queue is at work."""
LOOKUPS = 20
MOVES, DONE = (
    ("lmove", "blmove", "rpoplpush", "brpoplpush"),
    ("lrem", "lpop", "rpop", "blpop", "brpop", "ltrim", "lmpop"),
)
"""Commands that move an element from list to list, and those that take one out for good."""
MOVED = 10
"""Fewest moves over the window to be judged."""
FEW_DONE = 0.1
"""Elements taken out for each that is moved, below which they may as well be another list's."""


def growth(view: View, limits: Limits) -> Iterator[Complaint]:
    """Keys, scripts, streams, memory; and settings that a restart would revert, if the report is about that."""
    keys, expires = view.number("keyspace", "keys.delta"), view.number("keyspace", "expires.delta")
    without = keys - expires if keys is not None and expires is not None else 0
    if keys and keys >= KEYS and without >= 0.8 * keys and view.number("keyspace", "expires"):
        yield complaint(
            f"{without:.0f} more keys have no TTL, while others have one",
            ("keyspace", "keys.delta"),
            figures=("kept_keys_per_second",),
        )
    if (scripts := view.number("memory", "number_of_cached_scripts.delta") or 0) >= SCRIPTS:
        yield complaint(f"{scripts:.0f} more scripts are cached", ("memory", "number_of_cached_scripts.delta"))
    yield from _streams(view)
    yield from _unclaimed(view)
    yield from _kept_by_workers(view)
    rate, writer = inside_keys(view), main_writer(view)
    if rate and writer and mention(MEMORY, view.symptom) and not _a_queue_at_work(view, writer):
        by = f", mostly written by {writer}"
        largest = f"; the largest of the sampled keys is {found}" if (found := largest_key(view)) else ""
        yield complaint(
            f"the data grows by {rate / 1024:.0f} KiB a second inside existing keys{by}{largest}"
            f"{until_full_words(view).rstrip('.').replace(' At', '; at', 1).replace(' There', '; there', 1)}"
            f"; {bound_of(view)}",
            ("memory", "used_memory_dataset.delta"), ("keyspace", "keys.delta"),
        )  # fmt: skip
    evicted, ratio = view.number("keyspace", "evicted_keys.delta"), view.number("keyspace", "hit_ratio")
    if evicted and ratio is not None and ratio <= 1 - MISSES:
        yield complaint(
            f"{evicted:.0f} keys were evicted over the window, and {1 - ratio:.0%} of the lookups miss",
            ("keyspace", "evicted_keys.delta"), ("keyspace", "hit_ratio"), figures=("evicted_per_second", "hit_ratio"),
        )  # fmt: skip
    misses = view.number("keyspace", "keyspace_misses.delta") or 0
    written = view.number("commandstats", "writes.calls.delta")
    # A cache is written to by clients that missed something.
    if misses >= LOOKUPS and ratio == 0 and written == 0:
        keys_ = view.number("keyspace", "keys") or 0
        yield complaint(
            f"all {misses:.0f} lookups of the window missed among {keys_:.0f} keys, and nobody writes one",
            ("keyspace", "keyspace_misses.delta"), ("keyspace", "keys"), ("commandstats", "writes.calls.delta"),
        )  # fmt: skip
    rss, used = view.number("memory", "used_memory_rss"), view.number("memory", "used_memory")
    if rss and used and rss - used >= WASTE and rss >= WASTE_RATIO * used:
        yield complaint(
            f"{(rss - used) / MIB:.0f} MiB is resident but not in use",
            ("memory", "used_memory_rss"), ("memory", "used_memory"),
        )  # fmt: skip
    given = view.number("config_drift", "set_calls") == 0 or view.get("config_drift", "from_arguments") is True
    given = given and view.get("config_drift", "file_edited") is not True
    drifted = 0.0 if given else view.number("config_drift", "drifted") or 0
    if drifted > 0 and speaks_of_settings(view.symptom):
        yield complaint(f"{drifted:.0f} settings differ from the file", ("config_drift", "drifted"))


def _kept_by_workers(view: View) -> Iterator[Complaint]:
    """Jobs that workers move to a list of their own and never take out of it, where work is said to be lost."""
    moved = sum(view.number("commandstats", f"{name}.calls.delta") or 0 for name in MOVES)
    done = sum(view.number("commandstats", f"{name}.calls.delta") or 0 for name in DONE)
    if moved < MOVED or done >= FEW_DONE * moved or mention(JOBS_LOST, view.symptom) is None:
        return
    most = max(MOVES, key=lambda name: view.number("commandstats", f"{name}.calls.delta") or 0)
    who = sender(view, most)
    yield complaint(
        f"{moved:.0f} jobs were moved to another list over the window{f' by {who}' if who else ''} ({most.upper()})"
        ", and hardly any was taken out of one (LREM, LPOP, RPOP): they stay with the workers; whoever removes a job"
        " that is done, or puts back what a dead worker left, doesn't do it", ("commandstats", f"{most}.calls.delta"),
    )  # fmt: skip


def _a_queue_at_work(view: View, writer: str) -> bool:
    """Whether what grows is pushed to lists that are all short, or popped as fast: a burst that workers will take."""
    if not writer.startswith(("LPUSH", "RPUSH")):
        return False
    taken, pushed = called(view, (*POPS, "ltrim")) or 0, called(view, PUSHES) or 0
    lengths = [row.get("length") for row in view.rows("lists", "l").values()]
    short = bool(lengths) and all(isinstance(length, int) and length < ENTRIES for length in lengths)
    return short or taken >= KEEPS_UP * pushed


def _unclaimed(view: View) -> Iterator[Complaint]:
    """What is kept for clients that don't fetch it: list elements, cache interests, consumer names."""
    seconds = view.number("lists", "window_seconds") or 2.0
    for number, row in view.rows("lists", "l").items():
        length, more = row.get("length"), row.get("length.delta")
        if isinstance(length, int) and isinstance(more, int) and length >= ENTRIES and more / seconds >= MORE_ENTRIES:
            yield complaint(
                f"a list of {length:,} elements grows by {more / seconds:.0f} a second",
                ("lists", f"l{number}.length"), ("lists", f"l{number}.length.delta"),
            )  # fmt: skip
    items, grown = view.number("info", "tracking_total_items"), view.number("info", "tracking_total_items.delta")
    if items and grown and items >= TRACKED and grown >= KEYS and (view.number("keyspace", "keys.delta") or 0) < KEYS:
        yield complaint(
            f"client-side caching's table has {items:.0f} entries, {grown:.0f} more over the window",
            ("info", "tracking_total_items"), ("info", "tracking_total_items.delta"),
        )  # fmt: skip
    if (clients := view.number("info", "connected_clients")) is None:
        return
    for field, value in view.fields("streams").items():
        names = re.fullmatch(r"s\d+\.g\d+\.consumers", field) and isinstance(value, int)
        if names and int(value or 0) >= max(CONSUMERS, 5 * clients):
            yield complaint(
                f"a stream's group has {value} consumers while {clients:.0f} clients are connected",
                ("streams", field), ("info", "connected_clients"),
            )  # fmt: skip


def _streams(view: View) -> Iterator[Complaint]:
    for field in view.fields("streams"):
        if field.endswith(".trimmed_unread") and view.number("commandstats", "xadd.calls.delta"):
            yield complaint("a stream is trimmed of entries that a group hasn't read", ("streams", field))
        if not (match := re.fullmatch(r"((s\d+)\.g\d+)\.(lag|pending)\.delta", field)):
            continue
        base, more = field.removesuffix(".delta"), view.number("streams", field) or 0
        if more >= MORE_ENTRIES and (view.number("streams", base) or 0) >= ENTRIES:
            yield complaint(f"a stream's {match[3]} grows by {more:.0f} over the window", ("streams", base))
        behind = behind_seconds(view, match[1])
        if behind is not None and behind >= BEHIND_SECONDS and view.number("streams", f"{match[2]}.length.delta"):
            yield complaint(
                f"what a stream's group read last is {behind:.0f} s old", ("streams", f"{match[1]}.last-delivered-id")
            )
