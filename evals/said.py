"""What a scripted model says, and how the Responses form carries it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tools.records import Record

Body = dict[str, Any]
"""A request or a piece of an answer, in the endpoint's form."""


class Call(Record):
    """A tool call to make."""

    name: str
    arguments: str | dict[str, Any] = "{}"
    """As text it's sent as it is, broken or not."""
    id: str | None = None
    """None for one of the endpoint's own."""


class Say(Record):
    """Answer with text, tool calls or both."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    usage: tuple[int, int] | None = (1000, 50)
    """Tokens in and out; None for an endpoint that doesn't tell."""
    cached: int = 0
    """Those of the tokens in that come from the cache."""
    thinks: tuple[str, ...] = ()
    """What it says of its thinking, in pieces; only the Responses form has a place of its own for it."""
    plain: bool = False
    """Answer with one JSON body even where a stream was asked for."""
    length: bool = False
    """Say that the answer was cut at the most tokens."""
    more: Mapping[str, Any] = {}
    """More fields of the message, such as a reasoning model's `reasoning_content`."""
    reason: str | None = None
    """Another reason for the end, such as `content_filter`."""


def whole_response(said: Say) -> Body:
    """The answer as one body."""
    tokens_in, tokens_out = said.usage or (0, 0)
    usage = {
        "input_tokens": tokens_in, "input_tokens_details": {"cached_tokens": said.cached}, "output_tokens": tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": tokens_in + tokens_out,
    }  # fmt: skip
    return {
        "id": "resp_1", "object": "response", "created_at": 0, "model": "scripted", "error": None,
        "status": "incomplete" if said.length else "completed", "output": list(_output(said)),
        "incomplete_details": {"reason": "max_output_tokens"} if said.length else None,
        "usage": usage if said.usage else None,
    }  # fmt: skip


def _output(said: Say) -> Iterator[Body]:
    if said.thinks:
        summary = [{"type": "summary_text", "text": "".join(said.thinks)}]
        yield {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "c2VhbGVk"}
    if said.text:
        content = [{"type": "output_text", "text": said.text, "annotations": []}]
        yield {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
    for number, call in enumerate(said.calls):
        arguments = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
        yield {
            "type": "function_call", "id": f"fc_{number}", "call_id": call.id or f"call_{number}", "name": call.name,
            "arguments": arguments, "status": "completed",
        }  # fmt: skip


def response_events(said: Say) -> Iterator[Body]:
    """The answer as events."""
    whole = whole_response(said)
    yield {"type": "response.created", "response": {**whole, "output": [], "usage": None, "status": "in_progress"}}
    for place, item in enumerate(whole["output"]):
        at = {"output_index": place, "item_id": item["id"]}
        bare = {**item, "arguments": ""} if item["type"] == "function_call" else {**item, "content": [], "summary": []}
        yield {"type": "response.output_item.added", "output_index": place, "item": bare}
        if item["type"] == "reasoning":
            for piece in said.thinks:
                yield {"type": "response.reasoning_summary_text.delta", **at, "summary_index": 0, "delta": piece}
        elif item["type"] == "message":
            for start in range(0, len(said.text), 16):
                piece = said.text[start : start + 16]
                yield {"type": "response.output_text.delta", **at, "content_index": 0, "delta": piece}
        else:
            for start in range(0, len(item["arguments"]), 24):
                piece = item["arguments"][start : start + 24]
                yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
        yield {"type": "response.output_item.done", "output_index": place, "item": item}
    yield {"type": f"response.{whole['status']}", "response": whole}
