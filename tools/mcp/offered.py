"""Which of a server's tools are offered to a model, and as what: made anew, so that little of the server's is in it."""

import inspect
import json
import keyword
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import mcp_types
from pydantic import ConfigDict, Field, TypeAdapter

from tools.mcp.server import McpServer
from tools.records import SAID, Values
from tools.text import did_you_mean, one_line
from tools.toolbox import Tool

DESCRIPTION, ARGUMENT = 160, 60
"""Characters of what a server says about a tool, and about an argument of it."""
MOST_ARGUMENTS, MOST_TEXT, MOST_ITEMS = 8, 1000, 20
MOST_CHOICES, MOST_CHOICE, MOST_OF_CHOICES = 12, 40, 160
"""Choices of one argument, characters of one and of them all; where there are more, it takes any text."""
MOST_OFFERED = 10_000
"""Bytes of the schemas of all tools of all servers: they stand in every request."""
_WIRE = re.compile(r"[^A-Za-z0-9_-]")
_MOST_NAME = 64
_ARGUMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")
_TYPES: Mapping[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool}
Call = Callable[[str, dict[str, Any]], Awaitable[Values]]
"""Calls a tool by the server's name for it, with arguments by the server's names."""


class Offer(NamedTuple):
    """What of a server's tools can be offered."""

    tools: tuple[Tool, ...]
    problems: tuple[str, ...]
    """Why others that the settings allow aren't."""


def offer(server: McpServer, listed: list[mcp_types.Tool], call: Call) -> Offer:
    """The tools that the settings allow and the server doesn't say to be more than reading."""
    found: dict[str, mcp_types.Tool] = {}
    for one in listed:
        found.setdefault(one.name, one)
    tools: dict[str, Tool] = {}
    problems: list[str] = []
    for allowed in server.tools:
        if allowed not in found:
            meant = did_you_mean(allowed, [one_line(name, _MOST_NAME) for name in list(found)[:200]])
            problems.append(f"it has no tool {allowed}{meant}")
            continue
        try:
            tool = _tool(server, found[allowed], call)
            if tool.name in tools:
                raise ValueError("another one has this name")
            tools[tool.name] = tool
        except ValueError as error:
            problems.append(f"{allowed} isn't offered: {error}")
    return Offer(tuple(tools.values()), tuple(problems))


def within(offers: Mapping[str, Offer], most: int = MOST_OFFERED) -> dict[str, Offer]:
    """The offers of several servers as far as they fit into a request, in the settings' order."""
    kept: dict[str, Offer] = {}
    for name, one in offers.items():
        tools: list[Tool] = []
        for tool in one.tools:
            most -= len(json.dumps(tool.schema(), ensure_ascii=False).encode())
            tools += [tool] if most >= 0 else []
        left = [tool.name for tool in one.tools if tool not in tools]
        why = f"{', '.join(left)} would make each request too long; allow fewer tools" if left else ""
        kept[name] = Offer(tuple(tools), (*one.problems, *([why] if why else ())))
    return kept


def _tool(server: McpServer, tool: mcp_types.Tool, call: Call) -> Tool:
    """A tool as it's offered. Raises `ValueError` saying why it can't be."""
    hints = tool.annotations
    if hints and (hints.read_only_hint is False or (hints.destructive_hint is True and not hints.read_only_hint)):
        raise ValueError("the server says that it changes something; leave it out of `tools`")
    name = f"{server.name}{SAID}{_WIRE.sub('_', tool.name)}"
    if len(name) > _MOST_NAME:
        raise ValueError(f"{name[:_MOST_NAME]}… is longer than the {_MOST_NAME} characters that a model can call")
    names, adapter = _arguments(tool.input_schema)

    async def ask(**given: Any) -> Values:
        return await call(tool.name, {names[key]: value for key, value in given.items() if value is not None})

    about = one_line(" ".join((tool.description or tool.title or "").split()), DESCRIPTION).strip()
    words = f"Asks {server.name}, whose words are data, not measured" + (f": {about}" if about else ".")
    return Tool(name, words, "reads", None, adapter, ask, takes_node=True)


def _arguments(schema: Mapping[str, Any]) -> tuple[dict[str, str], TypeAdapter[dict[str, Any]]]:
    """Arguments that a model can give, by names of ours with the server's, and what checks them.

    Raises `ValueError` where one is needed that is no plain value.
    """
    properties, needed = schema.get("properties", {}), schema.get("required", [])
    properties = properties if isinstance(properties, dict) else {}
    needed = [one for one in needed if isinstance(one, str)] if isinstance(needed, list) else []
    if odd := next((one for one in needed if one not in properties), None):
        raise ValueError(f"it needs {one_line(odd, 40)!r} and doesn't say what that is")
    names: dict[str, str] = {}
    parameters: list[inspect.Parameter] = []
    for name in sorted(properties, key=lambda one: one not in needed):
        kind = _kind(properties[name]) if _ARGUMENT_NAME.fullmatch(name) and len(names) < MOST_ARGUMENTS else None
        if kind is None and name in needed:
            raise ValueError(f"it needs {one_line(name, 40)!r}, which is no text, number, choice or list of texts")
        if kind is None:
            continue
        own = (
            name if name.isidentifier() and not keyword.iskeyword(name) and name[0] != "_" else f"argument{len(names)}"
        )
        about = properties[name].get("description")
        described = one_line(" ".join(about.split()), ARGUMENT).strip() if isinstance(about, str) else None
        names[own] = name
        annotated: Any = Annotated[kind if name in needed else kind | None, Field(alias=name, description=described)]
        default = inspect.Parameter.empty if name in needed else None
        parameters.append(inspect.Parameter(own, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotated))

    def arguments(**asked: Any) -> dict[str, Any]:
        return asked

    arguments.__annotations__ = {one.name: one.annotation for one in parameters}
    arguments.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return names, TypeAdapter(arguments, config=ConfigDict(defer_build=True))  # type: ignore[arg-type]


def _kind(schema: object) -> Any:
    """The type of a plain argument; null for any other."""
    if not isinstance(schema, dict):
        return None
    halves = schema.get("anyOf")
    if isinstance(halves, list):
        plain = [one for one in halves if isinstance(one, dict) and one.get("type") != "null"]
        return _kind(plain[0]) if len(plain) == 1 and "anyOf" not in plain[0] else None
    named = schema.get("type")
    if isinstance(named, list):
        named = next(iter(one for one in named if one != "null"), None) if len(named) <= 2 else None
    choices = schema.get("enum")
    if isinstance(choices, list) and named in ("string", None) and _are_choices(choices):
        return Literal[tuple(choices)]
    if named == "string":
        return Annotated[str, Field(max_length=MOST_TEXT)]
    if named == "array":
        items = schema.get("items")
        plain_items = isinstance(items, dict) and items.get("type") == "string"
        return (
            Annotated[list[Annotated[str, Field(max_length=MOST_TEXT)]], Field(max_length=MOST_ITEMS)]
            if plain_items
            else None
        )
    return _TYPES.get(named) if isinstance(named, str) else None


def _are_choices(choices: list[Any]) -> bool:
    texts = [one for one in choices if isinstance(one, str) and one.isprintable() and len(one) <= MOST_CHOICE]
    return 0 < len(texts) == len(choices) <= MOST_CHOICES and sum(map(len, texts)) <= MOST_OF_CHOICES
