"""The Responses form, reasoning, what is cached, and more fields, over HTTP with the client as it is."""

import json
import time
from collections.abc import Iterable
from typing import Any

import pytest

from agent.answer.events import Event, ModelText, ModelThought
from agent.loop.prompts import Prompt
from agent.loop.transcript import Transcript
from agent.model.client import Model
from agent.model.extras import Extras
from agent.model.provider import abilities_of
from agent.model.request import ABILITIES
from agent.model.response import Turn
from agent.model.usage import Limits, Prices, Spending
from evals.endpoint import Call, Endpoint, Move, Say, Status, endpoint
from tests.agent.model.test_model import TOOLS

MESSAGES: list[dict[str, Any]] = [{"role": "system", "content": "You are."}, {"role": "user", "content": "What is it?"}]
RESPONSES = Extras(form="responses")
LONG = Say(
    text="Let me look at both of them.", calls=(Call(name="info", arguments={"a": 1}), Call(name="ping")),
    thinks=("It may be ", "the clients."), cached=600,
)  # fmt: skip


async def ask(
    moves: Iterable[Move], extras: Extras, *, name: str = "m", choice: str | None = None, times: int = 1,
    messages: list[dict[str, Any]] = MESSAGES,
) -> tuple[Turn, Endpoint, list[Event], Model]:  # fmt: skip
    events: list[Event] = []
    async with (
        endpoint(moves) as at,
        Model(name, events.append, timeout=5, base_url=at.url, api_key="k", backoff=0.01, extras=extras) as model,
    ):
        for _ in range(times):
            turn = await model.ask(messages, TOOLS, ends=time.monotonic() + 10, choice=choice)
    return turn, at, events, model


@pytest.mark.parametrize("plain", [False, True])
async def test_an_answer_in_the_responses_form(plain: bool) -> None:
    turn, at, events, _ = await ask([LONG.model_copy(update={"plain": plain})], RESPONSES, choice="submit")
    assert turn.text == LONG.text and turn.finish_reason == "tool_calls"
    assert [(one.name, json.loads(one.arguments)) for one in turn.tool_calls] == [("info", {"a": 1}), ("ping", {})]
    assert (turn.tokens_in, turn.tokens_out, turn.tokens_cached) == (1000, 50, 600)
    assert "".join(one.text for one in events if isinstance(one, ModelText)) == LONG.text
    assert plain or "".join(one.text for one in events if isinstance(one, ModelThought)) == "It may be the clients."
    (body,) = at.requests
    assert at.paths == ["/v1/responses?"] and body["store"] is False
    assert body["tool_choice"] == {"type": "function", "name": "submit"} and body["tools"][0]["strict"] is True
    assert body["input"] == MESSAGES and body["reasoning"] == {"summary": "auto"}


async def test_sealed_reasoning_and_calls_go_back_and_only_in_that_form() -> None:
    turn, *_ = await ask([LONG], RESPONSES)
    transcript = Transcript(Prompt(system="You are.", first="What is it?"))
    calls = transcript.add_answer(turn, turn.tool_calls)
    transcript.add_results(turn, [(call, "done") for call in calls])
    _, at, *_ = await ask([Say(text="x")], RESPONSES, messages=transcript.messages)
    kinds = [one.get("type") or one["role"] for one in at.requests[0]["input"]]
    assert kinds == ["system", "user", "reasoning", "assistant", *["function_call"] * 2, *["function_call_output"] * 2]
    assert at.requests[0]["input"][2] == {
        "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VhbGVk",
    }  # fmt: skip
    _, at, *_ = await ask([Say(text="x")], Extras(), messages=transcript.messages)
    assert "sealed" not in json.dumps(at.requests) and "c2VhbGVk" not in json.dumps(at.requests)


async def test_a_cut_answer_and_a_failure_in_the_middle() -> None:
    turn, *_ = await ask([Say(text="x", length=True)], RESPONSES)
    assert turn.finish_reason == "length"


REFUSALS: dict[str, tuple[Status, str]] = {
    "no such form": (Status(code=404, message="Not Found"), "responses"),
    "another word for it": (Status(code=400, message="unknown url"), "responses"),
    "no summary": (Status(code=400, message="must be verified to generate reasoning summaries"), "summary"),
    "nothing sealed": (Status(code=400, message="Encrypted content is not supported with this model."), "sealed"),
    "no effort": (Status(code=400, message="Unsupported parameter: 'reasoning.effort'"), "effort"),
}


@pytest.mark.parametrize(("status", "ability"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_what_an_endpoint_refuses_is_found_out_once(status: Status, ability: str) -> None:
    extras = Extras(form="responses", effort="low")
    turn, at, _, model = await ask([status, Say(text="x"), Say(text="y")], extras, times=2)
    assert turn.text == "y" and len(at.requests) == 3
    assert {*ABILITIES, "responses"} - model.abilities == {ability}
    assert ("messages" in at.requests[2]) == (ability == "responses")


def test_only_where_it_is_known_to_be_there_the_form_is_asked_for() -> None:
    assert "responses" in abilities_of(Extras(), None, {})
    assert "responses" in abilities_of(Extras(), "https://api.openai.com/v1", {})
    assert "responses" not in abilities_of(Extras(), "http://127.0.0.1:8000/v1", {})
    assert "responses" not in abilities_of(
        Extras(), None, {"OPENAI_BASE_URL": "https://api.openai.com.evil.example/v1"}
    )
    assert "responses" not in abilities_of(Extras(), None, {"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"})
    assert "responses" not in abilities_of(Extras(form="chat"), None, {})


async def test_effort_and_more_fields_go_out_and_an_effort_that_is_refused_doesnt() -> None:
    extras = Extras(effort="high", fields={"service_tier": "flex", "provider": {"sort": "price"}})
    refused = Status(code=400, message="Unrecognized request argument supplied: reasoning_effort")
    _, at, _, model = await ask([refused, Say(text="x")], extras)
    assert at.requests[0]["reasoning_effort"] == "high" and "reasoning_effort" not in at.requests[1]
    assert all(one["service_tier"] == "flex" and one["provider"] == {"sort": "price"} for one in at.requests)
    assert "effort" not in model.abilities


async def test_what_stays_the_same_is_marked_where_a_provider_keeps_nothing_unasked() -> None:
    refused = Status(code=400, message="messages.0.content: expected a string")
    _, at, _, model = await ask([refused, Say(text="x")], Extras(), name="anthropic/claude-x")
    assert at.requests[0]["messages"][0]["content"] == [
        {"type": "text", "text": "You are.", "cache_control": {"type": "ephemeral"}}
    ]
    assert at.requests[1]["messages"] == MESSAGES and "cache" not in model.abilities
    _, at, *_ = await ask([Say(text="x")], Extras())
    assert at.requests[0]["messages"] == MESSAGES


async def test_a_thought_of_a_chat_endpoint_is_told_and_cached_tokens_cost_what_they_cost() -> None:
    for name in ("reasoning_content", "reasoning"):
        turn, _, events, _ = await ask([Say(text="x", more={name: "hm, \x1b[2Jthe clients"}, cached=400)], Extras())
        assert [one.text for one in events if isinstance(one, ModelThought)] == ["hm, the clients"]
        assert turn.text == "x"
    spending = Spending("m", Limits(prices=Prices(of_in=10, of_out=20, of_cached=1), ends=time.monotonic() + 9))
    spending.add(turn, 100)
    assert (spending.use.tokens_in, spending.use.tokens_cached) == (1000, 400)
    assert spending.use.cost == pytest.approx((600 * 10 + 400 * 1 + 50 * 20) / 1e6)
