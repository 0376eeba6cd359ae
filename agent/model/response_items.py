"""One answer in the Responses form, collected from its events or taken as a whole."""

import json
from typing import Any

from agent.model.response import MOST_CALLS, ToolCall, Turn, new_id, sound_id, usage_of, whole_escapes, whole_letters

ITEMS_MOST = 20_000
"""Most characters of encrypted reasoning that are kept."""
_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_ENDS = ("response.completed", "response.incomplete", "response.failed")


class ResponseItems:
    """The pieces of an answer so far; a complete response is its last event."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.answered = False
        """Whether any part of an answer was seen."""
        self.thought = ""
        """What the newest piece adds to the model's reported thinking."""
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[object, dict[str, str]] = {}
        self._sealed: list[dict[str, Any]] = []
        self._tokens = (0, 0, 0)

    def feed(self, event: object) -> str:
        """Take an event or a complete response; returns the text it added. What isn't understood is skipped."""
        self.thought = ""
        if not isinstance(event, dict):
            return ""
        kind, delta = event.get("type"), event.get("delta")
        piece = whole_letters(delta) if isinstance(delta, str) else ""
        if kind in _THOUGHTS:
            self.thought = piece
        elif kind == "response.refusal.delta":
            self._refusal.append(piece)
        elif kind == "response.function_call_arguments.delta":
            self._call(event.get("output_index"), {})["arguments"] += piece
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._item(event.get("output_index"), event.get("item"))
        elif kind in _ENDS or event.get("object") == "response":
            return self._whole(event.get("response") if kind in _ENDS else event)
        elif kind == "response.output_text.delta":
            self.answered = True
            self._text.append(piece)
            return piece
        return ""

    def _whole(self, response: object) -> str:
        if not isinstance(response, dict):
            return ""
        self.answered = True
        self._tokens = usage_of(response.get("usage"))
        lack = response.get("incomplete_details")
        reason = lack.get("reason") if isinstance(lack, dict) else None
        self.finish_reason = {"max_output_tokens": "length", None: "stop"}.get(reason, str(reason))
        text = ""
        items = response.get("output")
        for number, item in enumerate(items if isinstance(items, list) else ()):
            self._item(number, item)
            if isinstance(item, dict) and item.get("type") == "message" and not self._text:
                text += "".join(
                    whole_letters(part["text"]) for part in item.get("content") or ()
                    if isinstance(part, dict) and isinstance(part.get("text"), str)
                )  # fmt: skip
        if text:
            self._text.append(text)
        if self._calls and self.finish_reason == "stop":
            self.finish_reason = "tool_calls"
        return text

    def _item(self, place: object, item: object) -> None:
        if not isinstance(item, dict):
            return
        self.answered = True
        sealed = item.get("encrypted_content")
        if item.get("type") == "function_call":
            self._call(place, item)
        elif item.get("type") == "reasoning" and isinstance(sealed, str) and len(sealed) <= ITEMS_MOST:
            known = {one.get("id") for one in self._sealed}
            if item.get("id") not in known and len(self._sealed) < MOST_CALLS:
                # Its reported thinking stays here: only the encrypted part has to be sent back.
                self._sealed.append({"type": "reasoning", "id": item.get("id"), "summary": [],
                                     "encrypted_content": sealed})  # fmt: skip

    def _call(self, place: object, item: dict[str, Any]) -> dict[str, str]:
        key = place if isinstance(place, int) else item.get("call_id") if isinstance(item.get("call_id"), str) else None
        if key not in self._calls and len(self._calls) >= MOST_CALLS:
            return {"arguments": ""}
        call = self._calls.setdefault(key, {"id": "", "name": "", "arguments": ""})
        for name, given in (("id", item.get("call_id")), ("name", item.get("name"))):
            if isinstance(given, str) and given:
                call[name] = sound_id(given)
        arguments = item.get("arguments")
        if isinstance(arguments, str) and arguments:
            call["arguments"] = whole_letters(arguments)
        elif isinstance(arguments, dict):
            call["arguments"] = json.dumps(arguments)
        return call

    def turn(self) -> Turn:
        """The answer as collected so far."""
        calls: list[ToolCall] = []
        for one in self._calls.values():
            id = one["id"] if one["id"] and one["id"] not in {call.id for call in calls} else new_id()
            calls.append(ToolCall(id=id, name=one["name"], arguments=whole_escapes(one["arguments"])))
        tokens_in, tokens_out, cached = self._tokens
        return Turn(
            text="".join(self._text), tool_calls=tuple(calls), tokens_in=tokens_in, tokens_out=tokens_out,
            tokens_cached=cached, finish_reason=self.finish_reason, refusal="".join(self._refusal),
            sealed=tuple(self._sealed),
        )  # fmt: skip
