"""A request's body as JSON: bounded, strict, and never an exception of another kind than a refusal."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from agent.intake.refused import Refusal, RefusedError

MOST_BYTES = 2**20
"""Most bytes of a body; whoever reads the request shouldn't read more than one byte beyond."""
MOST_DEPTH, MOST_VALUES = 40, 50_000
_PLAIN_TEXT = ("cloudwatch",)
"""Kinds whose sender declares its JSON as text: SNS."""


def check_size(body: bytes) -> None:
    """Raise `RefusedError` for a body that is too large."""
    if len(body) > MOST_BYTES:
        raise RefusedError(Refusal.TOO_LARGE, f"the body is larger than {MOST_BYTES} bytes; send fewer alerts at once")


def check_type(headers: Mapping[str, str], kind: str) -> None:
    """Raise `RefusedError` for a body that isn't declared as JSON in UTF-8, or is compressed."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise RefusedError(Refusal.UNSUPPORTED, "the body is compressed; send it as it is")
    declared, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    fits = declared == "application/json" or (declared.startswith("application/") and declared.endswith("+json"))
    if not fits and not (kind in _PLAIN_TEXT and declared == "text/plain"):
        raise RefusedError(Refusal.UNSUPPORTED, "the body isn't declared as JSON; send Content-Type: application/json")
    charset = next((part.partition("=")[2].strip("\"' ") for part in parameters if part.startswith("charset")), "utf-8")
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise RefusedError(Refusal.UNSUPPORTED, "the body is declared in another encoding; send UTF-8")


def json_object(raw: bytes) -> dict[str, Any]:
    """The object in a body. Raises `RefusedError` for anything else, and for whatever two readers may read
    differently: a key that occurs twice, a number that isn't one."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise RefusedError(Refusal.MALFORMED, "the body isn't UTF-8") from None
    if "\0" in text:
        raise RefusedError(Refusal.MALFORMED, "the body has a null byte in it")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise RefusedError(Refusal.MALFORMED, f"the body isn't JSON, or not all of it: {error.msg} at {at}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise RefusedError(Refusal.MALFORMED, "the body has a number that is too long") from None
    _check_form(value)
    if not isinstance(value, dict):
        raise RefusedError(Refusal.UNUSABLE, "the body isn't a JSON object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RefusedError(Refusal.MALFORMED, "the body has an object with the same key twice")
    return found


def _constant(name: str) -> NoReturn:
    raise RefusedError(Refusal.MALFORMED, f"the body has {name} in it, which isn't JSON")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise RefusedError(Refusal.MALFORMED, "the body has a number that is too large")
    return value


def _check_form(value: Any) -> None:
    """Raise `RefusedError` for nesting and numbers of values beyond what any alert has."""
    level, seen = [value], 0
    for _ in range(MOST_DEPTH):
        seen += len(level)
        if seen > MOST_VALUES:
            raise RefusedError(Refusal.TOO_LARGE, f"the body has more than {MOST_VALUES} values")
        level = [
            child for one in level if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
        ]  # fmt: skip
        if not level:
            return
    raise _too_deep()


def _too_deep() -> RefusedError:
    return RefusedError(Refusal.MALFORMED, f"the body is nested deeper than {MOST_DEPTH} levels")
