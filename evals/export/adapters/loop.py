"""A model in OpenAI's wire format that works on an exported task with some tools, bounded, and with nothing of ours."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from openai import AsyncOpenAI

MOST_TURNS = 40


class Tool(NamedTuple):
    """What a model may call."""

    description: str
    parameters: Mapping[str, str]
    """The JSON type of each; all are optional but for those of `needs`."""
    call: Callable[[Mapping[str, Any]], Awaitable[str]]
    needs: tuple[str, ...] = ()

    def schema(self, name: str) -> Any:
        """As the request has it."""
        return {
            "type": "function",
            "function": {
                "name": name, "description": self.description,
                "parameters": {
                    "type": "object", "properties": {key: {"type": kind} for key, kind in self.parameters.items()},
                    "required": [*self.needs], "additionalProperties": False,
                },
            },
        }  # fmt: skip


async def solve(
    client: AsyncOpenAI, model: str, system: str, page: str, tools: Mapping[str, Tool], turns: int = MOST_TURNS
) -> str:
    """What a model says in the end; empty if it was still calling tools when its turns were over."""
    messages: list[Any] = [{"role": "system", "content": system}, {"role": "user", "content": page}]
    offered = [tool.schema(name) for name, tool in tools.items()]
    for _ in range(turns):
        reply = await client.chat.completions.create(model=model, messages=messages, tools=offered)
        message = reply.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        if not message.tool_calls:
            return message.content or ""
        for call in message.tool_calls:
            # Whatever kind of call it is, it has to be answered.
            named = (call.function.name, call.function.arguments) if call.type == "function" else ("", "")
            messages.append({"role": "tool", "tool_call_id": call.id, "content": await _called(tools, *named)})
    return ""


async def _called(tools: Mapping[str, Tool], name: str, arguments: str) -> str:
    tool = tools.get(name)
    if tool is None:
        return f"there is no tool {name!r}"
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        return f"the arguments aren't JSON: {error}"
    kinds = {"string": str, "integer": int}
    if not isinstance(given, dict) or set(tool.needs) - {*given} or {*given} - {*tool.parameters}:
        known, needed = (", ".join(names) or "none" for names in (tool.parameters, tool.needs))
        return f"the arguments of {name} are {known}; needed: {needed}"
    if wrong := [key for key, value in given.items() if not isinstance(value, kinds[tool.parameters[key]])]:
        return f"{wrong[0]} has to be of type {tool.parameters[wrong[0]]}"
    return await tool.call(given)
