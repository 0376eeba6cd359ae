"""The result of examining one part."""

from collections.abc import Mapping
from typing import Literal

from tools.records import Record, Scalar

State = Literal["ok", "warning", "failed", "unset"]


class Check(Record):
    """One part: the server, its machine, Prometheus, the model, or the files written here."""

    name: str
    state: State
    """`warning`: a triage goes on but sees less; `failed`: a setting can't be used; `unset`: there was no setting."""
    line: str
    details: tuple[str, ...] = ()
    facts: Mapping[str, Scalar | tuple[str, ...]] = {}
    """The same for a program."""
