"""Which cause of an answer leads to a complaint: one that cites it, or one that is known to have it as a sign."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from agent.answer.diagnosis import Cause
from agent.answer.open_points import Complained
from agent.checks import CONSEQUENCES

_REJECTED = re.compile(r".+\.rejected_calls\.delta")
_ERRORS = re.compile(r"errorstat_\w{1,64}\.count\.delta")
_IDLE = "keyspace_misses.delta"
"""Nothing that is looked up is there, and nobody writes it: where writes are refused, that's why."""


class Sign(NamedTuple):
    """Complaints that several causes lead to."""

    fields: re.Pattern[str]
    causes: frozenset[str]
    far: bool


@cache
def signs() -> tuple[Sign, ...]:
    """What signs.toml contains."""
    data = tomllib.loads((Path(__file__).parent / "signs.toml").read_text(encoding="utf-8"))
    return tuple(
        Sign(re.compile(one["fields"]), frozenset(one["causes"]), one.get("far", False)) for one in data["signs"]
    )


def explained(found: Sequence[Complained], causes: Sequence[Cause]) -> tuple[Complained, ...]:
    """Complaints, each with the first of the causes that it comes from, if any does."""
    first = [one.model_copy(update={"explained_by": _cited_by(one, causes) or _sign_of(one, causes)}) for one in found]
    refusals: dict[str | None, list[Complained]] = {}
    for one in first:
        if _ERRORS.fullmatch(_field(one)):
            refusals.setdefault(one.node, []).append(one)
    return tuple(_refused(one, refusals) for one in first)


def _cited_by(one: Complained, causes: Sequence[Cause]) -> str | None:
    told = {(each.reading, each.field) for each in one.evidence}
    return next((c.id for c in causes if told & {(each.reading, each.field) for each in c.evidence}), None)


def _sign_of(one: Complained, causes: Sequence[Cause]) -> str | None:
    field = _field(one)
    for sign in signs():
        if sign.fields.fullmatch(field):
            for cause in causes:
                here = sign.far or cause.where in (one.node, None) or f"{one.node}" in cause.why
                if here and not sign.causes.isdisjoint(_led_to(cause.id, CONSEQUENCES)):
                    return cause.id
    return None


def _led_to(cause: str, consequences: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    yield cause
    yield from consequences.get(cause, ())


def _refused(one: Complained, refusals: Mapping[str | None, Sequence[Complained]]) -> Complained:
    """A rejected command comes from what explains the errors it was rejected with, if all of them are explained."""
    if one.explained_by or not (_REJECTED.fullmatch(_field(one)) or _field(one) == _IDLE):
        return one
    by = [each.explained_by for each in refusals.get(one.node, ())]
    return one.model_copy(update={"explained_by": by[0]}) if by and all(by) else one


def _field(one: Complained) -> str:
    return one.evidence[0].field if one.evidence else ""
