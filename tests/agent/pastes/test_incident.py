"""An incident out of what was pasted: whose it is, of which moments, and what is left unknown."""

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.pastes.incident import Incident, incident_of
from agent.recordings.replay import case, on_virtual_time
from evals.pasted_text import pasted
from tests.replayed import recorded
from tools.errors import UsageError
from tools.paste.recognise import recognise
from tools.record.load import load
from tools.record.schema import Ask
from tools.record.tape import Tape

INFO = (
    "# Server\nredis_version:7.2.4\nrun_id:{run}\ntcp_port:{port}\nuptime_in_seconds:{uptime}\n# Clients\n"
    "connected_clients:100\nmaxclients:100\n# Stats\ntotal_commands_processed:{commands}\n"
    "rejected_connections:{rejected}\n"
)


def info(uptime: int = 1000, commands: int = 5000, rejected: int = 7, run: str = "a" * 40, port: int = 6380) -> str:
    return INFO.format(uptime=uptime, commands=commands, rejected=rejected, run=run, port=port)


def incident(*texts: str, symptom: str = "connections are refused") -> Incident:
    return incident_of([recognise(text, f"{number}.txt") for number, text in enumerate(texts, 1)], symptom)


def answer(found: Incident) -> Diagnosis:
    async def investigate() -> Diagnosis:
        async with case(found.tape, found.tape.head.symptom, pasted=found.told) as investigation:
            return investigation.answer()

    return on_virtual_time(investigate())


def of_fault(fault: str, *, samples: int = 1, info_only: bool = False) -> str:
    tape = Tape(load(recorded(fault)))
    return pasted(tape, next(iter(tape.nodes)), samples=samples, info_only=info_only)


def test_one_sample_has_no_deltas_since_nothing_was_compared() -> None:
    found = answer(incident(info()))
    values = next(one.values or {} for one in found.readings if one.tool == "info" and one.values)
    assert values["rejected_connections"] == 7 and values["window_seconds"] == 0
    assert not [name for name in values if name.endswith((".delta", ".rate"))]


def test_two_samples_of_one_life_have_real_deltas_over_the_time_that_the_server_tells() -> None:
    found = answer(incident(info(uptime=2000, commands=9000, rejected=47), info()))
    values = next(one.values or {} for one in found.readings if one.tool == "info" and one.values)
    assert (values["rejected_connections.delta"], values["total_commands_processed.delta"]) == (40, 4000)
    assert values["window_seconds"] == pytest.approx(1000, abs=2)
    assert found.pasted and found.pasted.samples == 2 and found.pasted.seconds == 1000


def test_samples_of_two_lives_are_not_compared() -> None:
    found = incident(info(), info(uptime=5, run="b" * 40))
    assert found.told.samples == 1


def test_parts_of_one_look_are_one_sample_with_or_without_headings() -> None:
    found = incident(
        "connected_clients:100\nmaxclients:100\nblocked_clients:0\n", "# Memory\nused_memory:10\nmaxmemory:10\n"
    )
    values = next(one.values or {} for one in answer(found).readings if one.tool == "info" and one.values)
    assert (values["connected_clients"], values["used_memory"]) == (100, 10)


def test_what_was_not_pasted_is_said_to_be_so_and_never_taken_for_well() -> None:
    found = answer(incident(info(), symptom="checkout times out"))
    lacks = {one.tool: one.unavailable.kind for one in found.readings if one.unavailable}
    assert {lacks[tool] for tool in ("slowlog", "clients", "config_get", "process", "latency_sample")} == {"not-pasted"}
    assert found.outcome != "no-fault"
    assert found.pasted and any("SLOWLOG GET" in line for line in found.pasted.ask_for)


def test_no_step_can_be_applied_and_no_line_leads_to_a_host_that_nobody_named() -> None:
    found = answer(incident(of_fault("maxclients-exhausted", info_only=True).partition("\n")[2]))
    assert found.causes[0].id == "maxclients-exhausted" and found.causes[0].where is None
    assert found.plan and not [step for step in found.plan if step.needs_approval or step.node]
    assert "invalid" not in " ".join(line for step in found.plan for line in (*step.paste, *step.shown_by))


def test_lines_for_a_shell_have_the_address_that_a_prompt_shows() -> None:
    text = of_fault("maxclients-exhausted")
    node = text.partition(">")[0]
    host, _, port = node.rpartition(":")
    lines = [line for step in answer(incident(text)).plan for line in step.paste if "CONFIG SET" in line]
    assert lines and lines[0].startswith(f"redis-cli -h {host} -p {port} ")


def test_what_is_of_other_servers_is_named_and_not_mixed_in() -> None:
    first = f"10.0.0.1:6379> INFO\n{info(port=6379)}"
    second = f"10.0.0.2:6379> INFO\n{info(port=6379, run='c' * 40, rejected=999)}"
    found = incident(first + "10.0.0.1:6379> SLOWLOG GET\n(empty array)\n" + second)
    assert found.told.node == "10.0.0.1:6379"
    assert {line.node for line in found.lines if isinstance(line, Ask)} == {"10.0.0.1:6379", "10.0.0.2:6379"}


def test_an_error_that_was_pasted_is_part_of_the_report() -> None:
    found = incident(
        info(), "127.0.0.1:6380> SET a b\n(error) OOM command not allowed when used memory > 'maxmemory'.\n"
    )
    assert "OOM command not allowed" in found.tape.head.symptom


def test_a_killed_container_is_the_cause() -> None:
    text = (
        "Name:         redis-0\nNamespace:    shop\nContainers:\n  redis:\n    Image:          redis:7.2\n"
        "    State:          Running\n    Last State:     Terminated\n      Reason:       OOMKilled\n"
        "      Exit Code:    137\n    Restart Count:  4\n    Limits:\n      memory:  512Mi\n"
    )
    found = answer(incident(text, symptom="redis lost its data"))
    assert found.causes[0].id == "oom-killed"
    assert {one.field for one in found.causes[0].evidence} >= {"last_state.reason", "cgroup_memory_limit"}


def test_no_secret_of_a_paste_is_in_its_recording_or_its_answer() -> None:
    text = (
        info() + '127.0.0.1:6380> CONFIG GET requirepass\n1) "requirepass"\n2) "hunter2-hunter2"\n'
        "127.0.0.1:6380> SLOWLOG GET\n1) 1) (integer) 1\n   2) (integer) 1700000000\n   3) (integer) 20000\n"
        '   4) 1) "AUTH"\n      2) "hunter2-hunter2"\n   5) "10.0.0.9:1"\n   6) ""\n'
    )
    found = incident(text)
    kept = " ".join(line.model_dump_json() for line in found.lines)
    assert "hunter2" not in kept + answer(found).to_json()


def test_a_paste_of_nothing_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="nothing in it is of a Redis server; it begins 'the site is slow'"):
        incident("the site is slow\n")


@pytest.mark.parametrize(
    ("fault", "samples", "cause"),
    [("slow-on-command", 1, "slow-on-command"), ("maxclients-exhausted", 1, "maxclients-exhausted"),
     ("eviction-churn", 2, "eviction-churn"), ("cpu-saturated", 2, "cpu-saturated")],
)  # fmt: skip
def test_a_fault_is_found_in_what_a_person_copied_of_it(fault: str, samples: int, cause: str) -> None:
    found = answer(incident(of_fault(fault, samples=samples), symptom="Redis is slow and some commands fail"))
    assert [one.id for one in found.causes][:1] == [cause]
    assert found.pasted and "not a live look" in found.pasted.told


def test_a_healthy_server_is_not_accused() -> None:
    assert answer(incident(of_fault("healthy-load", samples=2), symptom="checkout times out")).causes == ()


def test_a_clients_error_in_a_paste_is_evidence_of_its_own() -> None:
    trace = (
        "2026-01-02 ERROR cart: StackExchange.Redis.RedisTimeoutException: Timeout performing GET (5000ms), inst: 0,"
        " qu: 0, qs: 31, in: 0, serverEndpoint: cache:6379, IOCP: (Busy=0,Free=1000,Min=8,Max=1000),"
        " WORKER: (Busy=44,Free=32723,Min=8,Max=32767)\n   at StackExchange.Redis.X.Y()\n"
    )
    alone = answer(incident(trace * 3, symptom="checkout is slow"))
    (said,) = alone.client_says
    assert (said.library, said.stage, said.side) == ("StackExchange.Redis", "reply", "client")
    assert "3 times" in said.told
    assert alone.outcome == "insufficient-evidence" and alone.summary.startswith(said.told)
    first = alone.findings[0]
    assert (first.id, first.only_reported) == ("client-starved", True) and first.probability < 0.5
    assert {one.reading for one in said.evidence} <= {one.id for one in alone.readings}
    beside = answer(incident(trace, info(), symptom="checkout is slow"))
    assert [one.library for one in beside.client_says] == ["StackExchange.Redis"]
    assert beside.pasted and "a client's error" in beside.pasted.what and beside.pasted.unrecognised == ()
