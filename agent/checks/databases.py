"""Lookups that miss, and the database in which their keys are."""

import re

from agent.checks.counted import times
from agent.checks.senders import cited as sender_fields
from agent.checks.senders import sender
from agent.checks.types import Found, Limits
from agent.checks.words import GONE
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View

REFILLED = 0.1
"""Share of the fullest database's keys that clients may have written into another one since they lost the first."""


def missing(view: View, limits: Limits) -> bool | None:
    """Whether most lookups miss; None if there are too few to tell."""
    hits, ratio = view.number("keyspace", "keyspace_hits.delta"), view.number("keyspace", "hit_ratio")
    misses = view.number("keyspace", "keyspace_misses.delta") or 0
    if hits is None or ratio is None or hits + misses < limits["data_lookups"]:
        return None
    return ratio <= limits["data_hit_ratio"]


def databases(view: View) -> dict[int, float]:
    """Keys by database, for databases that have any."""
    return {
        int(match[1]): view.number("keyspace", field) or 0
        for field in view.fields("keyspace") if (match := re.fullmatch(r"db(\d{1,9})\.keys", field))
    }  # fmt: skip


def wrong_database(view: View, limits: Limits) -> Found:
    """Lookups miss in a database without keys, while the keys are in another that no reader has selected."""
    held = databases(view)
    selected = {
        int(match[1]): view.number("clients", f"db{match[1]}.readers") or 0
        for field in view.fields("clients") if (match := re.fullmatch(r"db(\d{1,9})\.clients", field))
    }  # fmt: skip
    misses = view.number("keyspace", "keyspace_misses.delta") or 0
    if not held or not selected or (view.number("clients", "share_seen") or 0) < 1:
        return
    if len(held) < (view.number("keyspace", "databases") or 0):
        # Of many databases only the largest are shown: others may well have keys.
        return
    full = max(held, key=held.__getitem__)
    misses_most = misses >= limits["data_lookups"] and bool(missing(view, limits))
    said = mention(GONE, view.symptom) is not None
    here = [db for db, readers in selected.items() if db != full and readers and not held.get(db)]
    if not here and said and misses_most and not selected.get(full):
        # Applications write back what they miss, into the database that they look in.
        here = [db for db, readers in selected.items() if readers and held.get(db, 0) <= REFILLED * held[full]]
    if not here or held[full] < limits["database_keys"]:
        return
    db = max(here, key=selected.__getitem__)
    name, address = view.text("clients", f"db{db}.name"), view.text("clients", f"db{db}.address")
    by = f"{name} at {address}" if name else address
    cited: tuple[Cited, ...] = (
        ("clients", f"db{db}.readers"), ("clients", f"db{db}.name"), ("clients", f"db{db}.address"),
        ("keyspace", f"db{full}.keys"), ("clients", f"db{full}.readers"), ("keyspace", "keyspace_misses.delta"),
        ("keyspace", "hit_ratio"),
    )  # fmt: skip
    some = f"only {held[db]:.0f} keys" if held.get(db) else "no keys"
    why = f"{by} reads in database {db}, which has {some}; {held[full]:.0f} keys are in database {full}"
    why += ", which no reading client has selected." if not selected.get(full) else ", where other clients read."
    swapped = view.number("commandstats", "swapdb.calls") or 0
    if swapped and not selected.get(full):
        who = sender(view, "swapdb")
        why += f" SWAPDB was called {times(swapped)} since startup{f', by {who}' if who else ''}: it exchanged them."
        cited = (*cited, ("commandstats", "swapdb.calls"), *sender_fields(view, "swapdb"))
    if held.get(db):
        yield view.cause("wrong-database", 0.93 if swapped else 0.6, why, *cited)
    elif misses_most and not selected.get(full):
        yield view.cause("wrong-database", 0.95 if said else 0.85, why, *cited)
    elif misses >= limits["data_lookups"]:
        yield view.cause("wrong-database", 0.75 if said else 0.45, why, *cited)


def right_database(view: View) -> tuple[str, ...]:
    """The database with most keys."""
    held = databases(view)
    return (str(max(held, key=held.__getitem__)),) if held else ()


def wrong_readers_database(view: View) -> tuple[str, ...]:
    """The database that most readers have selected although the keys are in another."""
    held = databases(view)
    full = max(held, key=held.__getitem__, default=None)
    readers = {
        int(match[1]): view.number("clients", f"db{match[1]}.readers") or 0
        for field in view.fields("clients") if (match := re.fullmatch(r"db(\d{1,9})\.readers", field))
    }  # fmt: skip
    readers = {db: count for db, count in readers.items() if count and db != full}
    return (str(max(readers, key=readers.__getitem__)),) if readers else ()
