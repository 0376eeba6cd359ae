"""A model asks for more than the survey reads: on a real server, on the recording of that, and on an older one."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.recordings.replay import case, on_virtual_time
from evals.endpoint import Call, Say, endpoint
from evals.lab.servers import ServerKind, running
from evals.lab.wire import dial
from tests.program import rediagnose
from tests.replayed import recorded
from tools.record.load import load
from tools.record.tape import Tape
from tools.records import Reading, Scalar

SYMPTOM = "the queue grows"
Asked = Mapping[str, dict[str, Any]]
DONE = {"outcome": "no-fault", "causes": [], "ruled_out": [], "unknown": [], "actions": []}
EXPECTED: Mapping[str, Mapping[str, Scalar]] = {
    "named_keys": {"k1.key": "jobs", "k1.type": "list", "k1.length": 3, "k1.length.delta": 0, "k1.ttl_ms": -1},
    "client_groups": {"groups": 1, "g1.name": "worker-*", "g1.count": 1, "listed": 1},
    "one_client": {"listed": True, "name": "worker-7", "moved": "", "addr": "127.0.0.1", "age.delta": 1},
    "series": {"samples": 3, "connected_clients.slope": 0, "connected_clients.t2": 2},
    "log_events": {"of": "started", "events": 1, "e1.event": "started", "e1.level": "info"},
}
"""What the readings say, live and replayed."""


def asked(id: int) -> Asked:
    """The calls; the client is an application's."""
    return {
        "named_keys": {"keys": ["jobs", "key#99"], "window": 0.4}, "client_groups": {"by": "name"},
        "one_client": {"id": id}, "series": {"fields": ["connected_clients", "used_memory"], "seconds": 2},
        "log_events": {"event": "started"},
    }  # fmt: skip


def again(file: Path, calls: Asked) -> dict[str, Reading]:
    """The same calls over a recording."""

    async def called() -> dict[str, Reading]:
        tape = Tape(load(file))
        asks = [one for node in tape.nodes.values() for one in node.asks]
        begin = min((one.t for one in asks if any(command[0] == "OBJECT" for command in one.commands)), default=0.0)
        async with case(tape, SYMPTOM) as incident:
            box = incident.toolbox
            # The model took its time, and a call waits for its moment no longer than a call may take.
            await incident.clock.sleep(max(0.0, begin - incident.replay.now))
            found = await asyncio.gather(*(box.call(name, args, asked=True) for name, args in calls.items()))
            return {one.tool: one for one in found}

    return on_virtual_time(called())


def differences(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What of the readings isn't as expected."""
    return {
        f"{tool} {field}": values[tool].get(field)
        for tool, fields in EXPECTED.items()
        for field, value in fields.items()
        # Between two looks a second or two may pass on a busy machine.
        if values[tool].get(field) != value and not (field == "age.delta" and values[tool].get(field, 0) >= 1)
    }


async def test_a_model_looks_deeper_and_the_recording_says_the_same(kind: ServerKind, tmp_path: Path) -> None:
    async with running(kind) as server:
        wire = await dial(server.url)
        await wire.ask("RPUSH", "jobs", 1, 2, 3)
        await wire.ask("CLIENT", "SETNAME", "worker-7")
        calls = asked(int(str(await wire.ask("CLIENT", "ID"))))
        look = Say(calls=tuple(Call(name=name, arguments=args) for name, args in calls.items()))
        conclude = Say(calls=(Call(name="submit_diagnosis", arguments=DONE),))
        async with endpoint([look, *[conclude] * 9]) as at:
            done = await rediagnose(
                "triage", server.url, SYMPTOM, "--model", "scripted", "--format", "json", "--window", "0.5",
                "--record", str(tmp_path / "it.rec"), OPENAI_BASE_URL=at.url, OPENAI_API_KEY="k",
            )  # fmt: skip
        await wire.close()
    readings = {one["tool"]: one for one in done.answer()["readings"] if one["tool"] in calls}
    assert {tool: one["unavailable"] for tool, one in readings.items()} == dict.fromkeys(calls)
    assert differences({tool: one["values"] for tool, one in readings.items()}) == {}
    assert sum(message["role"] == "tool" for message in at.requests[1]["messages"]) == len(calls)
    replayed = await asyncio.to_thread(again, tmp_path / "it.rec", calls)
    assert {tool: one.unavailable for tool, one in replayed.items()} == dict.fromkeys(calls)
    assert differences({tool: one.values or {} for tool, one in replayed.items()}) == {}


def test_a_recording_from_before_there_were_such_tools() -> None:
    then = again(recorded("maxclients-exhausted"), asked(1))
    kinds = {tool: one.unavailable.kind if one.unavailable else None for tool, one in then.items()}
    assert kinds["named_keys"] == "denied"
    assert kinds["log_events"] == "not-recorded"
    # What it holds of INFO are the survey's looks, at their own times.
    assert kinds["series"] is None and then["series"].get("samples") == 3
    assert kinds["client_groups"] is None and (then["client_groups"].get("g1.count") or 0)
