"""One answer of the model, collected from whatever form an endpoint sends it in."""

import json
from typing import Any
from uuid import uuid4

from agent.model.request import REASONING
from tools.records import Record

ID_MOST = 200
"""Most characters of a call's id and of its tool's name."""
MOST_CALLS = 64
"""The most calls taken from one answer: each delta is looked up among them."""


class ToolCall(Record):
    """A tool call by the model."""

    id: str
    name: str
    arguments: str
    """JSON text as the model wrote it; may be broken."""
    extra: dict[str, Any] | None = None
    """What has to go back to the endpoint with the call: some sign calls."""


class Turn(Record):
    """One answer of the model."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    tokens_in: int
    tokens_out: int
    """Tokens as counted by the endpoint; 0 if it doesn't say."""
    finish_reason: str | None
    refusal: str = ""
    """The model's words if it refuses, which some endpoints separate from its text."""
    tokens_cached: int = 0
    """How many of the input tokens the provider had in its cache."""
    sealed: tuple[dict[str, Any], ...] = ()
    """Its encrypted reasoning, to be sent back to an endpoint of the Responses form."""
    reasoning: str = ""
    """Its reasoning, if the endpoint sends it: not part of its answer."""

    @property
    def message(self) -> dict[str, Any]:
        """Its text and calls in the form of a message."""
        calls = [
            {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
            for one in self.tool_calls
        ]
        return {"role": "assistant", "content": self.text or self.refusal, "tool_calls": calls}


def new_id() -> str:
    """An id for a call that has none; some endpoints accept only nine letters and digits."""
    return uuid4().hex[:9]


class AnswerPieces:
    """The pieces of an answer so far; a complete message is one large piece."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.answered = False
        """Whether any choice was seen."""
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[_PartialCall] = []
        self.thought = ""
        """What the newest piece adds to the model's reported thinking."""
        self._tokens = (0, 0, 0)

    def feed(self, chunk: object) -> str:
        """Take a chunk or a complete completion; returns the text it added. What isn't understood is skipped."""
        self.thought = ""
        if not isinstance(chunk, dict):
            return ""
        if isinstance(usage := chunk.get("usage"), dict):
            self._tokens = usage_of(usage)
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return ""
        self.answered = True
        if isinstance(reason := choices[0].get("finish_reason"), str):
            self.finish_reason = reason
        delta = choices[0].get("delta") or choices[0].get("message")
        if not isinstance(delta, dict):
            return ""
        pieces = delta.get("tool_calls")
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, dict):
                self._slot(piece).add(piece)
        self._refusal.append(whole_letters(_text(delta.get("refusal"))))
        self._reasoning.append(whole_letters(_text(delta.get(REASONING))))
        # Some endpoints use a shorter name for it, and want none of it back.
        self.thought = self._reasoning[-1] or whole_letters(_text(delta.get("reasoning")))
        text = whole_letters(_text(delta.get("content")))
        self._text.append(text)
        return text

    def turn(self) -> Turn:
        """The answer as collected so far."""
        calls: list[ToolCall] = []
        for slot in self._calls:
            if slot.name or slot.arguments:
                # A missing or duplicate id would tie an answer to the wrong call.
                id = slot.id if slot.id and slot.id not in {call.id for call in calls} else new_id()
                calls.append(ToolCall(id=id, name=slot.name, arguments=whole_escapes(slot.arguments), extra=slot.extra))
        tokens_in, tokens_out, cached = self._tokens
        return Turn(
            text="".join(self._text), tool_calls=tuple(calls), tokens_in=tokens_in, tokens_out=tokens_out,
            finish_reason=self.finish_reason, refusal="".join(self._refusal), reasoning="".join(self._reasoning),
            tokens_cached=cached,
        )  # fmt: skip

    def _slot(self, piece: dict[str, Any]) -> "_PartialCall":
        index, id, name = piece.get("index"), piece.get("id"), _function(piece).get("name")
        index = index if isinstance(index, int) else None
        known = [slot for slot in self._calls if slot.index == index] if index is not None else self._calls
        if isinstance(id, str) and id:
            known = [slot for slot in known if slot.id in (sound_id(id), "")]
        # Some endpoints give every parallel call the same index, or none: then a new id, or a name after arguments
        # have begun, starts the next call.
        elif index is None and name and known and known[-1].begun:
            known = []
        if not known and len(self._calls) >= MOST_CALLS:
            # The results of these are discarded.
            return _PartialCall(index)
        if not known:
            self._calls.append(_PartialCall(index))
            return self._calls[-1]
        return known[-1]


class _PartialCall:
    """One tool call as it grows."""

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self._arguments: list[str] = []
        self.extra: dict[str, Any] | None = None

    @property
    def begun(self) -> bool:
        """Whether there are arguments so far."""
        return any(self._arguments)

    @property
    def arguments(self) -> str:
        """The JSON text so far."""
        return "".join(self._arguments)

    def add(self, piece: dict[str, Any]) -> None:
        if isinstance(id := piece.get("id"), str) and id:
            self.id = sound_id(id)
        if isinstance(extra := piece.get("extra_content"), dict):
            self.extra = extra
        function = _function(piece)
        name, arguments = function.get("name"), function.get("arguments")
        if isinstance(name, str) and name != self.name and len(self.name) < ID_MOST:
            self.name += whole_letters(name)[:ID_MOST]
        if isinstance(arguments, str):
            self._arguments.append(whole_letters(arguments))
        elif isinstance(arguments, dict):
            # Common, although against the format: an object in place of its JSON text.
            self._arguments = [json.dumps(arguments)]


def _function(piece: dict[str, Any]) -> dict[str, Any]:
    function = piece.get("function")
    return function if isinstance(function, dict) else {}


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def whole_letters(text: str) -> str:
    """Text without lone surrogates, which can be neither sent back nor printed."""
    return text.encode("utf-8", "replace").decode()


def whole_escapes(arguments: str) -> str:
    """JSON text without lone surrogates, also in its escapes."""
    if "\\ud" not in arguments.lower():
        return arguments
    try:
        return whole_letters(json.dumps(json.loads(arguments), ensure_ascii=False))
    except (ValueError, RecursionError):
        return arguments


def sound_id(id: str) -> str:
    """An id or a name, without lone surrogates and bounded."""
    return whole_letters(id)[:ID_MOST]


def usage_of(usage: object) -> tuple[int, int, int]:
    """Tokens in, out, and cached input tokens, under whatever names an endpoint uses."""
    if not isinstance(usage, dict):
        return 0, 0, 0
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    of_details = details.get("cached_tokens") if isinstance(details, dict) else None
    names = ("prompt_cache_hit_tokens", "cache_read_input_tokens")
    cached = next(filter(None, map(_count, (of_details, *map(usage.get, names)))), 0)
    tokens_in = _count(usage.get("prompt_tokens")) or _count(usage.get("input_tokens"))
    tokens_out = _count(usage.get("completion_tokens")) or _count(usage.get("output_tokens"))
    return tokens_in, tokens_out, min(cached, tokens_in)


def _count(tokens: object) -> int:
    return max(0, int(tokens)) if isinstance(tokens, int | float) and abs(tokens) < 1e12 else 0
