"""What a model is shown of the plan with each question."""

from agent.answer.diagnosis import Dropped, Step
from agent.chat.told import plan_lines


def step(action: str, risk: str, **more: object) -> Step:
    return Step.model_validate({
        "id": "s1", "kind": "outside", "node": "a:1", "action": action, "why": "It helps.", "risk": risk,
        "needs_approval": False, **more,
    })  # fmt: skip


def test_a_step_by_hand_says_its_risk_and_a_long_one_its_undo() -> None:
    steps = [step("Free memory. " * 60, "risky", rollback="PERSIST undoes it."), step("Look.", "safe")]
    long, short, dropped = plan_lines(steps, [Dropped(action="Wait.", node=None, why="No.", by="model", avoid=None)])
    assert "(risky, by hand); undo: PERSIST undoes it.; why: It helps." in long and len(long) < 620
    assert short == "s1 [proposed] Look. on a:1 (safe, by hand); why: It helps."
    assert dropped == "left out: Wait. (No.)"
