"""The tool that ends an investigation, as described to a model."""

from typing import Any, get_args

from agent.answer.diagnosis import Outcome
from agent.loop.claims import SUBMIT
from agent.model.request import Wire


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False,
    }  # fmt: skip


def _list(of: dict[str, Any], description: str | None = None) -> dict[str, Any]:
    return {"type": "array", "items": of} | ({"description": description} if description else {})


def schema() -> Wire:
    """The tool's strict schema: every field is required, and an absent one is null."""
    text, maybe = {"type": "string"}, {"type": ["string", "null"]}
    evidence = _list(
        _object({"reading": text, "field": text, "value": {"type": ["string", "number", "boolean", "null"]}})
    )
    steps = _object(
        {
            "step": {**maybe, "description": "A runbook's step to place or drop, such as thp/1; null for your own."},
            "kind": {
                "type": "string", "enum": ["config_set", "command", "outside"],
                "description": "config_set: `CONFIG SET NAME VALUE`; command: one Redis command, as sent; "
                "outside: what a person does, in words.",
            },
            "action": text, "why": text, "verify": maybe,
            "avoid": {**maybe, "description": "The tempting but wrong remedy."},
            "drop": {"type": "boolean", "description": "Drop it; `why` gives the reason."},
        }
    )  # fmt: skip
    parameters = _object(
        {
            "outcome": {"type": "string", "enum": list(get_args(Outcome))},
            "summary": {"type": "string", "description": "Two sentences for the engineer on call: what and why."},
            "evidence": {**evidence, "description": "What the outcome is based on."},
            "causes": _list(
                _object(
                    {
                        "id": text, "probability": {"type": "number"}, "where": maybe,
                        "why": text, "evidence": evidence,
                    }
                ),
                "At most 3, most likely first; empty unless diagnosed. `where` is a node.",
            ),
            "ruled_out": _list(_object({"id": text, "because": text, "evidence": evidence}), "Look-alikes."),
            "unknown": _list(text, "What couldn't be read and what that hides."),
            "plan": _list(
                steps,
                "In order. The runbooks' steps are included automatically: name only those to move or drop, and "
                "add your own.",
            ),
        }
    )  # fmt: skip
    description = (
        "End the investigation. Each piece of evidence cites a reading's id, a literal field name and its value."
    )
    return {
        "type": "function",
        "function": {"name": SUBMIT, "description": description, "strict": True, "parameters": parameters},
    }
