"""A finding about a setting that this program itself set: whoever reads it would look for somebody else."""

from agent.answer.diagnosis import Cause
from agent.evidence.view import View
from tools.gate.equality import equal_values

TOOL = "own_changes"
"""The reading of what this program changed."""
_MOST = 8


def own(view: View, cause: Cause) -> Cause:
    """A finding, with what this program did to a setting that it cites, as long as that still stands."""
    if view.last(TOOL) is None:
        return cause
    for number in range(1, _MOST + 1):
        at = f"c{number}"
        parameter, value = view.text(TOOL, f"{at}.parameter"), view.text(TOOL, f"{at}.value")
        if not parameter or view.text(TOOL, f"{at}.node") != view.node or not _stands(cause, parameter, value):
            continue
        when, by = view.text(TOOL, f"{at}.at"), view.text(TOOL, f"{at}.by")
        whose = f", approved by {by}" if by else ""
        undid = "undid a step and " if view.get(TOOL, f"{at}.undo") is True else ""
        why = f"{cause.why} It was rediagnose itself that {undid}set {parameter} to {value}"
        why += f", at {when[11:16]} UTC on {when[:10]}{whose}."
        cited = view.cite((TOOL, f"{at}.value"), (TOOL, f"{at}.before"))
        return cause.model_copy(update={"why": why, "evidence": (*cause.evidence, *cited)})
    return cause


def _stands(cause: Cause, parameter: str, value: str) -> bool:
    """Whether a finding cites the setting, and it's still what was set."""
    names = (parameter, parameter.replace("-", "_"))
    cited = [
        one for one in cause.evidence
        if one.field in (*names, f"{parameter}.running") and one.value is not None
    ]  # fmt: skip
    return any(equal_values(parameter, value, str(one.value)) for one in cited)
