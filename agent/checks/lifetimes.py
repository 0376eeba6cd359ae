"""How long keys with a time to live do live, and who gives them one."""

from agent.checks.senders import sender
from agent.checks.types import Limits
from agent.evidence.view import Cited, View

SETTERS = ("pexpireat", "expireat", "pexpire", "expire", "psetex", "setex", "getex", "set")
"""Commands that give a key a time to live, those first that do nothing else."""
MOMENTS = ("pexpireat", "expireat")
"""Those that give a moment, which may be over."""
LEAST_EXPIRED = 20.0
"""Keys over the window: of fewer, a moment's chance decides how long they lived."""
OWN_SHARE = 0.5
"""Calls of one command for each expired key, from which on it may be what gave them their time to live."""


def short_lived(view: View, limits: Limits) -> tuple[str, tuple[Cited, ...]] | None:
    """That keys live only for seconds, as a sentence, with its evidence; None if they live longer or it isn't known.

    As many keys as come go, so those that are here, by the rate at which they expire, give the mean time they live.
    """
    left, gone = view.number("keyspace", "expires"), view.number("keyspace", "expired_keys.delta") or 0
    seconds = view.number("keyspace", "window_seconds")
    if left is None or not seconds:
        return None
    if gone < LEAST_EXPIRED:
        # Older servers don't count a key as expired that a time in the past deletes at once.
        ended = sum(view.number("commandstats", f"{name}.calls.delta") or 0 for name in MOMENTS)
        gone = ended if left < ended else 0
    if gone < LEAST_EXPIRED:
        return None
    lives = left / (gone / seconds)
    if lives > limits["data_short_life_seconds"]:
        return None
    cited: tuple[Cited, ...] = ("keyspace", "expires"), ("keyspace", "expired_keys.delta")
    why = f"{gone / seconds:.0f} keys a second reach the end of their time to live, and only {left:.0f} that have one"
    why += f" are left: they live for about {lives:.0f} s on average" if lives >= 1 else " are left: they go at once"
    if name := _command(view, gone):
        calls = view.number("commandstats", f"{name}.calls.delta") or 0
        who = sender(view, name)
        why += f"; {name.upper()} was called {calls:.0f} times over the window{f', last by {who}' if who else ''}"
        cited = (*cited, ("commandstats", f"{name}.calls.delta"))
    return f"{why}.", cited


def _command(view: View, gone: float) -> str:
    """The command that gave most of the expired keys their time to live; empty if none is called as often."""
    calls = {name: view.number("commandstats", f"{name}.calls.delta") or 0 for name in SETTERS}
    return next((name for name, count in calls.items() if count >= OWN_SHARE * gone), "")


def lifetime_setter(view: View) -> tuple[str, ...]:
    """Who gives keys their time to live, and by which command."""
    name = _command(view, max(LEAST_EXPIRED, view.number("keyspace", "expired_keys.delta") or 0))
    if not name:
        return ("the application",)
    return (f"{sender(view, name) or 'the application'} ({name.upper()})",)
