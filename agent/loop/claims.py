"""What a model submits, as written and as leniently interpreted."""

import json
import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from agent.answer.diagnosis import Outcome
from agent.model.response import whole_escapes
from tools.errors import ToolError
from tools.records import Record, Scalar

SUBMIT = "submit_diagnosis"


def _one_line(value: object) -> object:
    """Text on one line, without control characters: it goes to a terminal and a report."""
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:600]


def _probability(value: object) -> object:
    """A probability, also from text or a percentage; if none is given, 50 %."""
    if value is None:
        return 0.5
    if isinstance(value, str):
        try:
            value = float(value.strip().rstrip("%")) / (100 if value.strip().endswith("%") else 1)
        except ValueError:
            return value
    return value / 100 if isinstance(value, int | float) and 1 < value <= 100 else value


def _id_form(value: object) -> object:
    return value.strip().lower().replace("_", "-").replace(" ", "-") if isinstance(value, str) else value


def _as_list(value: object) -> object:
    return [] if value is None else value if isinstance(value, list) else [value]


def _scalar(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        # JSON can carry 1e999 in, but nothing like it out.
        return str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else json.dumps(value)


def _kind(value: object) -> object:
    return value if value in ("config_set", "command") else "outside"


Line = Annotated[str, BeforeValidator(_one_line)]
Id = Annotated[str, BeforeValidator(_id_form)]


class _Lenient(Record):
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class Citation(_Lenient):
    """One cited value, as submitted."""

    reading: str
    field: str
    value: Annotated[Scalar, BeforeValidator(_scalar)] = None


Citations = Annotated[tuple[Citation, ...], BeforeValidator(_as_list)]


class Claim(_Lenient):
    """One cause, as submitted."""

    id: Id
    probability: Annotated[float, BeforeValidator(_probability), Field(ge=0, le=1)] = 0.5
    where: str | None = None
    why: Line = ""
    evidence: Citations = ()


class RuledOutClaim(_Lenient):
    """One look-alike that is ruled out, as submitted."""

    id: Id
    because: Line = ""
    evidence: Citations = ()


class SubmittedStep(_Lenient):
    """A step of the plan, as submitted: one of the runbooks', or one the model adds."""

    step: str | None = None
    """Which runbook step is meant; null for one of the model's own."""
    kind: Annotated[Literal["config_set", "command", "outside"], BeforeValidator(_kind)] = "outside"
    action: Line = ""
    why: Line = ""
    verify: Line | None = None
    avoid: Line | None = None
    drop: Annotated[bool, BeforeValidator(bool)] = False
    """Whether to leave it out of the plan."""


Steps = Annotated[tuple[SubmittedStep, ...], BeforeValidator(_as_list)]


class Submission(_Lenient):
    """What the model submits."""

    outcome: Annotated[Outcome, BeforeValidator(_id_form)]
    summary: Line = ""
    evidence: Citations = ()
    """The evidence for the outcome, besides what the causes cite."""
    causes: Annotated[tuple[Claim, ...], BeforeValidator(_as_list)] = ()
    ruled_out: Annotated[tuple[RuledOutClaim, ...], BeforeValidator(_as_list)] = ()
    unknown: Annotated[tuple[Line, ...], BeforeValidator(_as_list)] = ()
    plan: Steps = ()
    actions: Steps = ()
    """Steps of its own, under the name they had before plans could be ordered."""

    @property
    def steps(self) -> tuple[SubmittedStep, ...]:
        """All non-empty steps, in order."""
        return tuple(one for one in (*self.plan, *self.actions) if one.action or one.step)


def parse(text: str) -> Submission:
    """The submission, leniently interpreted. Raises `ToolError` for what can't be understood, worded for the model."""
    try:
        given = json.loads(text or "{}", parse_constant=str)
        if isinstance(given, str):
            given = json.loads(whole_escapes(given), parse_constant=str)
        return Submission.model_validate(given)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in error.errors()[:8])
        raise ToolError(f"{SUBMIT}: {'; '.join(wrong)}") from None
    except (ValueError, RecursionError) as error:
        raise ToolError(f"{SUBMIT}: the arguments aren't one complete JSON object ({error}); send it again") from None
