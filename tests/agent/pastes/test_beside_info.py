"""The machine's facts, redis-cli's --stat and --latency, Kubernetes, and the words around what was pasted."""

from pathlib import Path

from evals.pastes import answer, paste_of
from evals.scoring.scenario import BUNDLED, load
from tests.agent.pastes.test_incident import answer as answered
from tests.agent.pastes.test_incident import incident
from tests.agent.pastes.test_servers import info
from tools.paste.recognise import recognise

SAMPLES = Path(__file__).parents[3] / "evals" / "paste_samples"
STAT = (
    "------- data ------ --------------------- load -------------------- - child -\n"
    "keys       mem      clients blocked requests            connections\n"
    "1000       10.00M   50      0       1000000 (+0)        5000\n"
    "1000       10.00M   50      0       1002000 (+2000)     5900\n"
    "1000       10.00M   50      0       1004000 (+2000)     6800\n"
)


def facts() -> str:
    return (SAMPLES / "host-facts.txt").read_text(encoding="utf-8")


def test_the_host_scripts_output_is_the_machines_readings() -> None:
    quoted = "".join(f"> {line}\n" for line in facts().splitlines())
    for text in (facts(), facts().replace("\n", "\r\n"), quoted):
        found = answered(incident(info("a").replace("process_id:1\n", "process_id:4242\n"), text))
        read = {one.tool: one for one in found.readings if one.unavailable is None}
        assert (read["process"].get("locality"), read["sockets"].get("send_q")) == ("host-facts", 511)
        assert found.pasted and "the machine's facts" in found.pasted.what and not found.pasted.unrecognised


def test_facts_of_another_server_or_cut_off_are_not_this_ones() -> None:
    found = answered(incident(info("a").replace("process_id:1\n", "process_id:77\n"), facts()))
    lacks = {one.tool: one.unavailable.kind for one in found.readings if one.unavailable}
    assert lacks["process"] == "not-local"
    cut = incident(info("a"), facts()[:900])
    assert "its end is missing" in cut.told.unrecognised[0]
    assert {one.tool: one.unavailable.kind for one in answered(cut).readings if one.unavailable}[
        "process"
    ] == "not-pasted"


def test_a_paste_of_everything_is_well_and_one_without_the_machine_can_not_be_told() -> None:
    scenario = next(one for one in load(BUNDLED) if one.fault == "healthy-load" and one.cause == "no-fault"
                    and (paste := paste_of(one, "machine")) and answer(paste).outcome == "no-fault")  # fmt: skip
    for mode in ("one", "two", "info"):
        paste = paste_of(scenario, mode)
        assert paste and answer(paste).outcome == "insufficient-evidence", mode


def test_lines_of_stat_are_two_samples_of_what_they_hold_and_of_nothing_else() -> None:
    for texts in ((STAT,), (info("a"), STAT)):
        found = answered(incident(*texts, symptom="the CPU is high"))
        (read,) = {one.id: one for one in found.readings if one.tool == "info" and one.values}.values()
        assert read.get("window_seconds") == 2 and read.get("total_connections_received.delta") == 1800
        assert read.get("rejected_connections.delta") is None
        assert [one.id for one in found.causes] == ["connection-churn"]
        assert found.pasted and found.pasted.seconds is None


def test_what_kubernetes_says_of_a_pod_is_weighed() -> None:
    text = (
        "Name:             redis-0\nNamespace:        prod\nStatus:           Failed\nReason:           Evicted\n"
        "Message:          The node was low on resource: memory. Threshold quantity: 100Mi.\nContainers:\n  redis:\n"
        "    Image:         redis:7.2\nEvents:\n  Type     Reason       Age   From     Message\n"
        "  Warning  FailedMount  2m (x5 over 10m)  kubelet  MountVolume.SetUp failed for volume \"data\"\n"
    )  # fmt: skip
    said = " ".join(one.what for one in answered(incident(text, symptom="gone")).complaints)
    assert "volume couldn't be mounted 5 times" in said and "ran out of memory" in said and "Failed (Evicted)" in said
    pod = (SAMPLES / "describe-pod.txt").read_text(encoding="utf-8")
    found = answered(incident(pod, info("a"), symptom="it restarts"))
    said = " ".join(one.what for one in found.complaints)
    assert found.causes[0].id == "oom-killed"
    assert "liveness probe failed 12 times" in said and "(exit code 137), and it was restarted 7 times" in said


def test_the_words_around_are_the_report_where_none_was_given() -> None:
    text = (
        f"Hi all,\n\nsince noon our checkout times out on Redis.\n\n```\n{info('a')}```\n\nAny idea what it could be?\n"
    )
    found = incident(text, symptom="")
    assert found.tape.head.symptom == "since noon our checkout times out on Redis.\nAny idea what it could be?"
    assert not found.told.unrecognised
    assert incident(text, symptom="slow").tape.head.symptom == "slow"
    assert recognise("the password is hunter2: requirepass hunter2\n\n" + info("a"), "t").prose.count("hunter2") < 2
