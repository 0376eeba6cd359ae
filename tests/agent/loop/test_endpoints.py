"""What endpoints and models do to the format: the loop over real HTTP, with tools that need no server."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from subprocess import PIPE
from typing import Any

import jsonschema
import pytest

from agent.answer.diagnosis import Cause, Evidence
from agent.answer.events import Event
from agent.answer.taxonomy import CAUSES
from agent.loop.claims import SUBMIT
from agent.loop.prompts import compose
from agent.loop.run import Limits, investigate, offered_tools
from agent.loop.submission import Conclusion
from agent.loop.transcript import Transcript
from agent.model.client import Model
from agent.model.errors import ModelError
from agent.model.json_repair import repaired_json
from agent.model.request import ABILITIES
from agent.model.text_calls import calls_in_text
from agent.model.usage import Prices
from evals.endpoint import Body, Call, Endpoint, Hang, Move, Raw, Say, Script, Status, endpoint
from tests.program import ROOT, SCHEMA, rediagnose
from tools.clock import SystemClock
from tools.records import Values
from tools.toolbox import Toolbox, bind, reads

SYMPTOM = "checkout times out on Redis"
LONG = "x" * 3000


@reads
async def ping() -> Values:
    """Answer at once."""
    return {"reply": "PONG"}


@reads
async def info(sections: list[str], window: float = 0.0) -> Values:
    """Figures by section."""
    return {"sections": " ".join(sections), "window": window, "maxclients": 64, "connected_clients": 64, "text": LONG}


class Came:
    """What an investigation came to."""

    def __init__(self, at: Endpoint, toolbox: Toolbox, model: Model) -> None:
        self.answer: Conclusion | None = None
        self.error: ModelError | None = None
        self.at = at
        self.requests = at.requests
        self.toolbox = toolbox
        self.model = model
        self.events: list[Event] = []
        self.refused: list[str] = []

    @property
    def concluded(self) -> Conclusion:
        assert self.answer is not None, self.error
        return self.answer

    @property
    def read(self) -> list[tuple[str, object]]:
        """The readings that the model asked for, with their arguments."""
        return [(reading.tool, reading.args) for reading in self.toolbox.readings[2:]]

    @property
    def told(self) -> list[str]:
        """What the model was told after its first answer."""
        return [str(one["content"]) for one in self.requests[-1]["messages"][2:] if one["role"] != "assistant"]


async def run(
    script: Script | Iterable[Move], *, turns: int = 6, seconds: float = 20.0, tokens: int = 400_000,
    cost: float | None = None, prices: Prices | None = None, found: Cause | None = None, max_tokens: int | None = None,
) -> Came:  # fmt: skip
    toolbox = Toolbox([bind(ping), bind(info)], SystemClock(), lambda _: None)
    toolbox.note_symptom(SYMPTOM)
    await toolbox.call("info", {"sections": ["clients"]})
    limits = Limits(
        turns=turns, tokens=tokens, cost=cost, prices=prices or Prices(), ends=time.monotonic() + seconds
    )  # fmt: skip
    prompt = compose(SYMPTOM, toolbox.readings, (), {}, offered_tools(toolbox))
    async with endpoint(script) as at:
        came: Came | None = None
        async with Model(
            "m", lambda event: came.events.append(event) if came else None, timeout=5, base_url=at.url, api_key="k",
            backoff=0.01, max_tokens=max_tokens,
        ) as model:  # fmt: skip
            came = Came(at, toolbox, model)
            try:
                came.answer = await investigate(
                    model, toolbox, Transcript(prompt), limits, came.events.append, causes=CAUSES,
                    read_runbook=lambda name: LONG, found=found, refuse=lambda what, why: came.refused.append(what),
                )  # fmt: skip
            except ModelError as error:
                came.error = error
    return came


def submit(outcome: str = "no-fault", *causes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "outcome": outcome, "summary": "It's plain to see.", "causes": list(causes), "ruled_out": [], "unknown": [],
        "evidence": [{"reading": "r0", "field": "text", "value": SYMPTOM}], "plan": [], **more,
    }  # fmt: skip


FINE = Say(calls=(Call(name=SUBMIT, arguments=submit()),))
PING = Say(calls=(Call(name="ping"),))
FULL = {"id": "maxclients-exhausted", "probability": 0.9, "where": None, "why": "It is full.",
        "evidence": [{"reading": "r1", "field": "maxclients", "value": 64}]}  # fmt: skip
GIVEN = {"sections": ["cpu"], "window": 1}
JSON = json.dumps(GIVEN)
WRITTEN = (
    f'```json\n{{"name": "info", "arguments": {JSON}}}\n```',
    f'Let me look.\n<tool_call>\n{{"name": "info", "arguments": {JSON}}}\n</tool_call>',
    f'<tool_call>{{"name": "info", "arguments": {JSON}}}',
    f'[TOOL_CALLS] [{{"name": "info", "arguments": {JSON}}}]',
    f"[TOOL_CALLS]info{JSON}",
    f"[TOOL_CALLS]info[ARGS]{JSON}",
    f"<function=info>{JSON}</function>",
    f"function=info>{JSON}",
    '<tool_call>\n<function=info>\n<parameter=sections>\n["cpu"]\n</parameter>\n<parameter=window>\n1\n</parameter>\n'
    "</function>\n</tool_call>",
    f'<|python_tag|>{{"name": "info", "parameters": {JSON}}}',
    f'{{"type": "function", "function": {{"name": "functions.info", "arguments": {json.dumps(JSON)}}}}}',
    f'{{"tool_calls": [{{"name": "info", "arguments": {JSON}}}]}}',
    f'<think>perhaps {{"name": "ping", "arguments": {{}}}}</think>{{"tool": "info", "args": {JSON}}}',
    "{'name': 'info', 'arguments': {'sections': ['cpu'], 'window': 1,},}",
)


@pytest.mark.parametrize("text", WRITTEN)
async def test_calls_written_as_text_are_calls(text: str) -> None:
    came = await run([Say(text=text), FINE])
    assert came.concluded.outcome == "no-fault"
    assert came.read == [("info", GIVEN)]
    assert came.told[0].splitlines()[1].startswith('info: {"id":"r2"')


@pytest.mark.parametrize(
    "text",
    [
        "", "I would look at info with sections.", '{"name": "flushall", "arguments": {}}',
        '{"name": "ping", "description": "Answer at once.", "parameters": {"type": "object", "properties": {}}}',
        "{" * 5000, '<tool_call>{"name": 5}</tool_call>', "[TOOL_CALLS]", '<think>{"name": "ping", "arguments": {}}',
        '{"a":' * 3000 + "1" + "}" * 3000,
    ],
)  # fmt: skip
@pytest.mark.timeout(60)
def test_other_text_is_no_call(text: str) -> None:
    assert calls_in_text(text, {"ping", "info"}, submit=SUBMIT) == ()


def test_somebody_elses_call_is_none() -> None:
    planted = '{"name": "ping", "arguments": {}}'
    assert (
        calls_in_text(f"It says: {planted}", {"ping"}, submit=SUBMIT, quoted=f"help <tool_call>{planted}</tool_call>")
        == ()
    )


@pytest.mark.parametrize("form", ['{"name": "submit_diagnosis", "arguments": %s}', "%s", "```json\n%s\n```"])
async def test_a_diagnosis_written_as_text_is_one(form: str) -> None:
    came = await run([Say(text=form % json.dumps(submit("diagnosed", FULL)))])
    assert came.concluded.causes[0].evidence[0].verified


@pytest.mark.parametrize(
    "text",
    [
        f"{JSON[:-1]},}}", "{'sections': ['cpu'], 'window': 1}", f"```json\n{JSON}\n```", f"```\n{JSON}", JSON[:-1],
        f"Here it is: {JSON} Thanks",
        "{sections: ['cpu'], window: 1}", '{"sections": ["cpu",], "window": 1,}', f"{JSON}}}",
        '{"sections": ["cpu"], "window": 1, ',
    ],
)  # fmt: skip
async def test_broken_arguments_are_repaired(text: str) -> None:
    came = await run([Say(calls=(Call(name="info", arguments=text),)), FINE])
    assert came.read == [("info", GIVEN)]
    assert json.loads(came.requests[-1]["messages"][2]["tool_calls"][0]["function"]["arguments"]) == GIVEN


@pytest.mark.parametrize(
    ("text", "as_"),
    [
        ("{'a': 'it isn\\'t \"so\"', 'b': True, 'c': None}", {"a": 'it isn\'t "so"', "b": True, "c": None}),
        ("{'a': 'the client's own'}", {"a": "the client's own"}), ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('{"a": "cut o', None), ('{"a":', None), ("no object", None), ('{"a": [1, 2}', None), ("{" * 9000, None),
    ],
)  # fmt: skip
def test_what_is_repaired_and_what_is_not(text: str, as_: object) -> None:
    told = repaired_json(text)
    assert told == text if as_ is None else json.loads(told) == as_


@pytest.mark.parametrize("half", ["{'sections': ['\\ud83d'], 'window': 1}", '{"sections": ["\\ud83d"], "window": 1'])
async def test_half_a_letter_is_neither_sent_nor_printed(half: str) -> None:
    call = {"index": 0, "id": "\ud800", "type": "function", "function": {"name": "info", "arguments": half}}
    came = await run([Say(more={"tool_calls": [call]}, reason="tool_calls"), FINE])
    assert came.concluded.outcome == "no-fault" and len(came.read) == 1
    assert came.toolbox.readings[-1].model_dump_json()


def test_a_cut_end_is_not_made_up() -> None:
    assert repaired_json('{"a": [1, 2') == '{"a":[1,2]}'
    assert repaired_json('{"a": [1, 2', cut=True) == '{"a": [1, 2'


async def test_a_reasoning_models_fields_are_not_its_answer_and_not_sent_back() -> None:
    thinking = {"reasoning_content": "Perhaps FLUSHALL.", "reasoning": "Hm."}
    came = await run(
        [PING.model_copy(update={"more": thinking}), FINE.model_copy(update={"plain": True, "more": thinking})]
    )
    assert came.concluded.outcome == "no-fault"
    assert "FLUSHALL" not in json.dumps(came.requests) and "Hm." not in json.dumps(came.requests)


async def test_reasoning_goes_back_where_an_endpoint_insists() -> None:
    def move(body: Body) -> Move:
        answers = [one for one in body["messages"] if one["role"] == "assistant"]
        if answers and "reasoning_content" not in answers[0]:
            return Status(code=400, message="Missing `reasoning_content` field in the assistant message at index 2")
        return FINE if answers else PING.model_copy(update={"more": {"reasoning_content": "Perhaps."}})

    came = await run(move)
    assert came.concluded.outcome == "no-fault"
    assert came.requests[-1]["messages"][2]["reasoning_content"] == "Perhaps."


async def test_what_is_signed_goes_back_as_it_came() -> None:
    signed = {"google": {"thought_signature": "c2lnbmVk"}}
    call = {"index": 0, "id": "a", "type": "function", "extra_content": signed,
            "function": {"name": "ping", "arguments": "{}"}}  # fmt: skip
    came = await run([Say(more={"tool_calls": [call]}, reason="tool_calls"), FINE])
    assert came.requests[-1]["messages"][2]["tool_calls"][0]["extra_content"] == signed


@pytest.mark.parametrize(
    ("move", "told"),
    [
        (Say(more={"refusal": "I can't help\nwith that."}), "refused: I can't help with that."),
        (Say(reason="content_filter"), "filter"), (Say(text="I", reason="content_filter", plain=True), "filter"),
    ],
)  # fmt: skip
async def test_a_refusal_ends_it_after_one_reminder(move: Move, told: str) -> None:
    came = await run(lambda _: move)
    assert told in str(came.error) and len(came.requests) == 2


async def test_empty_answers_end_it() -> None:
    came = await run(lambda _: Say())
    assert SUBMIT in str(came.error) and len(came.requests) == 3


async def test_two_calls_of_one_id_get_an_answer_each() -> None:
    came = await run([Say(calls=(Call(name="ping", id="a"), Call(name="info", arguments=GIVEN, id="a"))), FINE])
    called = [call["id"] for call in came.requests[-1]["messages"][2]["tool_calls"]]
    answered = [one["tool_call_id"] for one in came.requests[-1]["messages"] if one["role"] == "tool"]
    assert called == answered and len(set(called)) == 2


NO_TOOLS = (
    (400, "registry.ollama.ai/library/gemma3 does not support tools"),
    (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
    (500, "tools param requires --jinja flag"),
)


@pytest.mark.parametrize(("code", "message"), NO_TOOLS)
async def test_an_endpoint_without_tools_is_told_of_them_in_words(code: int, message: str) -> None:
    def move(body: Body) -> Move:
        if "tools" in body:
            return Status(code=code, message=message)
        assert not any(one["role"] == "tool" or "tool_calls" in one for one in body["messages"])
        if len(body["messages"]) < 4:
            return Say(text=f'<tool_call>{{"name": "info", "arguments": {JSON}}}</tool_call>')
        return Say(text=json.dumps({"name": SUBMIT, "arguments": submit("diagnosed", FULL)}))

    came = await run(move)
    assert came.concluded.grounded and came.read == [("info", GIVEN)]
    assert len([one for one in came.requests if "tools" in one]) <= 2
    assert '"name": "info"' in came.requests[-1]["messages"][0]["content"]


async def test_an_endpoint_with_strict_turns() -> None:
    def move(body: Body) -> Move:
        roles = [one["role"] for one in body["messages"]]
        if roles[0] == "system":
            return Status(code=400, message="System role not supported")
        if any(a == b == "user" for a, b in pairwise(roles)):
            return Status(code=500, message="Conversation roles must alternate user/assistant and can't repeat")
        return FINE if len(roles) > 2 else Say(text="Let me think.")

    came = await run(move)
    assert came.concluded.outcome == "no-fault"
    assert "roles" not in came.model.abilities and len(came.requests) == 3


OVERFLOWS = (
    (400, "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."),
    (400, "the request exceeds the available context size, try increasing it"),
    (400, "prompt is too long: 210000 tokens > 200000 maximum"), (413, "Payload Too Large"),
    (400, "'max_tokens' or 'max_completion_tokens' is too large. This model's maximum context length is 4096"),
    (429, "Request too large for gpt-4o on tokens per min (TPM): Limit 10000, Requested 12000."),
    (500, "The input token count exceeds the maximum number of tokens allowed"),
)  # fmt: skip


@pytest.mark.parametrize(("code", "message"), OVERFLOWS)
async def test_a_conversation_that_is_too_long_is_shortened(code: int, message: str) -> None:
    cited = Evidence(reading="r3", field="connected_clients", value=64, verified=True)
    found = Cause(id="thp", probability=0.9, where=None, why="", evidence=(cited,))
    asked = 0

    def move(body: Body) -> Move:
        nonlocal asked
        if len(json.dumps(body["messages"])) > 16_900:
            return Status(code=code, message=message)
        asked += 1
        if asked < 5:
            return Say(calls=(Call(name="info", arguments={"sections": [str(asked)]}),))
        against = {"id": "thp", "because": "x", "evidence": [{"reading": "r2", "field": "maxclients", "value": 64}]}
        return Say(calls=(Call(name=SUBMIT, arguments=submit(ruled_out=[against])),))

    came = await run(move, found=found, max_tokens=999, turns=8)
    assert came.concluded.outcome == "no-fault"
    contents = [one["content"] for one in came.requests[-1]["messages"] if one["role"] == "tool"]
    assert contents[0].startswith("r2 info ") and len(contents[0]) < 600
    assert contents[1].startswith('{"id":"r3"'), "what a finding cites stays"
    assert came.requests[-1]["messages"][:2] == came.requests[0]["messages"][:2]
    # What was too long once isn't tried again.
    assert len(came.requests) - asked <= 2
    assert came.model.abilities == ABILITIES


async def test_what_never_fits_ends_in_one_error() -> None:
    came = await run(lambda _: Status(code=400, error={"code": "context_length_exceeded"}))
    assert "context" in str(came.error) and len(came.requests) == 1


async def test_an_overflow_in_the_stream() -> None:
    event = 'data: {"error": {"message": "the context size has been exceeded, context window"}}\n\n'
    came = await run([Raw(body=event)])
    assert "context" in str(came.error)


async def test_a_repeated_reading_is_counted_and_said() -> None:
    same = Say(calls=(Call(name="info", arguments={"sections": ["clients"]}),))
    came = await run([same, same, FINE])
    again = [json.loads(text)["again"].split(" with")[0] for text in came.told]
    assert again == ["now taken 2 times", "now taken 3 times"]


async def test_the_fixed_part_is_the_same_on_the_wire() -> None:
    came = await run([PING, Say(text="hm"), PING, PING, FINE])
    bodies = came.at.raw
    assert len(bodies) == 5
    for earlier, later in pairwise(bodies):
        (before, fixed), (after, same) = (_parts(one) for one in (earlier, later))
        assert after.startswith(before), "messages only grow at their end"
        assert same == fixed
    assert len({json.dumps(one["tools"]) for one in came.requests}) == 1
    strict = [tool["function"]["name"] for tool in came.requests[0]["tools"] if tool["function"].get("strict")]
    assert strict == [SUBMIT]


def _parts(raw: bytes) -> tuple[bytes, bytes]:
    """The messages as they were sent, and the tools."""
    messages, tools = raw.index(b'"messages":['), raw.index(b'"tools":[')
    return raw[messages : raw.index(b'],"stream_options"')], raw[tools:].split(b',"tool_choice"')[0]


@pytest.mark.parametrize("usage", [(1000, 100), None])
async def test_money_is_bounded(usage: tuple[int, int] | None) -> None:
    prices = Prices(of_in=10.0, of_out=40.0)
    endless = PING.model_copy(update={"usage": usage})
    came = await run(lambda _: endless, cost=0.1, prices=prices, turns=50)
    assert came.error is not None and came.error.use is not None and came.error.use.cost is not None
    assert "cost" in str(came.error) or "of at most 0.1" in str(came.error) or "conclude" in str(came.error)
    assert 0.03 < came.error.use.cost < 0.15
    assert came.error.use.estimated == (usage is None)
    forced = [one for one in came.requests if "tool_choice" in one]
    assert forced and "tool_choice" not in came.requests[0]
    assert came.requests[-1]["tool_choice"]["function"]["name"] == SUBMIT


async def test_near_its_bound_a_model_that_listens_concludes() -> None:
    came = await run(lambda body: FINE if body.get("tool_choice") else PING, tokens=5000, turns=50)
    assert came.concluded.outcome == "no-fault" and came.concluded.use.cost is None
    assert came.concluded.use.tokens_in + came.concluded.use.tokens_out <= 5250


async def test_an_endpoint_that_ignores_the_forced_tool() -> None:
    came = await run(lambda _: PING, turns=3)
    assert "no diagnosis in 3 turns" in str(came.error)
    assert came.requests[-1]["tool_choice"]["function"]["name"] == SUBMIT
    assert len(came.read) == 2, "the last turn reads nothing"


async def test_a_finding_is_named_or_disproved() -> None:
    found = Cause(id="maxclients-exhausted", probability=0.9, where=None, why="", evidence=())
    named = Say(calls=(Call(name=SUBMIT, arguments=submit("diagnosed", FULL)),))
    came = await run([FINE, named], found=found)
    assert "the checks found maxclients-exhausted" in came.told[0]
    assert came.concluded.causes[0].id == "maxclients-exhausted"


async def test_tools_that_would_change_something_are_told_of() -> None:
    came = await run([Say(calls=(Call(name="apply", arguments={"step": "s1"}), Call(name="get_info"))), FINE])
    assert came.refused == ['apply {"step": "s1"}']
    assert all("there is no tool" in text for text in came.told)


async def test_the_breaker_stays_open() -> None:
    async with (
        endpoint(lambda _: Status(code=503)) as at,
        Model("m", lambda _: None, base_url=at.url, api_key="k", backoff=0.01) as model,
    ):
        for _ in range(3):
            with pytest.raises(ModelError, match="503"):
                await model.ask([{"role": "user", "content": "x"}], [], ends=time.monotonic() + 10)
        assert len(at.requests) == 4


@pytest.mark.timeout(60)
@pytest.mark.parametrize("header", ["retry-after-ms", "retry-after"])
async def test_however_it_says_when(header: str) -> None:
    at = "20" if header == "retry-after-ms" else "Wed, 21 Oct 2015 07:28:00 GMT"
    came = await run([Status(code=429, headers={header: at}), FINE])
    assert came.concluded.outcome == "no-fault"


DEAD = "redis://127.0.0.1:1"
AZURE = {"AZURE_OPENAI_API_KEY": "azure-secret-key-0123", "OPENAI_API_VERSION": "2024-10-21"}


async def test_a_deployment_at_azure() -> None:
    async with endpoint(lambda _: FINE) as at:
        done = await rediagnose(
            "triage", DEAD, SYMPTOM, "--model", "gpt-4o-prod", "--format", "json",
            AZURE_OPENAI_ENDPOINT=at.url.removesuffix("/v1"), OPENAI_API_KEY="other", **AZURE,
        )  # fmt: skip
    answer = done.answer()
    assert set(at.paths) == {"/openai/deployments/gpt-4o-prod/chat/completions?api-version=2024-10-21"}
    assert {headers["api-key"] for headers in at.headers} == {"azure-secret-key-0123"}
    assert answer["model"]["turns"] and "Azure" in answer["model"]["why"]
    assert answer["model"]["disagrees"]["checks"].startswith("process-down")
    assert "azure-secret" not in done.out + done.err


@pytest.mark.parametrize("missing", AZURE)
async def test_half_of_azure_is_wrong_usage(missing: str) -> None:
    given = {name: value for name, value in AZURE.items() if name != missing}
    done = await rediagnose(
        "triage", DEAD, SYMPTOM, "--model", "m", AZURE_OPENAI_ENDPOINT="http://127.0.0.1:1", **given
    )  # fmt: skip
    assert done.status == 2 and missing in done.err


async def test_a_bound_on_the_cost_needs_prices() -> None:
    done = await rediagnose("triage", DEAD, SYMPTOM, "--max-cost", "1", "--price-in", "2", "--model", "offline")
    assert done.status == 2 and "--price-out" in done.err


async def test_what_it_cost_is_told() -> None:
    async with endpoint(lambda _: FINE) as at:
        done = await rediagnose(
            "triage", DEAD, SYMPTOM, "--model", "m", "--price-in", "10", "--price-out", "40", "--max-cost", "1",
            "--format", "json", OPENAI_BASE_URL=at.url,
        )  # fmt: skip
    use = done.answer()["model"]
    assert use["cost"] == pytest.approx(use["turns"] * (0.01 + 0.002)) and use["estimated"] is False


@pytest.mark.parametrize("form", ["text", "markdown"])
async def test_where_they_disagree_both_are_shown(form: str) -> None:
    async with endpoint(lambda _: FINE) as at:
        done = await rediagnose(
            "triage", DEAD, SYMPTOM, "--model", "m", "--format", form, OPENAI_BASE_URL=at.url
        )  # fmt: skip
    said = " ".join(done.out.split())
    assert said.count("Disagreement: ") == 1
    assert "the model says no-fault, the checks say process-down 97%; the checks' answer stands" in said
    assert "Redis isn't running." in done.out.splitlines()[0]


async def test_ctrl_c_while_the_model_thinks_gives_what_is_known(tmp_path: Path) -> None:
    async with endpoint([PING, Hang()]) as at:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "rediagnose.py"), "triage", DEAD, SYMPTOM, "--model", "m", "--format", "json",
            env={**os.environ, "OPENAI_BASE_URL": at.url, "OPENAI_API_KEY": "k"},
            stdout=PIPE, stderr=PIPE, cwd=tmp_path,
        )  # fmt: skip
        while len(at.requests) < 2:
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, _ = await asyncio.wait_for(process.communicate(), 10)
    answer = json.loads(out)
    jsonschema.validate(answer, SCHEMA)
    assert process.returncode == 130 and answer["interrupted"]
    assert answer["causes"][0]["id"] == "process-down"
    assert answer["model"]["turns"] == 1 and "interrupted" in answer["model"]["degraded"]
