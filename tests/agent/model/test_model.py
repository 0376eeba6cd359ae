"""The chat client, against a real endpoint that behaves as endpoints do."""

import json
import time
from collections.abc import Iterable
from typing import Any

import pytest

from agent.answer.events import Event, ModelRetried, ModelText
from agent.model.client import Model, ModelError
from agent.model.request import ABILITIES, serial_calls
from agent.model.response import AnswerPieces, Turn
from evals.endpoint import Body, Call, Cut, Endpoint, Hang, Move, Raw, Say, Script, Status, endpoint

MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "What is it?"}]
PARAMETERS = {
    "type": "object", "properties": {"x": {"type": ["string", "null"]}}, "required": ["x"],
    "additionalProperties": False,
}  # fmt: skip
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "submit", "description": "d", "strict": True, "parameters": PARAMETERS}}
]
KEY = "sk-verysecretkey0123456789"


class Asked:
    """What one question came to."""

    def __init__(self, turn: Turn | None, error: str, events: list[Event], at: Endpoint, model: Model) -> None:
        self.answer = turn
        self.error = error
        self.events = events
        self.requests = at.requests
        self.abilities = model.abilities

    @property
    def turn(self) -> Turn:
        assert self.answer is not None, self.error
        return self.answer

    @property
    def retried(self) -> list[ModelRetried]:
        return [event for event in self.events if isinstance(event, ModelRetried)]


async def ask(
    script: Script | Iterable[Move], *, timeout: float = 5.0, seconds: float = 10.0, choice: str | None = None,
    max_tokens: int | None = None, messages: list[dict[str, Any]] = MESSAGES, key: str = KEY, times: int = 1,
) -> Asked:  # fmt: skip
    events: list[Event] = []
    turn, error = None, ""
    async with endpoint(script) as at:
        async with Model(
            "m", events.append, timeout=timeout, max_tokens=max_tokens, base_url=at.url, api_key=key, backoff=0.01
        ) as model:
            try:
                for _ in range(times):
                    turn = await model.ask(messages, TOOLS, ends=time.monotonic() + seconds, choice=choice)
            except ModelError as failure:
                turn, error = None, str(failure)
        return Asked(turn, error, events, at, model)


TWO = Say(text="Let me look at both of them.", calls=(Call(name="info", arguments={"a": 1}), Call(name="ping")))


@pytest.mark.parametrize("plain", [False, True])
async def test_text_and_parallel_calls(plain: bool) -> None:
    asked = await ask([TWO.model_copy(update={"plain": plain})])
    turn = asked.turn
    assert turn.text == TWO.text
    assert [(call.name, json.loads(call.arguments)) for call in turn.tool_calls] == [("info", {"a": 1}), ("ping", {})]
    assert len({call.id for call in turn.tool_calls}) == 2
    assert (turn.tokens_in, turn.tokens_out, turn.finish_reason) == (1000, 50, "tool_calls")
    assert "".join(event.text for event in asked.events if isinstance(event, ModelText)) == TWO.text
    assert asked.requests[0]["stream"] is True
    assert asked.requests[0]["stream_options"] == {"include_usage": True}
    assert asked.abilities == ABILITIES - ({"stream"} if plain else set())


async def test_the_forced_tool_and_the_bound_on_tokens_are_sent() -> None:
    asked = await ask([Say(text="x")], choice="submit", max_tokens=77)
    assert asked.requests[0]["tool_choice"] == {"type": "function", "function": {"name": "submit"}}
    assert asked.requests[0]["max_tokens"] == 77


async def test_usage_that_is_absent_is_nothing() -> None:
    asked = await ask([Say(text="x", usage=None)])
    assert (asked.turn.tokens_in, asked.turn.tokens_out) == (0, 0)


@pytest.mark.parametrize("after", ["0.01", "0", "soon", "nan", "-1"])
async def test_429_is_asked_again_after_what_it_says(after: str) -> None:
    asked = await ask([Status(code=429, headers={"Retry-After": after}), Say(text="x")])
    assert asked.turn.text == "x"
    (event,) = asked.retried
    assert "429" in event.why
    if after in ("0.01", "0"):
        assert event.seconds == float(after)


async def test_429_for_longer_than_the_deadline_is_given_up_at_once() -> None:
    asked = await ask([Status(code=429, headers={"Retry-After": "3600"})], seconds=5)
    assert "429" in asked.error and "deadline" in asked.error
    assert not asked.retried


@pytest.mark.parametrize("move", [Status(code=500), Status(code=503), Cut(after=Say(text="a long text, cut off"))])
async def test_what_may_pass_is_asked_again_and_bounded(move: Move) -> None:
    assert (await ask([move, move, Say(text="x")])).turn.text == "x"
    asked = await ask([move] * 9)
    assert "asked 4 times" in asked.error and "\n" not in asked.error
    assert len(asked.requests) == 4
    assert len(asked.retried) == 3


async def test_nobody_there() -> None:
    events: list[Event] = []
    async with Model("m", events.append, base_url="http://127.0.0.1:1/v1", api_key=KEY, backoff=0.01) as model:
        with pytest.raises(ModelError, match="ConnectError"):
            await model.ask(MESSAGES, TOOLS, ends=time.monotonic() + 10)


@pytest.mark.parametrize("url", ["nonsense", "http://[bad/v1", "ftp://127.0.0.1/v1"])
async def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(ModelError):
        async with Model("m", lambda _: None, base_url=url, api_key=KEY, backoff=0.01) as model:
            await model.ask(MESSAGES, TOOLS, ends=time.monotonic() + 10)


@pytest.mark.parametrize("after", [None, Say(text="a long text that never ends")])
async def test_an_endpoint_that_hangs_ends_by_the_time_of_one_answer(after: Say | None) -> None:
    asked = await ask([Hang(after=after), Say(text="x")], timeout=0.3)
    assert asked.turn.text == "x"
    assert "0.3 s" in asked.retried[0].why


@pytest.mark.parametrize("after", [None, Say(text="a long text that never ends")])
async def test_an_endpoint_that_hangs_ends_by_the_deadline(after: Say | None) -> None:
    asked = await ask([Hang(after=after)] * 9, timeout=60, seconds=0.4)
    assert "no complete answer" in asked.error


async def test_no_time_left() -> None:
    asked = await ask([Say(text="x")], seconds=-1)
    assert "deadline" in asked.error and not asked.requests


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413])
async def test_what_will_not_pass_is_not_asked_again(code: int) -> None:
    asked = await ask([Status(code=code, message=f"the key {KEY} is bad\nand\x1b[31m more")])
    assert str(code) in asked.error
    assert "secret" not in asked.error and "\n" not in asked.error and "\x1b" not in asked.error
    assert len(asked.requests) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_gets_no_prompt(code: int) -> None:
    async with endpoint([Say(text="x")]) as other:
        asked = await ask([Status(code=code, headers={"Location": f"{other.url}/chat/completions?{KEY}"})])
        place = other.url.removeprefix("http://").removesuffix("/v1")
        assert f"{code} and redirects to {place}, which isn't sent the" in asked.error and "secret" not in asked.error
        assert other.requests == [] and len(asked.requests) == 1


async def test_a_quota_that_is_used_up_is_not_asked_again() -> None:
    asked = await ask([Status(code=429, error={"code": "insufficient_quota"})])
    assert len(asked.requests) == 1 and "429" in asked.error


@pytest.mark.parametrize("key", ["sk-ключ-секрет", f"{KEY}\nX: y", ""])
async def test_a_key_that_cannot_be_sent_is_not_told(key: str) -> None:
    asked = await ask([Say(text="x")], key=key)
    assert "sk-" not in asked.error
    assert asked.error or not key


def refuse(ability: str, message: str, code: int = 400) -> Script:
    def move(body: Body) -> Move:
        used = {
            "stream": "stream" in body, "stream_options": "stream_options" in body,
            "strict": "strict" in body["tools"][0]["function"], "tool_choice": "tool_choice" in body,
            "max_tokens": "max_tokens" in body,
            "parallel": any(len(message.get("tool_calls", ())) > 1 for message in body["messages"]),
        }  # fmt: skip
        return Status(code=code, message=message) if used[ability] else Say(text="x")

    return move


HISTORY: list[dict[str, Any]] = [
    *MESSAGES,
    {"role": "assistant", "content": "both", "tool_calls": [{"id": "a", "type": "function"}, {"id": "b"}]},
    {"role": "tool", "tool_call_id": "a", "content": "1"},
    {"role": "tool", "tool_call_id": "b", "content": "2"},
]


@pytest.mark.parametrize(
    ("ability", "message", "code"),
    [
        ("stream", "Streaming is not supported for this model", 400),
        ("stream", "Cannot use tools with stream", 500),
        ("stream_options", "Unrecognized request argument supplied: stream_options", 400),
        ("stream_options", "body.stream_options: Extra inputs are not permitted", 422),
        ("strict", "Invalid schema for function 'submit': strict is unknown", 400),
        ("parallel", "This model only supports single tool-calls at once!", 400),
        ("tool_choice", "No endpoints found that support the provided 'tool_choice' value.", 404),
        ("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", 400),
    ],
)
async def test_what_an_endpoint_refuses_is_found_out_once(ability: str, message: str, code: int) -> None:
    asked = await ask(
        refuse(ability, message, code), choice="submit", max_tokens=77, messages=HISTORY, times=3
    )  # fmt: skip
    assert asked.turn.text == "x"
    assert len(asked.requests) == 4
    assert asked.abilities == ABILITIES - {ability}
    assert not asked.retried


async def test_an_endpoint_that_refuses_everything() -> None:
    def move(body: Body) -> Move:
        for ability in ("stream_options", "stream", "tool_choice", "max_tokens"):
            if ability in body:
                return Status(code=400, message=f"unknown field {ability}")
        if "strict" in json.dumps(body["tools"]) or "additionalProperties" in json.dumps(body["tools"]):
            return Status(code=400, message="bad schema")
        return Say(text="x")

    asked = await ask(move, choice="submit", max_tokens=77)
    assert asked.turn.text == "x"
    last = asked.requests[-1]
    assert last["max_completion_tokens"] == 77
    assert last["tools"][0]["function"]["parameters"]["properties"]["x"] == {"type": "string"}


async def test_a_refusal_that_stays_is_an_error() -> None:
    asked = await ask(lambda _: Status(code=400, message="stream_options, stream, strict schema"))
    assert "400" in asked.error
    assert len(asked.requests) == 4


def test_calls_one_by_one() -> None:
    told = serial_calls(HISTORY)
    assert [message["role"] for message in told] == ["user", "assistant", "tool", "assistant", "tool"]
    assert [message.get("tool_call_id") for message in told][2::2] == ["a", "b"]


CHUNK = 'data: {"choices": [{"index": 0, "delta": %s, "finish_reason": %s}]}\n\n'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (CHUNK % ('{"content": "x"}', '"stop"'), "x"),
        (CHUNK % ('{"content": "x"}', "null") + "data: [DONE]\n\n", "x"),
        (": ping\r\nevent: x\r\n" + CHUNK % ('{"content": "a\u2028b"}', '"stop"') + "data: [DONE]\r\n\r\n", "a\u2028b"),
        (CHUNK % ('{"content": [{"type": "text", "text": "x"}]}', '"stop"'), "x"),
        ('data: {"choices": []}\n\ndata: null\n\ndata: 5\n\n' + CHUNK % ("null", '"stop"'), ""),
        (CHUNK % ('{"content": "a\\ud83d"}', '"stop"'), "a?"),
        (CHUNK % ('{"content": 5, "tool_calls": "none"}', '"stop"'), ""),
        ('data: {"usage": "many", "choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n', "x"),
        ("data: [DONE]\n\n", ""),
        ('{"choices": [{"message": {"content": "x"}}]}', "x"),
        ('{\n "choices": [\n  {"message": {"content": "x", "tool_calls": null}}\n ]\n}', "x"),
    ],
)
async def test_odd_bodies_are_taken(body: str, text: str) -> None:
    assert (await ask([Raw(body=body)])).turn.text == text


async def test_what_is_shown_cannot_steer_a_terminal() -> None:
    asked = await ask([Say(text="a\x1b[2Jb\nc")])
    assert "".join(event.text for event in asked.events if isinstance(event, ModelText)) == "ab\nc"


@pytest.mark.parametrize(
    "body",
    [
        "", "<html>Sign in</html>", "data: {broken\n\n", '{"choices": []}', "[]", "5", "[" * 5000,
        'data: {"error": {"message": "overloaded"}}\n\n', '{"error": "overloaded"}',
        CHUNK % ('{"content": "x"}', "null"),
    ],
)  # fmt: skip
async def test_bodies_that_are_no_answer_end_in_one_error(body: str) -> None:
    asked = await ask([Raw(body=body)] * 9)
    assert asked.error and "\n" not in asked.error


def gathered(*deltas: object) -> Turn:
    gathering = AnswerPieces()
    for delta in deltas:
        gathering.feed({"choices": [{"delta": {"tool_calls": delta}}]})
    return gathering.turn()


def piece(arguments: object = None, **more: object) -> dict[str, object]:
    function = {"name": more.pop("name", None), "arguments": arguments}
    return {**more, "function": function}


@pytest.mark.parametrize(
    "deltas",
    [
        # By index, ids once; in turn.
        ([piece("", index=0, id="a", name="p"), piece("", index=1, id="b", name="q")],
         [piece('{"x"', index=0)], [piece('{"y"', index=1)], [piece(":1}", index=0)], [piece(":2}", index=1)]),
        # Ids and names repeated with each piece.
        ([piece('{"x"', index=0, id="a", name="p")], [piece(":1}", index=0, id="a", name="p")],
         [piece('{"y"', index=1, id="b", name="q")], [piece(":2}", index=1, id="b", name="q")]),
        # One index for all.
        ([piece('{"x":1}', index=0, id="a", name="p")], [piece('{"y"', index=0, id="b", name="q")],
         [piece(":2}", index=0)]),
        # No index.
        ([piece('{"x"', id="a", name="p")], [piece(":1}")], [piece('{"y":2}', id="b", name="q")]),
        # Neither index nor id.
        ([piece('{"x":1}', name="p"), piece('{"y":2}', name="q")],),
        # No id, and objects in place of JSON text.
        ([piece({"x": 1}, index=0, name="p"), piece({"y": 2}, index=1, name="q")],),
        # One id for all, and what isn't a call at all.
        ([piece('{"x":1}', index=0, id="a", name="p"), piece('{"y":2}', index=1, id="a", name="q"), 7, None],),
    ],
)  # fmt: skip
def test_calls_in_pieces(deltas: tuple[object, ...]) -> None:
    calls = gathered(*deltas).tool_calls
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [("p", {"x": 1}), ("q", {"y": 2})]
    assert len({call.id for call in calls}) == 2 and all(call.id for call in calls)
