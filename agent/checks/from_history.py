"""What a history says about a node: the level at which a figure began, and which parameter somebody set."""

import re
from typing import NamedTuple

from agent.evidence.view import Cited, View
from tools.server.client_groups import name_pattern

_DATABASE_BEGAN = re.compile(r"(db\d{1,5})\.keys\.first")
_MOST_SETTINGS = 3


class Began(NamedTuple):
    """A figure that is on another level now than when the history begins."""

    first: float
    now: float
    until: str
    """When it was last near the first level."""
    cited: tuple[Cited, ...]


class Setting(NamedTuple):
    """A parameter that was changed."""

    before: str
    after: str
    when: str
    cited: tuple[Cited, ...]


def began(view: View, figure: str) -> Began | None:
    """A figure's first level, if it left it for good."""
    first, now = view.number("history", f"{figure}.first"), view.number("history", f"{figure}.now")
    if first is None or now is None:
        return None
    cited = tuple(("history", f"{figure}.{part}") for part in ("first", "now", "until"))
    return Began(first, now, view.text("history", f"{figure}.until"), cited)


def connections(view: View, name: str) -> Began | None:
    """How many connections an application had at first."""
    return began(view, f"clients_{name_pattern(name)}.count") if name else None


def lost_keys(view: View) -> Began | None:
    """The database that lost most keys; None if none did, or if the server was restarted meanwhile."""
    if view.get("history", "restarted") is not None:
        return None
    names = [match[1] for field in view.fields("history") if (match := _DATABASE_BEGAN.fullmatch(field))]
    found = [one for name in names if (one := began(view, f"{name}.keys")) and one.now < one.first]
    return max(found, key=lambda one: one.first - one.now, default=None)


def set_lately(view: View, parameter: str) -> Setting | None:
    """The newest change of a parameter."""
    for n in range(1, _MOST_SETTINGS + 1):
        if view.text("history", f"config{n}.parameter") == parameter:
            before, after, when = (view.text("history", f"config{n}.{part}") for part in ("before", "after", "when"))
            return Setting(
                before, after, when, tuple(("history", f"config{n}.{part}") for part in ("before", "after", "when"))
            )
    return None
