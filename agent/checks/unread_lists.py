"""Lists that somebody fills and nobody reads: too slowly to stand out in a window, but for good."""

from collections.abc import Iterable, Iterator

from agent.answer.diagnosis import Cause
from agent.checks.filling import until_full_words
from agent.checks.growth import POPS, PUSHES, cited_of
from agent.checks.senders import sender
from agent.checks.types import Family, Limits
from agent.checks.words import CONNECTIONS_CLIMB, JOBS_LOST, MEMORY
from agent.evidence.report_words import mention
from agent.evidence.view import View

TAKES = (*POPS, "ltrim", "lrem", "lrange", "lindex", "sort")
"""Commands that take elements out of lists, shorten them, or show that they are read as they are."""
EVER, SELDOM = 100, 0.05
"""Pushes since the start from which on it's known what the lists are for, and the share of them that is taken out."""
KEEPS_UP = 0.9
"""Elements taken for each that is pushed, from which on nothing is left lying."""
EACH, OF_USED = 100, 0.02
"""Bytes of a short element, and the share of the memory that the lists take at least to be what a report means."""


def may_be_unread(view: View) -> bool:
    """Whether more is pushed to lists than taken, while a report speaks of memory or of jobs that aren't done."""
    pushed, taken = (_sum(view, names, "calls.delta") for names in (PUSHES, (*POPS, "ltrim")))
    reported = any(mention(words, view.symptom) for words in (MEMORY, JOBS_LOST))
    # Clients climb too.
    reported = reported and mention(CONNECTIONS_CLIMB, view.symptom) is None
    return reported and pushed > 0 and taken < KEEPS_UP * pushed


def unread(view: View, limits: Limits) -> Iterator[Cause]:
    """Long lists that get longer, and of which nobody takes anything."""
    rows = view.rows("lists", "l")
    long = {
        number: row for number, row in rows.items()
        if isinstance(length := row.get("length"), int) and length >= limits["queue_elements"]
    }  # fmt: skip
    if not long or not may_be_unread(view):
        return
    changes = [more for row in long.values() if isinstance(more := row.get("length.delta"), int)]
    seconds = view.number("lists", "window_seconds") or 1
    if any(more < 0 or more / seconds >= limits["queue_elements_per_second"] for more in changes):
        # What grows fast has its own check.
        return
    pushed, taken = _sum(view, PUSHES, "calls"), _sum(view, TAKES, "calls")
    never = pushed >= EVER and taken <= SELDOM * pushed
    held = EACH * sum(float(str(row.get("length"))) for row in long.values())
    if not never and (not sum(changes) or held < OF_USED * (view.number("info", "used_memory") or 0)):
        return
    at = f"l{min(long)}"
    most = max(PUSHES, key=lambda name: view.number("commandstats", f"{name}.calls.delta") or 0)
    who = sender(view, most)
    others = f", and {'another is' if len(long) == 2 else 'others are'} as long" if len(long) > 1 else ""
    why = (
        f"The list {view.text('lists', f'{at}.key')} has {view.number('lists', f'{at}.length') or 0:,.0f} elements"
        f"{others}: {sum(changes)} more within {seconds:.1f} s{f', pushed by {who}' if who else ''}, and none taken"
    )
    why += f"; since the start there were {pushed:,.0f} pushes and {taken:,.0f} commands that take or read elements."
    yield view.cause(
        "queue-backlog", (0.85 if sum(changes) else 0.7) if never else 0.65, why + until_full_words(view),
        *cited_of(at), *(("commandstats", f"{name}.calls") for name in (*PUSHES[:2], "lpop", "rpop", "blpop", "brpop")),
    )  # fmt: skip


def _sum(view: View, names: Iterable[str], field: str) -> float:
    return sum(view.number("commandstats", f"{name}.{field}") or 0 for name in names)


FAMILY = Family(checks=(unread,), needs={})
