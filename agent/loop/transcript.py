"""The conversation with a model, as sent: it only grows at its end until it has to be shortened."""

import json
import re
from collections.abc import Collection, Iterable

from agent.loop.digest import literal, vital_line
from agent.loop.prompts import Prompt
from agent.model.json_repair import is_object
from agent.model.request import REASONING, Wire
from agent.model.response import ToolCall, Turn, new_id
from agent.model.responses_form import ITEMS
from tools.records import Reading

TEXT_MOST, EXTRA_MOST = 20_000, 20_000
"""How many characters are kept of an answer's text, and of what has to be sent back with a call."""
SHORT_MOST = 300
"""How many characters remain of what isn't a reading once the conversation is shortened."""
WRITTEN = "Answers to what you wrote:"
"""Heading for the answers to calls that were written as text."""
Cited = Collection[tuple[str, str]]
"""Readings and their fields that have to stay visible."""


class Transcript:
    """The messages so far, the fixed ones first."""

    def __init__(self, prompt: Prompt) -> None:
        self.messages = prompt.messages()
        self._fixed = len(self.messages)
        self._ids: set[str] = set()

    def add_user_message(self, text: str) -> None:
        """Append a message to the model, unless it is already the last one."""
        message: Wire = {"role": "user", "content": text}
        if self.messages[-1] != message:
            self.messages.append(message)

    def add_answer(self, turn: Turn, calls: Iterable[ToolCall]) -> list[ToolCall]:
        """Append an answer; returns its calls, with ids that no earlier call has."""
        own = [call if call.id not in self._ids else call.model_copy(update={"id": new_id()}) for call in calls]
        self._ids.update(call.id for call in own)
        message: Wire = {"role": "assistant", "content": turn.text[:TEXT_MOST] or None}
        if own and turn.tool_calls:
            message["tool_calls"] = [_sendable_call(call) for call in own]
        if turn.reasoning:
            message[REASONING] = turn.reasoning[:TEXT_MOST]
        if turn.sealed:
            message[ITEMS] = list(turn.sealed)
        if turn.text or turn.tool_calls:
            self.messages.append(message)
        return own

    def add_results(self, turn: Turn, answers: Iterable[tuple[ToolCall, str]]) -> None:
        """Append the answers to a turn's calls, in the same form as the calls."""
        if turn.tool_calls:
            self.messages += [{"role": "tool", "tool_call_id": call.id, "content": text} for call, text in answers]
        elif lines := [f"{call.name}: {text}" for call, text in answers]:
            self.add_user_message("\n".join([WRITTEN, *lines]))

    def close_open_calls(self, why: str) -> None:
        """Answer the abandoned calls, since a conversation can't continue with an open one."""
        answered = {message["tool_call_id"] for message in self.messages if message["role"] == "tool"}
        last = next((message for message in reversed(self.messages) if message["role"] == "assistant"), {})
        for call in last.get("tool_calls") or ():
            if call["id"] not in answered:
                self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": why})

    def shorten(self, readings: Iterable[Reading], cited: Cited) -> bool:
        """Shorten older tool answers: a reading becomes its line of the digest; returns whether any was.

        What a finding cites stays complete at first, as does the newest answer; later only the cited fields are kept.
        """
        by_id = {reading.id: reading for reading in readings}
        return any(self._shorten(by_id, cited, hard=hard) for hard in (False, True))

    def _shorten(self, by_id: dict[str, Reading], cited: Cited, *, hard: bool) -> bool:
        before = list(self.messages)
        newest = max((n for n, message in enumerate(self.messages) if message["role"] == "assistant"), default=0)
        whole = {id for id, _ in cited}
        for number, message in enumerate(self.messages):
            if number < self._fixed or (number >= newest and not hard):
                continue
            content = message.get("content") or ""
            if message["role"] == "assistant":
                if hard and len(content) > SHORT_MOST:
                    self.messages[number] = {**message, "content": f"{content[:SHORT_MOST]}…"}
            elif message["role"] == "tool" or content.startswith(WRITTEN):
                lines = content.splitlines() if content.startswith(WRITTEN) else [content]
                short = [_short(line, by_id, cited, spared=set() if hard else whole) for line in lines]
                self.messages[number] = {**message, "content": "\n".join(short)}
        return self.messages != before


def _short(text: str, by_id: dict[str, Reading], cited: Cited, *, spared: set[str]) -> str:
    found = re.match(r'(?:\w+: )?\{"id":"(r\d+)"', text)
    if found is None:
        return text if len(text) <= SHORT_MOST else f"{text[:SHORT_MOST]}… (shortened)"
    reading = by_id.get(found[1])
    if reading is None or reading.id in spared:
        return text
    cited_fields = [f"{field}={literal(reading.get(field))}" for id, field in sorted(cited) if id == reading.id]
    line = " ".join([vital_line(reading), *(one for one in cited_fields if one not in vital_line(reading))])
    return line if len(line) < len(text) else text


def _sendable_call(call: ToolCall) -> Wire:
    """A call as sent back: endpoints refuse a conversation with a broken call, whose answer is an error anyway."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", call.name)[:64] or "unnamed"
    arguments = call.arguments if is_object(call.arguments) and len(call.arguments) <= TEXT_MOST else "{}"
    echoed: Wire = {"id": call.id, "type": "function", "function": {"name": name, "arguments": arguments}}
    if call.extra and len(json.dumps(call.extra)) <= EXTRA_MOST:
        echoed["extra_content"] = call.extra
    return echoed
