"""What is sent to a chat-completions endpoint, and which parts an endpoint may refuse."""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from agent.model.extras import NOTHING, Extras
from agent.model.plain_text import Wire as Wire
from agent.model.plain_text import alternating_turns, as_plain_text
from agent.model.responses_form import ITEMS, flat_tools, refused_in_responses, responses_body
from tools.patterns import deferred

REASONING = "reasoning_content"
"""A message's own reasoning: kept for endpoints that expect it back, and sent to no others."""
_PATTERNS = {
    "forget": REASONING,
    "cache": r"cache[_ ]?control|content\b.{0,60}\b(string|str)\b",
    "effort": r"reasoning[_ ]?effort|\beffort\b",
    "stream_options": r"stream_options|include_usage",
    "max_tokens": r"max_tokens",
    "tool_choice": r"tool[_ ]choice",
    "parallel": r"parallel|single tool|one tool|multiple tool",
    "strict": r"\bstrict\b|schema|additionalproperties",
    "stream": r"\bstream(ing|ed)?\b",
    "roles": r"system (role|message|prompt)|roles? must|must alternate|developer instruction",
    "tools": r"\btools?\b|function.?call|jinja",
}
ABILITIES = frozenset({*_PATTERNS, "sealed", "summary"})
"""What an endpoint is assumed to understand until it refuses it: `roles` means a system message and two messages from
one side in a row, `forget` a conversation without the model's own reasoning. There is also `responses`, a form that is
used only where it is known to be supported."""
_UNABLE = deferred(r"support|cannot|can't|unable|not allowed|not implemented|requires?\b", re.IGNORECASE)


def request_body(
    model: str, messages: Sequence[Wire], tools: Sequence[Wire], *, choice: str | None = None,
    max_tokens: int | None = None, abilities: Collection[str] = ABILITIES, extras: Extras = NOTHING,
) -> Wire:  # fmt: skip
    """The body of one request. `choice` names the one tool that must be called."""
    if "responses" in abilities:
        strict = "strict" in abilities
        shown = flat_tools(tools if strict else map(loosened_schema, tools), strict=strict)
        return responses_body(
            model, [_without((REASONING,), one) for one in messages], shown, choice=choice, max_tokens=max_tokens,
            abilities=abilities, extras=extras,
        )  # fmt: skip
    hidden = (ITEMS, REASONING) if "forget" in abilities else (ITEMS,)
    sent: Sequence[Wire] = [_without(hidden, message) for message in messages]
    if extras.marks_cache(model) and {"cache", "roles", "tools"} <= set(abilities):
        sent = [*map(_cached, sent[:2]), *sent[2:]]
    if "tools" not in abilities:
        sent = as_plain_text(sent, [loosened_schema(tool) for tool in tools])
    elif "parallel" not in abilities:
        sent = serial_calls(sent)
    body: Wire = {"model": model, "messages": list(sent if "roles" in abilities else alternating_turns(sent))}
    if "tools" in abilities:
        body["tools"] = list(tools) if "strict" in abilities else [loosened_schema(tool) for tool in tools]
    if choice and {"tool_choice", "tools"} <= set(abilities):
        body["tool_choice"] = {"type": "function", "function": {"name": choice}}
    if max_tokens:
        # Newer models know only the second name, most other endpoints only the first.
        body["max_tokens" if "max_tokens" in abilities else "max_completion_tokens"] = max_tokens
    if "stream" in abilities:
        body["stream"] = True
        if "stream_options" in abilities:
            body["stream_options"] = {"include_usage": True}
    if extras.effort and "effort" in abilities:
        body["reasoning_effort"] = extras.effort
    return body | dict(extras.fields)


def refused_ability(status: int, error: str, body: Wire) -> str | None:
    """The ability that an endpoint's error is about, if the request used it."""
    if "input" in body:
        return refused_in_responses(status, error, body)
    if status in (401, 403, 429) or (status not in (400, 422) and not _UNABLE.search(error)):
        return None
    messages, tools = body["messages"], body.get("tools") or ()
    used = {
        "forget": any(message["role"] == "assistant" and REASONING not in message for message in messages),
        "cache": any(isinstance(message.get("content"), list) for message in messages),
        "effort": "reasoning_effort" in body,
        "stream_options": "stream_options" in body,
        "max_tokens": "max_tokens" in body,
        "tool_choice": "tool_choice" in body,
        "parallel": any(len(message.get("tool_calls") or ()) > 1 for message in messages),
        "strict": any(tool["function"].get("strict") for tool in tools),
        "stream": "stream" in body,
        "roles": messages[0]["role"] == "system" or len(alternating_turns(messages)) < len(messages),
        "tools": bool(tools),
    }
    named = (ability for ability, pattern in _PATTERNS.items() if re.search(pattern, error, re.IGNORECASE))
    return next((ability for ability in named if used[ability]), None)


def _without(names: Collection[str], message: Wire) -> Wire:
    return {key: value for key, value in message.items() if key not in names}


def _cached(message: Wire) -> Wire:
    """A message from the part that stays the same, marked for the provider's cache."""
    if not isinstance(message.get("content"), str):
        return message
    part = {"type": "text", "text": message["content"], "cache_control": {"type": "ephemeral"}}
    return {**message, "content": [part]}


def serial_calls(messages: Iterable[Wire]) -> list[Wire]:
    """The messages with each of several parallel tool calls in a message of its own, followed by its answer."""
    messages = list(messages)
    answers = {message["tool_call_id"]: message for message in messages if message["role"] == "tool"}
    serial: list[Wire] = []
    for message in messages:
        calls = message.get("tool_calls") or ()
        if len(calls) < 2:
            serial.extend([] if message["role"] == "tool" and message in serial else [message])
            continue
        for call in calls:
            serial += [{**message, "tool_calls": [call]}, answers[call["id"]]]
    return serial


def loosened_schema(schema: Any) -> Any:
    """A tool without strict-schema keys: some endpoints refuse them, and the answer is checked here anyway."""
    if isinstance(schema, list):
        return [loosened_schema(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    loose = {
        name: loosened_schema(part) for name, part in schema.items() if name not in ("strict", "additionalProperties")
    }
    if isinstance(types := loose.get("type"), list):
        concrete = [kind for kind in types if kind != "null"]
        loose.pop("type")
        if len(concrete) == 1:
            loose["type"] = concrete[0]
    return loose


def request_size(messages: Sequence[Wire], tools: Sequence[Wire]) -> int:
    """Bytes of a request's messages and tools on the wire."""
    return len(json.dumps([*messages, *tools], ensure_ascii=False, separators=(",", ":")).encode())
