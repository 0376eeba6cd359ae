"""Whose answer stands: transcripts of models that would have won with any true figure, and one that wins rightly."""

import pytest

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, ModelUse, RuledOut, Verdict
from agent.checks.verdict import REPORTED, conclude
from agent.evidence.citations import checked
from agent.investigation.arbitration import doubt, objection, settled
from agent.investigation.scales import Scales
from agent.loop.submission import Conclusion
from agent.recordings.replay import on_virtual_time
from agent.runbooks.library import load
from evals.attacks.models import answered
from evals.endpoint import Body, Call, Move, Say, Script
from evals.scoring.scenario import BUNDLED, Scenario
from evals.scoring.scenario import load as scenarios
from tests.agent.checks.rows import LIMITS, NODE
from tests.agent.evidence.test_breadth import reading
from tools.records import Reading, Values

SCENARIOS = {one.id: one for one in scenarios(BUNDLED)}
LIBRARY = load()


def says(*answers: Body) -> Script:
    """A model that submits these, the last of them again and again."""
    left = list(answers)

    def script(body: Body) -> Move:
        given = left.pop(0) if len(left) > 1 else left[0]
        return Say(calls=(Call(name=given.pop("tool", "submit_diagnosis"), arguments=given),))

    return script


def submission(outcome: str, causes: list[Body], out: list[Body], *by_hand: str) -> Body:
    actions = [{"kind": "outside", "action": one, "why": "It helps.", "verify": None, "avoid": None} for one in by_hand]
    return {
        "outcome": outcome, "summary": "It's plain to see.", "causes": causes, "ruled_out": out,
        "evidence": [cited("r1", "stage", "ping")] if outcome == "no-fault" else [], "unknown": [], "actions": actions,
    }  # fmt: skip


def cause(id: str, probability: float, *evidence: Body) -> Body:
    return {"id": id, "probability": probability, "where": None, "why": "It's plain.", "evidence": list(evidence)}


def cited(reading: str, field: str, value: object) -> Body:
    return {"reading": reading, "field": field, "value": value}


def answer_to(scenario: Scenario, *answers: Body) -> Diagnosis:
    return on_virtual_time(answered(scenario, says(*answers)))


HASTY: dict[str, tuple[str, str, Body]] = {
    "a true figure that says nothing": (
        "s0107", "auth-failure",
        submission(
            "diagnosed", [cause("path-latency", 0.97, cited("r1", "stage", "ping"))],
            [{"id": "auth-failure", "because": "It lets us in.", "evidence": [cited("r1", "stage", "ping")]}],
        ),
    ),
    "what supports the finding, said to speak against it": (
        "s0107", "auth-failure",
        submission(
            "no-fault", [],
            [{
                "id": "auth-failure", "because": "Few.",
                "evidence": [cited("r3", "errorstat_WRONGPASS.count.delta", 10)],
            }],
        ),
    ),
    "named at 1 %": (
        "s0270", "auth-failure",
        submission(
            "diagnosed",
            [
                cause("tls-mismatch", 0.999, cited("r1", "stage", "auth")),
                cause("auth-failure", 0.01, cited("r1", "unavailable", "wrongpass")),
            ],
            [],
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("id", "right", "given"), HASTY.values(), ids=HASTY.keys())
def test_a_hasty_model_doesnt_win(id: str, right: str, given: Body) -> None:
    answer = answer_to(SCENARIOS[id], given)
    assert answer.outcome == "diagnosed" and answer.causes[0].id == right
    assert answer.model.disagrees and answer.model.disagrees.stands == "checks"
    # Asked once more, and both sides are shown.
    assert answer.model.turns == 2 and answer.model.disagrees.evidence and answer.model.disagrees.other
    assert {step.node for step in answer.plan} <= set(answer.target.nodes)


def test_a_model_that_agrees_is_heard_and_its_advice_is_marked() -> None:
    given = submission(
        "diagnosed", [cause("auth-failure", 0.9, cited("r1", "unavailable", "wrongpass"))], [],
        "Restart the Redis server.", "Ask the owner of the secret when it was rotated.",
    )  # fmt: skip
    answer = answer_to(SCENARIOS["s0270"], given)
    assert answer.causes[0].why == "It's plain." and answer.model.degraded is None
    assert answer.plan[-1].unverified and answer.plan[-1].action.startswith("Unverified advice of the model: Ask")
    assert not [step for step in answer.plan if "estart" in step.action]
    assert [one.action for one in answer.refused] == ["a manual step that the model adds: restarting"]
    assert "Restart the Redis server" not in answer.to_json()


def test_a_narrow_reading_takes_nothing_from_the_fallback() -> None:
    scenario = next(one for one in SCENARIOS.values() if one.fault == "oom-noeviction")
    answer = answer_to(
        scenario, {"tool": "info", "sections": ["clients"], "window": 0}, {"tool": "memory", "window": 0},
        submission("no-fault", [], []),
    )  # fmt: skip
    assert answer.causes[0].id == "oom-noeviction" and answer.plan
    assert any(one.asked for one in answer.readings)


# A primary whose replicas are refused, read from the primary alone: what it refuses looks like an application's.
REFUSED = reading(
    1, "info", {"role": "master", "errorstat_WRONGPASS.count.delta": 40, "connected_slaves": 0}, asked=False, window=2
)  # fmt: skip
LOG = reading(2, "log", {"replication_auth.newest_age": 0.4, "replication_auth.count": 30}, asked=False, lines=200)


def conclusion(*against: Evidence, readings: list[Reading], id: str = "masterauth-mismatch") -> Conclusion:
    proof = (Evidence(reading="r2", field="replication_auth.newest_age", value=0.4),)
    return Conclusion(
        outcome="diagnosed", ruled_out=(
            RuledOut(id="auth-failure", because="The replica is refused.", evidence=checked(against, readings)),
        ),
        causes=(Cause(id=id, probability=0.9, where=NODE, why="x", evidence=checked(proof, readings)),),
        unknown=(), actions=(), use=ModelUse(name="m"),
    )  # fmt: skip


def judged(done: Conclusion, readings: list[Reading]) -> tuple[str | None, Verdict]:
    checks = conclude(readings, [NODE], LIMITS)
    assert checks.causes[0].id == "auth-failure"
    scales = Scales(readings, [NODE], LIBRARY, checks)
    assert (objection(done, checks, scales) is None) == (doubt(done, checks, scales) is None)
    return doubt(done, checks, scales), settled(done, checks, scales)


def test_a_well_cited_disagreement_wins() -> None:
    readings = [REFUSED, LOG]
    told_apart = Evidence(reading="r2", field="replication_auth.count", value=30)
    why, verdict = judged(conclusion(told_apart, readings=readings), readings)
    assert why is None
    assert [one.id for one in verdict.causes] == ["masterauth-mismatch"]
    assert verdict.findings[0].id == "auth-failure"


AGAINST: dict[str, Evidence] = {
    "a true figure": Evidence(reading="r1", field="connected_slaves", value=0),
    "what supports it": Evidence(reading="r1", field="errorstat_WRONGPASS.count.delta", value=40),
    "a false figure": Evidence(reading="r2", field="replication_auth.count", value=31),
    "the report": Evidence(reading="r0", field="text", value="x"),
}


@pytest.mark.parametrize("against", AGAINST.values(), ids=AGAINST.keys())
def test_nothing_less_does(against: Evidence) -> None:
    readings = [REFUSED, LOG]
    assert judged(conclusion(against, readings=readings), readings)[0]


def test_a_cause_that_isnt_related_doesnt_win_by_the_same_citation() -> None:
    readings = [REFUSED, LOG]
    told_apart = Evidence(reading="r2", field="replication_auth.count", value=30)
    assert judged(conclusion(told_apart, readings=readings, id="swapping"), readings)[0]


def test_the_same_figure_in_another_servers_words_doesnt() -> None:
    values: Values = {"said_by": "logs", **(LOG.values or {})}
    readings = [REFUSED, LOG.model_copy(update={"tool": "logs__find", "node": None, "values": values, "asked": True})]
    told_apart = Evidence(reading="r2", field="replication_auth.count", value=30)
    assert judged(conclusion(told_apart, readings=readings), readings)[0]


def test_what_another_server_says_is_no_surer_than_a_report_where_nothing_was_measured() -> None:
    said = LOG.model_copy(update={"tool": "logs__find", "node": None, "asked": True})
    done = conclusion(readings=[said]).model_copy(update={"ruled_out": ()})
    checks = Verdict(
        outcome="insufficient-evidence", findings=(done.causes[0].model_copy(update={"probability": 0.2}),)
    )
    scales = Scales([said], [NODE], LIBRARY, checks)
    assert doubt(done, checks, scales) is None
    assert [one.probability for one in settled(done, checks, scales).causes] == [REPORTED]
