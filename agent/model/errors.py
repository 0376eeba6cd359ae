"""How an endpoint fails, and what follows: ask again, ask for less, or give up on the model.

ModelError          the model gives no answer; the checks' counts
  EndpointError     the endpoint failed, which shows nothing about the model behind it
  Overflow          the conversation is too long for the model: it may be shortened and asked again
Again               the endpoint failed in a way that may pass
Refused             the endpoint doesn't understand a part of the request
"""

import json
import re
from typing import TYPE_CHECKING

import httpx2

from agent.answer.diagnosis import ModelUse
from agent.model.request import Wire, refused_ability
from tools.errors import RediagnoseError
from tools.http import redirect, retry_after
from tools.patterns import deferred
from tools.redact import hide_secrets
from tools.text import printable

if TYPE_CHECKING:
    from openai import APIStatusError

_KEYS = deferred(r"\b[sp]k-[\w*.-]{6,}|\bBearer \S+|[\w-]{32,}")
_OVERFLOW = deferred(
    r"context[_ -]?(length|window|size|limit)|"
    r"(prompt|input|request|conversation|messages?) (is|are)? ?too (long|large)|"
    r"too many (input |prompt )?tokens|reduce the length|(input|prompt) token count|tokens must be reduced|"
    r"maximum (number of )?(input |prompt )?tokens|larger than the max",
    re.IGNORECASE,
)


class ModelError(RediagnoseError):
    """The model gave no answer that can be used; one line says why, without any key. The checks' answer counts."""

    def __init__(self, why: str, use: ModelUse | None = None) -> None:
        super().__init__(why)
        self.use = use
        """What was spent until then, where it's known."""


class EndpointError(ModelError):
    """The endpoint failed, which shows nothing about the model behind it."""


class Overflow(ModelError):
    """The conversation doesn't fit into the model's context."""


class Retryable(Exception):
    """The endpoint failed in a way that may pass."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after
        """Seconds to wait, if the endpoint names them."""


class AbilityRefused(Exception):
    """The endpoint doesn't understand a part of the request."""

    def __init__(self, ability: str) -> None:
        super().__init__(ability)
        self.ability = ability


def error_of_status(error: "APIStatusError", body: Wire, key: str) -> Exception:
    """The error of an answer's status."""
    if moved := redirect(error.status_code, error.response.headers, httpx2.URL(str(error.request.url))):
        where = endpoint_message(moved.where, key)
        return EndpointError(
            f"the model's endpoint answered {error.status_code} and redirects to {where}, which isn't sent the prompt; "
            "if that is the right one, set its address (OPENAI_BASE_URL)"
        )
    status, message, text = error.status_code, endpoint_message(error.body, key), json.dumps(error.body, default=str)
    why = f"the model's endpoint answered {status}{f' ({message})' if message else ''}"
    if status == 413 or (status not in (401, 403) and _OVERFLOW.search(text)):
        return Overflow(why)
    if ability := refused_ability(status, text, body):
        return AbilityRefused(ability)
    if status in (401, 403):
        # Its message may repeat a part of the key.
        return EndpointError(f"the model's endpoint answered {status}; check the key (OPENAI_API_KEY)")
    if status == 404:
        return EndpointError(f"{why}; check the model's name, {body['model']!r}, and OPENAI_BASE_URL")
    if error.code == "insufficient_quota" or (status not in (408, 409, 429) and status < 500):
        return EndpointError(why)
    return Retryable(why, retry_after(error.response.headers))


def error_of_event(body: object, key: str) -> Exception:
    """The error of an event in the middle of a stream."""
    text = endpoint_message(body, key)
    kind = Overflow if _OVERFLOW.search(json.dumps(body, default=str)) else Retryable
    return kind(f"the model's endpoint sent an error: {text}")


def endpoint_message(body: object, key: str) -> str:
    """An endpoint's words as one short line, without anything like a key."""
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail") or body.get("error") or ""
    text = printable(str(body or "")[:2000])
    text = _KEYS.sub("***", hide_secrets(text.replace(key, "***") if key not in ("none", "") else text))
    return " ".join(text.split())[:160]
