"""The arguments of a tool as given by a caller: parsed, kept within their bounds, and compared with the defaults."""

import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs

from tools.errors import ToolError

Adapter = TypeAdapter[dict[str, Any]]


def given_arguments(name: str, args: Mapping[str, Any] | str) -> dict[str, Any]:
    """Arguments from a mapping or JSON text. Raises `ToolError`."""
    if not isinstance(args, str):
        return dict(args)
    try:
        parsed = json.loads(args or "{}")
    except (ValueError, RecursionError) as error:
        raise ToolError(f"{name}: the arguments aren't JSON ({error}); send one JSON object") from None
    if not isinstance(parsed, dict):
        raise ToolError(f"{name}: the arguments are a JSON {type(parsed).__name__}; send one JSON object")
    return parsed


def validated(name: str, adapter: Adapter, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is requested, and the call's arguments including defaults.

    Raises `ToolError`, which says what to change. What is requested is what was given, with numbers clamped to the
    nearest bound and lists cut to what fits and is known: a caller that asks for a little too much gets what there is.
    """
    try:
        return dict(given), _call_of(adapter, given)
    except ValidationError:
        # The schema costs far more than the call, so it's only built for what doesn't fit.
        known = adapter.json_schema().get("properties", {})
    kept = {key: _bounded(value, _plain(known.get(key, {}))) for key, value in given.items()}
    try:
        return kept, _call_of(adapter, kept)
    except ValidationError as error:
        problems = (
            f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
            for problem in error.errors(include_url=False)
        )
        raise ToolError(f"{name}: {'; '.join(problems)}") from None


def _call_of(adapter: Adapter, given: Mapping[str, Any]) -> dict[str, Any]:
    return adapter.validate_python(ArgsKwargs((), dict(given)))


def _plain(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an argument, of one that may be null the other half."""
    halves = schema.get("anyOf")
    return next((one for one in halves if one.get("type") != "null"), {}) if isinstance(halves, list) else schema


def _bounded(value: Any, schema: Mapping[str, Any]) -> Any:
    if is_number(value) and math.isfinite(value):
        least, most, above = (schema.get(bound) for bound in ("minimum", "maximum", "exclusiveMinimum"))
        if most is not None and value > most:
            return most
        if least is not None and value < least:
            return least
        # There is no smallest number above an exclusive bound: a tenth of what is allowed is a small one.
        return most / 10 if above is not None and most is not None and value <= above else value
    if isinstance(value, list) and schema.get("type") == "array":
        allowed = schema.get("items", {}).get("enum")
        kept = [one for one in value if one in allowed] if allowed else value
        return (kept or value)[: schema.get("maxItems")]
    return value


def deviating(adapter: Adapter, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that differ from the tool's defaults."""
    known = adapter.json_schema().get("properties", {})
    return {key: value for key, value in given.items() if value != known.get(key, {}).get("default")}


def asks_for_less(adapter: Adapter, given: Mapping[str, Any]) -> bool:
    """Whether a number is below the tool's default."""
    defaults = {name: one.get("default") for name, one in adapter.json_schema().get("properties", {}).items()}
    return any(
        is_number(value) and is_number(default := defaults.get(name)) and value < default
        for name, value in given.items()
    )


def is_number(value: Any) -> bool:
    """Whether it's a number, not a boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)
