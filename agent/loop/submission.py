"""The tool that ends an investigation: what the model submits, its mistakes, and the conclusion from it."""

import json
import math
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from agent.answer.diagnosis import Action, Cause, Evidence, ModelUse, Outcome, RuledOut
from agent.evidence.citations import problems as citation_problems
from agent.evidence.citations import verify, verify_ruled_out
from agent.model.errors import ModelError
from agent.model.request import Wire
from agent.model.response import whole_escapes
from tools.errors import ToolError
from tools.records import Reading, Record, Scalar

SUBMIT = "submit_diagnosis"
MOST_CAUSES, MOST_LINES = 3, 10
LAST = "diagnostics-disabled"
"""Ranks last, and is never the whole of an answer."""


def _one_line(value: object) -> object:
    """Text on one line, without control characters: it goes to a terminal and a report."""
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:600]


def _probability(value: object) -> object:
    """A probability, from text and per cent too; none given is as likely as not."""
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
        # JSON can carry 1e999 in, and nothing like it out.
        return str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else json.dumps(value)


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


class SubmittedAction(_Lenient):
    """A step that the model would add to the plan, as submitted."""

    kind: Annotated[Literal["config_set", "command", "outside"], BeforeValidator(lambda kind: kind or "outside")]
    action: Line
    why: Line = ""
    verify: Line | None = None
    avoid: Line | None = None


class Submission(_Lenient):
    """What the model submits."""

    outcome: Annotated[Outcome, BeforeValidator(_id_form)]
    causes: Annotated[tuple[Claim, ...], BeforeValidator(_as_list)] = ()
    ruled_out: Annotated[tuple[RuledOutClaim, ...], BeforeValidator(_as_list)] = ()
    unknown: Annotated[tuple[Line, ...], BeforeValidator(_as_list)] = ()
    actions: Annotated[tuple[SubmittedAction, ...], BeforeValidator(_as_list)] = ()


class Conclusion(Record):
    """A model's conclusion, its citations checked."""

    outcome: Outcome
    causes: tuple[Cause, ...]
    """At most three; those with verified evidence first."""
    ruled_out: tuple[RuledOut, ...]
    unknown: tuple[str, ...]
    actions: tuple[Action, ...]
    use: ModelUse

    @property
    def grounded(self) -> bool:
        """Whether its ranking may be the answer: its first cause has verified evidence."""
        return not self.causes or any(one.verified for one in self.causes[0].evidence)


def parse(text: str) -> Submission:
    """What was submitted, taken leniently. Raises `ToolError` for what can't be understood, in words for the model."""
    try:
        given = json.loads(text or "{}", parse_constant=str)
        if isinstance(given, str):
            given = json.loads(whole_escapes(given), parse_constant=str)
        return Submission.model_validate(given)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in error.errors()[:8])
        raise ToolError(f"{SUBMIT}: {'; '.join(wrong)}") from None
    except (ValueError, RecursionError) as error:
        raise ToolError(f"{SUBMIT}: the arguments aren't one whole JSON object ({error}); send it again") from None


def problems(
    submission: Submission, readings: Sequence[Reading], known: Collection[str], checks: Cause | None = None
) -> list[str]:
    """What the model has to correct, in words for it; empty if nothing. `checks` is the checks' surest cause."""
    found: list[str] = []
    ids = [claim.id for claim in submission.causes]
    if submission.outcome == "diagnosed" and not ids:
        found.append("outcome is diagnosed and no cause is named")
    if submission.outcome != "diagnosed" and ids:
        found.append(f"causes must be empty where outcome is {submission.outcome}; else say diagnosed")
    if submission.outcome == "diagnosed" and set(ids) == {LAST}:
        found.append(f"{LAST} alone is no fault: name the fault, or choose another outcome and put it under unknown")
    sides: tuple[tuple[str, Sequence[Claim | RuledOutClaim]], ...] = (
        ("causes", submission.causes), ("ruled_out", submission.ruled_out),
    )  # fmt: skip
    for name, claims in sides:
        for number, claim in enumerate(claims):
            if claim.id not in known:
                found.append(f"{name}[{number}]: there is no cause {claim.id!r}; take an id of the list")
            found += citation_problems(f"{name}[{number}] {claim.id}", _evidence(claim.evidence), readings)
    found += [f"causes[{n}] {claim.id}: no evidence" for n, claim in enumerate(submission.causes) if not claim.evidence]
    if (
        checks
        and checks.id not in ids
        and not any(out.id == checks.id and out.evidence for out in submission.ruled_out)
    ):
        found.append(f"the checks find {checks.id}: name it under causes too, or rule it out by what was measured")
    return found


def settle(submission: Submission, readings: Sequence[Reading], known: Collection[str], use: ModelUse) -> Conclusion:
    """The conclusion from a submission: wrong citations become unverified, which costs a cause its rank.

    Raises `ModelError` if no cause is left.
    """
    nodes = list(dict.fromkeys(reading.node for reading in readings if reading.node))
    causes: dict[str, Cause] = {}
    for claim in submission.causes if submission.outcome == "diagnosed" else ():
        if claim.id in known and claim.id not in causes:
            cause = Cause(
                id=claim.id, probability=claim.probability, where=None, why=claim.why,
                evidence=_evidence(claim.evidence),
            )  # fmt: skip
            causes[claim.id] = _at_node(verify(cause, readings), claim.where, readings, nodes)
    if submission.outcome == "diagnosed" and not set(causes) - {LAST}:
        raise ModelError("the model said diagnosed and named no cause that counts")
    ruled_out = {
        out.id: verify_ruled_out(
            RuledOut(id=out.id, because=out.because, evidence=_evidence(out.evidence)), readings
        )
        for out in submission.ruled_out
        if out.id in known and out.id not in causes
    }  # fmt: skip
    return Conclusion(
        outcome=submission.outcome, causes=tuple(sorted(causes.values(), key=_rank)[:MOST_CAUSES]),
        ruled_out=tuple(ruled_out.values())[:MOST_LINES], unknown=tuple(filter(None, submission.unknown))[:MOST_LINES],
        actions=tuple(Action(**one.model_dump()) for one in submission.actions if one.action)[:MOST_LINES], use=use,
    )  # fmt: skip


def _rank(cause: Cause) -> tuple[bool, bool, float]:
    return cause.id == LAST, not any(one.verified for one in cause.evidence), -cause.probability


def _evidence(citations: Sequence[Citation]) -> tuple[Evidence, ...]:
    return tuple(Evidence(reading=one.reading, field=one.field, value=one.value) for one in citations)


def _at_node(cause: Cause, where: str | None, readings: Sequence[Reading], nodes: list[str]) -> Cause:
    """The cause at the node that the model names, else at the one that its evidence is of."""
    cited = {one.reading for one in cause.evidence if one.verified}
    of_evidence = next((reading.node for reading in readings if reading.id in cited and reading.node), None)
    node = where if where in nodes else of_evidence or (nodes[0] if len(nodes) == 1 else None)
    return cause.model_copy(update={"where": node})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False,
    }  # fmt: skip


def _list(of: dict[str, Any], description: str | None = None) -> dict[str, Any]:
    return {"type": "array", "items": of} | ({"description": description} if description else {})


def schema() -> Wire:
    """The tool's strict schema: every field is required, and one that may be absent is null."""
    text, maybe = {"type": "string"}, {"type": ["string", "null"]}
    evidence = _list(
        _object({"reading": text, "field": text, "value": {"type": ["string", "number", "boolean", "null"]}})
    )
    parameters = _object(
        {
            "outcome": {"type": "string", "enum": list(get_args(Outcome))},
            "causes": _list(
                _object(
                    {
                        "id": text, "probability": {"type": "number"}, "where": maybe,
                        "why": text, "evidence": evidence,
                    }
                ),
                "At most 3, likeliest first; empty unless diagnosed. `where` is a node.",
            ),
            "ruled_out": _list(_object({"id": text, "because": text, "evidence": evidence}), "Look-alikes."),
            "unknown": _list(text, "What couldn't be read, and what that hides."),
            "actions": _list(
                _object(
                    {
                        "kind": {"type": "string", "enum": ["config_set", "command", "outside"]}, "action": text,
                        "why": text, "verify": maybe, "avoid": maybe,
                    }
                ),
                "Only steps that no runbook has. `avoid`: the tempting wrong remedy.",
            ),
        }
    )  # fmt: skip
    description = "End the investigation. Each evidence cites a reading's id, a literal field of it and its value."
    return {
        "type": "function",
        "function": {"name": SUBMIT, "description": description, "strict": True, "parameters": parameters},
    }
