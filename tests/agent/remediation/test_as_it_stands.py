"""A recorded plan with what was made of its steps since."""

from agent.remediation.applied import as_it_stands
from tests.stand_in import step
from tools.gate.ledger import Entry

NODE = "127.0.0.1:6379"


def entry(event: str, step: str = "s1", *, restores: bool = False) -> Entry:
    return Entry.model_validate({
        "time": "", "event": event, "user": "u", "host": "h", "pid": 1, "node": NODE, "action": "CONFIG SET x 1",
        "step": step, "restores": restores,
    })  # fmt: skip


def test_what_others_applied_and_took_back_since_is_known() -> None:
    applied, taken_back = entry("applied"), entry("rolled-back", restores=True)
    proposed, verified = step("CONFIG SET x 1"), step("CONFIG SET x 1", state="verified")
    for recorded, entries, state in (
        (proposed, (), "proposed"), (verified, (), "verified"), (verified, (applied,), "verified"),
        (proposed, (applied,), "applied"), (verified, (applied, taken_back), "rolled-back"),
        (verified, (applied, taken_back, applied), "applied"), (verified, (entry("rolled-back", "s2"),), "verified"),
    ):  # fmt: skip
        assert [one.state for one in as_it_stands([recorded], entries)] == [state]
