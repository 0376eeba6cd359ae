"""The table of what client libraries' errors look like, as records."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tools.client_errors.records import Side, Stage
from tools.patterns import deferred, literals

FILE = Path(__file__).with_name("table.toml")
FOREIGN = "foreign"
"""What stands for all other systems' clients among the signs."""


class Form(NamedTuple):
    """How one error is written, and what it means."""

    name: str
    match: re.Pattern[str]
    certain: tuple[str, ...]
    """Texts of which one is in whatever matches."""
    stage: Stage
    side: Side
    weight: float
    means: str
    library: str = ""
    """Whose it is; empty where many write it alike."""
    code: str = ""
    wraps: bool = False
    anywhere: bool = False
    shared: bool = False

    @property
    def rank(self) -> int:
        """Which of several on one line tells most: the lowest."""
        return 0 if self.code else 3 if self.wraps else 1 if self.library else 2


class Sign(NamedTuple):
    """How a library's trace, or another system's, is known."""

    library: str
    """Whose it is; `FOREIGN` of all others."""
    match: re.Pattern[str]
    certain: tuple[str, ...]
    """Texts of which one is in whatever matches."""


class Table(NamedTuple):
    """All of it."""

    forms: tuple[Form, ...]
    signs: tuple[Sign, ...]
    """Where two begin at one place, the first counts."""


@cache
def table() -> Table:
    """The table, read once."""
    data = tomllib.loads(FILE.read_text("utf-8"))
    signs = (*data["libraries"].items(), (FOREIGN, data["foreign"]["signs"]))
    forms = tuple(
        Form(**{**one, "match": deferred(one["match"]), "certain": literals(one["match"])}) for one in data["errors"]
    )
    return Table(forms, tuple(Sign(name, deferred(text), literals(text)) for name, text in signs))
