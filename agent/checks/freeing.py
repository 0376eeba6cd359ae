"""Commands whose time goes into freeing memory."""

import re

from agent.evidence.view import View

DELETES = frozenset(("DEL", "UNLINK", "EXPIRE", "PEXPIRE", "FLUSHDB", "FLUSHALL"))
"""Commands whose time goes into freeing what they delete."""
LONG_USEC = 20_000
"""Microseconds of a flush from which on others notice it."""


def frees(view: View, command: str) -> bool:
    """Whether a command's time goes into freeing: RENAME has no other work than freeing what it overwrites.

    From 8.0 on, Valkey does that in another thread by default, so something else holds its RENAME up.
    """
    return command in DELETES or (command == "RENAME" and not view.text("info", "valkey_version"))


def flushed(view: View) -> tuple[str, ...]:
    """The value of lazyfree-lazy-user-flush (from 6.2 on) that helps if FLUSHDB or FLUSHALL took long."""
    version = re.match(r"(\d{1,4})\.(\d{1,4})", view.text("info", "redis_version"))
    if version and (int(version[1]), int(version[2])) < (6, 2):
        return ()
    slow = any(
        (view.number("slowlog", f"{command}.max_usec") or 0) >= LONG_USEC
        or (view.number("commandstats", f"{command.lower()}.usec_per_call.delta") or 0) >= LONG_USEC
        for command in ("FLUSHDB", "FLUSHALL")
    )
    return ("yes",) if slow else ()
