"""A model's turns by OpenTelemetry's conventions for generative AI."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from agent.answer.diagnosis import ModelUse
from agent.answer.events import ModelAnswered, ModelAsked

Attributes = dict[str, str | int | float | bool | Sequence[str]]
PORTS = {"http": 80, "https": 443}


def asked(event: ModelAsked, model: str) -> Attributes:
    """What is known of a turn as it begins."""
    # By the convention the form that an endpoint speaks, since who is behind it isn't known.
    found: Attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
    if model:
        found["gen_ai.request.model"] = model
    url = urlsplit(event.endpoint)
    if url.hostname:
        found["server.address"] = url.hostname
        if port := url.port or PORTS.get(url.scheme):
            found["server.port"] = port
    return found


def answered(event: ModelAnswered, before: ModelUse | None) -> Attributes:
    """What a turn came to; `before` is what the model had cost until then."""
    now = event.use
    if before is None or now.turns <= before.turns:
        # A new conversation counts anew.
        before = ModelUse(name=now.name)
    found: Attributes = {
        "gen_ai.usage.input_tokens": now.tokens_in - before.tokens_in,
        "gen_ai.usage.output_tokens": now.tokens_out - before.tokens_out,
    }
    if cached := now.tokens_cached - before.tokens_cached:
        found["gen_ai.usage.cache_read.input_tokens"] = cached
    if now.estimated:
        found["rediagnose.usage.estimated"] = True
    if event.finish_reason:
        found["gen_ai.response.finish_reasons"] = (event.finish_reason,)
    return found


def called(tool: str) -> Attributes:
    """What a call of a tool by the model has besides what any reading has."""
    return {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.tool.type": "function"}


def content(event: ModelAnswered) -> Attributes:
    """What was sent and answered, exactly as it was sent to the model: redacted, and names replaced by handles."""
    system = [one for one in event.sent if one.get("role") == "system"]
    output = {
        "role": "assistant",
        "parts": list(_parts(event.received or {})),
        "finish_reason": event.finish_reason or "",
    }
    others = [{"role": one.get("role"), "parts": list(_parts(one))} for one in event.sent if one not in system]
    found: Attributes = {"gen_ai.input.messages": _json(others), "gen_ai.output.messages": _json([output])}
    if system:
        found["gen_ai.system_instructions"] = _json([part for one in system for part in _parts(one)])
    return found


def _parts(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    said = message.get("content")
    if message.get("role") == "tool":
        yield {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": said}
    elif said:
        yield {"type": "text", "content": said}
    for call in message.get("tool_calls") or ():
        called = call.get("function", {})
        yield {"type": "tool_call", "id": call.get("id"), "name": called.get("name"),
               "arguments": called.get("arguments")}  # fmt: skip


def _json(what: object) -> str:
    return json.dumps(what, ensure_ascii=False, default=str)
