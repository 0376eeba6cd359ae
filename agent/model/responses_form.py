"""A request in the Responses form, and which parts an endpoint may refuse."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from agent.model.extras import Extras
from agent.model.plain_text import Wire

ITEMS = "reasoning_items"
"""A message's own encrypted reasoning in that form: it is sent back with the calls that resulted from it."""
SEALED = "reasoning.encrypted_content"
_PATTERNS = {
    "sealed": r"encrypted",
    "summary": r"reasoning\W{0,3}summar|generate_summary",
    "effort": r"reasoning|effort",
    "tool_choice": r"tool[_ ]choice",
    "strict": r"\bstrict\b|schema|additionalproperties",
    "max_tokens": r"max_output_tokens",
    "stream": r"\bstream(ing|ed)?\b",
}


def responses_body(
    model: str, messages: Sequence[Wire], tools: Sequence[Wire], *, choice: str | None, max_tokens: int | None,
    abilities: Collection[str], extras: Extras,
) -> Wire:  # fmt: skip
    """The body of one request. The provider stores nothing: the whole conversation is sent each time."""
    body: Wire = {"model": model, "input": list(_items(messages)), "tools": list(tools), "store": False}
    if choice and "tool_choice" in abilities:
        body["tool_choice"] = {"type": "function", "name": choice}
    if max_tokens and "max_tokens" in abilities:
        body["max_output_tokens"] = max_tokens
    if "sealed" in abilities:
        body["include"] = [SEALED]
    reasoning: Wire = {"effort": extras.effort} if extras.effort and "effort" in abilities else {}
    if "summary" in abilities:
        reasoning["summary"] = "auto"
    if reasoning:
        body["reasoning"] = reasoning
    if "stream" in abilities:
        body["stream"] = True
    return body | dict(extras.fields)


def flat_tools(tools: Iterable[Wire], *, strict: bool) -> list[Wire]:
    """Tools in this form, which are strict unless declared otherwise."""
    return [
        {"type": "function", **tool["function"], "strict": strict and bool(tool["function"].get("strict"))}
        for tool in tools
    ]


def _items(messages: Iterable[Wire]) -> Iterator[Wire]:
    for message in messages:
        content = message.get("content")
        if message["role"] == "tool":
            yield {"type": "function_call_output", "call_id": message["tool_call_id"], "output": content}
            continue
        yield from message.get(ITEMS) or ()
        if content:
            yield {"role": message["role"], "content": content}
        for call in message.get("tool_calls") or ():
            yield {"type": "function_call", "call_id": call["id"], **call["function"]}


def refused_in_responses(status: int, error: str, body: Wire) -> str | None:
    """The ability that an endpoint's error is about; `responses` where it may not know the form."""
    if status in (404, 405, 501):
        return "responses"
    if status not in (400, 422):
        return None
    reasoning = body.get("reasoning") or {}
    used = {
        "sealed": "include" in body, "summary": "summary" in reasoning, "effort": "effort" in reasoning,
        "tool_choice": "tool_choice" in body, "strict": any(tool["strict"] for tool in body["tools"]),
        "max_tokens": "max_output_tokens" in body, "stream": "stream" in body,
    }  # fmt: skip
    named = (ability for ability, pattern in _PATTERNS.items() if re.search(pattern, error, re.IGNORECASE))
    return next((ability for ability in named if used[ability]), "responses")
