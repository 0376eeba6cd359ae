"""The program's traces, as a collector on loopback gets them over real HTTP."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

from evals.endpoint import Call, Say, Status, endpoint
from tests.collector import Collector, collecting
from tests.program import ROOT, Done, rediagnose
from tests.replayed import Replayed, replayed

TICKET = "checkout of customer-4711 times out on Redis"
COLD = {"PYTHONUTF8": "1"}
"""A process of its own, whose end is the program's own."""
FAULT = "maxclients-exhausted"


async def triage(server: Replayed, collector: Collector, *args: str, **environ: str) -> Done:
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **COLD, **environ}
    return await rediagnose(
        "triage", server.url, TICKET, "--format", "json", "--window", "0.2", *args, **traced
    )  # fmt: skip


async def test_an_investigation_is_one_trace() -> None:
    async with replayed(FAULT) as server, collecting() as collector:
        done = await triage(server, collector, "--model", "offline", OTEL_EXPORTER_OTLP_HEADERS="x-tenant=one")
    answer = done.answer()
    root = collector.one("investigate")
    assert collector.services == {"rediagnose"}
    assert collector.headers[0]["x-tenant"] == "one"
    assert not root.parent
    assert not root.failed
    assert root.said["rediagnose.target"] == answer["target"]["url"]
    assert root.said["rediagnose.outcome"] == answer["outcome"]
    assert root.said["rediagnose.causes"] == [one["id"] for one in answer["causes"]]
    assert root.said["rediagnose.commands"] == answer["footprint"]["commands"]
    tools = [one for one in collector.spans if one.name.startswith("read ")]
    taken = {one["id"]: one for one in answer["readings"]}
    assert {one.said["rediagnose.reading"] for one in tools} == set(taken)
    for one in tools:
        reading = taken[one.said["rediagnose.reading"]]
        assert (one.trace, one.parent) == (root.trace, root.id)
        assert one.said["rediagnose.tool"] == reading["tool"]
        assert one.said.get("rediagnose.node") == reading["node"]
        why = reading["unavailable"] and reading["unavailable"]["kind"]
        assert one.said.get("rediagnose.unavailable") == why
        assert set(one.said) <= {f"rediagnose.{name}" for name in ("tool", "reading", "node", "unavailable")}
    assert b"customer-4711" not in collector.raw
    assert "traces" not in done.err


async def test_passwords_are_in_no_trace() -> None:
    async with replayed(FAULT) as server, collecting() as collector:
        url = server.url.replace("redis://", "redis://somebody:hush-hush@")
        await triage(server._replace(url=url), collector, "--model", "offline")
    assert collector.spans
    assert b"hush-hush" not in collector.raw


CALLS = Say(text="Let me look at customer-4711.", calls=(Call(name="ping", id="c1"), Call(name="slowlog")), cached=400)
GIVES_UP = Say(
    calls=(
        Call(
            name="submit_diagnosis",
            arguments={
                "outcome": "insufficient-evidence", "summary": "I can't tell.", "causes": [], "ruled_out": [],
                "unknown": [], "evidence": [], "actions": [],
            },
        ),
    )
)  # fmt: skip


async def modelled(*moves: Any, **environ: str) -> tuple[Collector, dict[str, Any], str]:
    async with replayed(FAULT) as server, collecting() as collector, endpoint([*moves, *moves[-1:] * 20]) as at:
        done = await triage(
            server, collector, "--model", "scripted", "--deadline", "40", OPENAI_BASE_URL=at.url,
            OPENAI_API_KEY="sk-secret-of-the-test", **environ,
        )  # fmt: skip
    assert b"sk-secret-of-the-test" not in collector.raw
    return collector, done.answer(), at.url


async def test_turns_of_a_model_follow_the_conventions() -> None:
    collector, answer, url = await modelled(CALLS, GIVES_UP)
    root, turns = collector.one("investigate"), collector.named("chat scripted")
    assert len(turns) == answer["model"]["turns"]
    first = turns[0]
    port = int(url.split(":")[2].split("/")[0])
    assert first.kind == "SPAN_KIND_CLIENT"
    assert first.parent == root.id
    assert first.said == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "scripted",
        "server.address": "127.0.0.1", "server.port": port, "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 50, "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.response.finish_reasons": ["tool_calls"],
    }  # fmt: skip
    assert [one.said["gen_ai.usage.input_tokens"] for one in turns] == [1000] * len(turns)
    called = collector.one("execute_tool ping")
    assert called.said["gen_ai.operation.name"] == "execute_tool"
    assert called.said["gen_ai.tool.name"] == "ping"
    assert called.said["gen_ai.tool.type"] == "function"
    assert b"customer-4711" not in collector.raw


async def test_names_of_attributes_are_the_conventions() -> None:
    known = {value for name, value in vars(gen_ai_attributes).items() if name.isupper()}
    collector, _, _ = await modelled(CALLS, GIVES_UP, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true")
    used = {name for one in collector.spans for name in one.said if name.startswith("gen_ai.")}
    assert len(used) > 8
    assert used <= known


async def test_what_is_said_is_traced_only_on_request_and_as_the_model_gets_it() -> None:
    collector, _, _ = await modelled(CALLS, GIVES_UP, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="span_only")
    first, second, *_ = collector.named("chat scripted")
    sent = json.loads(second.said["gen_ai.input.messages"])
    assert {one["role"] for one in sent} == {"user", "assistant", "tool"}
    kinds = [part["type"] for one in sent for part in one["parts"]]
    assert {"text", "tool_call", "tool_call_response"} <= set(kinds)
    assert json.loads(first.said["gen_ai.system_instructions"])[0]["type"] == "text"
    (said,) = json.loads(first.said["gen_ai.output.messages"])
    assert said["role"] == "assistant"
    assert said["parts"][0] == {"type": "text", "content": "Let me look at customer-4711."}
    assert said["parts"][1] == {"type": "tool_call", "id": "c1", "name": "ping", "arguments": "{}"}


async def test_an_endpoint_that_fails_is_an_error_of_its_turn() -> None:
    collector, answer, _ = await modelled(Status(code=401))
    turn = collector.one("chat scripted")
    assert answer["model"]["degraded"]
    assert turn.failed
    assert turn.said["error.type"] == "EndpointError"
    assert "server.address" in turn.said
    assert collector.one("investigate").said["rediagnose.degraded"] is True


async def test_a_retry_is_an_event_of_its_turn() -> None:
    collector, _, _ = await modelled(Status(code=500), CALLS, GIVES_UP)
    assert collector.named("chat scripted")[0].events == ("retry",)


async def test_a_check_of_many_is_a_trace_of_each() -> None:
    async with replayed(FAULT) as server, collecting() as collector:
        await rediagnose(
            "check", server.url, server.url.replace("127.0.0.1", "localhost"), "--window", "0.2",
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces", **COLD,
        )  # fmt: skip
    roots = collector.named("investigate")
    assert len({one.trace for one in roots}) == len(roots) > 0


@pytest.mark.parametrize("collector", [{"status": 503}, {"status": 400}, {"hangs": True}], ids=str)
async def test_a_collector_that_fails_neither_fails_nor_delays_the_command(collector: dict[str, Any]) -> None:
    async with replayed(FAULT) as server, collecting(Collector(**collector)) as at:
        done = await triage(server, at, "--model", "offline")
        assert at.requests
    assert done.answer()
    assert done.err.count("not all traces were accepted") == 1


async def test_without_a_collector_a_line_says_so() -> None:
    async with replayed(FAULT) as server:
        done = await triage(server, Collector(), "--model", "offline", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert done.answer()
    assert done.err.count("not all traces were accepted") == 1


OFF: dict[str, dict[str, str]] = {
    "no variable": {},
    "disabled": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "TRUE"},
    "no exporter": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    "another protocol": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
}
TRIAGE = ("triage", "redis://127.0.0.1:1", "x", "--model", "offline", "--window", "0.2", "-q")
LISTS = """
import atexit, sys, rediagnose
sys.argv[1:] = %r
atexit.register(lambda: print("loaded:", *sorted(one for one in sys.modules if one.startswith("opentelemetry"))))
rediagnose.main()
"""


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
    return subprocess.run(command, env=clean | environ, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("environ", OFF.values(), ids=OFF.keys())
def test_nothing_is_loaded_unless_traces_are_wanted(environ: dict[str, str]) -> None:
    done = run(sys.executable, "-c", LISTS % (TRIAGE,), **environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded:", done.stderr
    assert ("grpc isn't supported" in done.stderr) == ("OTEL_EXPORTER_OTLP_PROTOCOL" in environ)


def test_the_missing_extra_is_named(tmp_path: Path) -> None:
    # In place of the installed one, where it isn't.
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()
    path = f"{tmp_path}:{ROOT}"
    done = run(
        sys.executable, "-m", "rediagnose", *TRIAGE, PYTHONPATH=path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9"
    )
    assert done.returncode == 0
    assert done.stderr.count("OTEL_EXPORTER_OTLP_ENDPOINT is set, but no traces are sent without OpenTelemetry") == 1
    assert "pip install 'rediagnose[otel]'" in done.stderr


def test_variables_that_cannot_be_used_are_said_without_their_values() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nonexistent"}
    done = run(sys.executable, "-m", "rediagnose", *TRIAGE, **environ)
    assert done.returncode == 0
    assert "traces" in done.stderr
    assert "/nonexistent" not in done.stderr
