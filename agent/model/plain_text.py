"""A conversation for simpler endpoints: without tools, without a system message, in strict turns."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

Wire = dict[str, Any]
"""A message or a tool in the endpoint's own form."""
HOW = (
    "To call a tool, write this with its name and arguments, and nothing else:\n"
    '<tool_call>{"name": "...", "arguments": {...}}</tool_call>\n'
    "You may write several in a row. The answers come in the next message. The tools:"
)


def as_plain_text(messages: Iterable[Wire], tools: Sequence[Wire]) -> list[Wire]:
    """The conversation with the tools described in the first message, and calls and answers as text."""
    functions = (tool["function"] for tool in tools)
    descriptions = [
        json.dumps({key: one[key] for key in one if key != "strict"}, ensure_ascii=False) for one in functions
    ]
    names: dict[str, str] = {}
    words: list[Wire] = []
    for number, message in enumerate(messages):
        if message["role"] == "tool":
            answered = names.get(message["tool_call_id"], "the tool")
            words.append({"role": "user", "content": f"{answered} answered: {message['content']}"})
            continue
        calls = message.get("tool_calls") or ()
        names |= {call["id"]: call["function"]["name"] for call in calls}
        content = "\n".join(filter(None, [message.get("content") or "", *map(_call_text, calls)]))
        if number == 0:
            content = "\n".join([content, "", HOW, *descriptions])
        words.append({"role": message["role"], "content": content})
    return alternating_turns(words, keep_system=True)


def _call_text(call: Wire) -> str:
    function = call["function"]
    return f'<tool_call>{{"name": {json.dumps(function["name"])}, "arguments": {function["arguments"]}}}</tool_call>'


def alternating_turns(messages: Iterable[Wire], *, keep_system: bool = False) -> list[Wire]:
    """The conversation with the system's message inside the first of the user, and no two of one side in a row."""
    turns: list[Wire] = []
    for message in messages:
        role = "user" if message["role"] == "system" and not keep_system else message["role"]
        last = turns[-1] if turns else None
        plain = role in ("user", "assistant") and not message.get("tool_calls")
        if last is not None and plain and last["role"] == role and not last.get("tool_calls"):
            turns[-1] = {**last, "content": f"{last['content']}\n\n{message['content']}"}
        else:
            turns.append({**message, "role": role})
    return turns
