"""Tool calls that a model wrote into its text, as happens with small models and servers without a parser for them."""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from agent.model.json_repair import is_object, repaired_json
from agent.model.response import ToolCall, new_id
from tools.patterns import deferred

MOST, WORK, DEPTH = 60_000, 200_000, 3
"""Most characters examined, most characters of all objects tried, and how deeply a call may be wrapped."""
_THOUGHT = deferred(r"\A.*</think>|<think>.*", re.DOTALL)
_NAME = r"(?:functions?\.)?([A-Za-z_]\w{0,63})"
_BEFORE = deferred(
    rf"(?:<?function=\s*{_NAME}\s*>|\[TOOL_CALLS\]\s*{_NAME}\s*(?:\[ARGS\])?|<tool_call>\s*{_NAME}|<invoke[^>]*{_NAME}\">)"
    r"\s*\Z"
)
"""A name directly before an object of arguments."""
_TAGGED = deferred(
    rf"<function={_NAME}>\s{{0,64}}"
    r"((?:<parameter=\w{1,64}>(?:(?!<function=).){0,20000}?</parameter>\s{0,64}){0,64})(?=</function>|</tool_call>|\Z)",
    re.DOTALL,
)
_PARAMETER = deferred(r"<parameter=(\w{1,64})>\n?((?:(?!<parameter=).){0,20000}?)\n?</parameter>", re.DOTALL)
_NAMES = ("name", "tool", "tool_name", "function_name", "function")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "tool_input")


def calls_in_text(text: str, known: Collection[str], *, submit: str, quoted: str = "") -> tuple[ToolCall, ...]:
    """The calls of known tools in a text, in order; empty if it's prose.

    Fenced or bare JSON with a name and arguments, `<tool_call>…`, `[TOOL_CALLS] …` and `<function=NAME>…` are
    understood, and the arguments of `submit` without its name. What appears literally in `quoted`, other people's words
    that the model may repeat, isn't a call.
    """
    text = _THOUGHT.sub("", text[:MOST])
    calls = list(_tagged(text, known)) or list(_objects(text, known, submit, quoted))
    return tuple(ToolCall(id=new_id(), name=name, arguments=arguments) for name, arguments in calls)


def _tagged(text: str, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """`<function=NAME><parameter=x>value</parameter></function>`."""
    for match in _TAGGED.finditer(text):
        if match[1] in known and (match[2] or match.end() < len(text)):
            yield match[1], json.dumps({name: _value(given) for name, given in _PARAMETER.findall(match[2])})


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _objects(text: str, known: Collection[str], submit: str, quoted: str) -> Iterator[tuple[str, str]]:
    at, before, work = text.find("{"), 0, 0
    while at >= 0 and work < WORK:
        end = _end(text, at)
        raw = text[at:end]
        work += len(raw)
        given = _loaded(repaired_json(raw))
        found = [] if given is None or (quoted and raw in quoted) else list(_calls(given, known))
        named = _BEFORE.search(text[before:at][-100:])
        if named and (name := next(filter(None, named.groups()))) in known and given is not None:
            found = [(name, json.dumps(given))]
        elif not found and given is not None and isinstance(given.get("outcome"), str) and "causes" in given:
            found = [(submit, json.dumps(given))]
        yield from found
        # What couldn't be parsed may contain something that can.
        before = at = end if given is not None else at + 1
        at = text.find("{", at)


def _end(text: str, start: int) -> int:
    """Where the object that begins here ends, or the end of the text."""
    depth, inside, at = 0, False, start
    while at < len(text):
        letter = text[at]
        if letter == "\\" and inside:
            at += 1
        elif letter == '"':
            inside = not inside
        elif not inside and letter in "{}":
            depth += 1 if letter == "{" else -1
            if depth == 0:
                return at + 1
        at += 1
    return len(text)


def _loaded(text: str) -> dict[str, Any] | None:
    return json.loads(text, parse_constant=str) if is_object(text) else None


def _calls(given: dict[str, Any], known: Collection[str], depth: int = 0) -> Iterator[tuple[str, str]]:
    """The call that an object represents, or those it wraps."""
    name = next((given[key] for key in _NAMES if isinstance(given.get(key), str)), "")
    name = re.sub(r"\Afunctions?\.", "", name.strip())
    if name in known:
        arguments: Any = next((given[key] for key in _ARGUMENTS if key in given), {})
        # Repeating a tool's description isn't a call.
        if "description" not in given and not (isinstance(arguments, dict) and "properties" in arguments):
            yield name, arguments if isinstance(arguments, str) else json.dumps(arguments)
        return
    if depth >= DEPTH:
        return
    for inner in given.values():
        for one in inner if isinstance(inner, list) else [inner]:
            if isinstance(one, dict):
                yield from _calls(one, known, depth + 1)
