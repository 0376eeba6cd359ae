"""What looking at one part came to."""

from collections.abc import Mapping
from typing import Literal

from tools.records import Record, Scalar

State = Literal["ok", "warning", "failed", "unset"]


class Check(Record):
    """One part: the server, its machine, Prometheus, the model, or what can be written here."""

    name: str
    state: State
    """`warning` where a triage goes on and sees less, `failed` where what was asked for can't be used, `unset` where
    nothing was asked for."""
    line: str
    details: tuple[str, ...] = ()
    facts: Mapping[str, Scalar | tuple[str, ...]] = {}
    """The same for a program."""
