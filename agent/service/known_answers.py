"""Questions that are answered without a model: from a stored answer, and from the earlier incidents of its target."""

import re
from collections.abc import Iterator, Sequence

from agent.answer.diagnosis import Diagnosis
from agent.chat.fixed import Place, fixed_answer, suggested
from agent.report.summary import sentence
from agent.service.records import Incident
from tools.text import printable

HERE = Place(
    "The plan shows the steps in full; an approver decides there, about the exact change.",
    "A Prometheus that is named in the settings would show it.",
)
BEFORE, ANEW = "Was it seen before?", "look again"
UNKNOWN = (
    "Without a model only the suggested questions are answered: what now, why, what is the evidence, is a step safe, "
    "since when, who, where, what wasn't seen, was it seen before.",
)
_BEFORE = re.compile(r"\b(?:history|(?:seen|happened|been so|like this) before)\b", re.IGNORECASE)
_ANEW = re.compile(r"(?:please )?(?:look again|re-?check|check again)\W*", re.IGNORECASE)


def offered(answer: Diagnosis) -> list[str]:
    """The questions that are suggested."""
    return [*suggested(answer), BEFORE]


def is_offered(text: str, answer: Diagnosis) -> bool:
    """Whether a question is one of those, or asks for what isn't a model's to do."""
    return text in offered(answer) or _ANEW.fullmatch(text) is not None


def known_answer(text: str, incident: Incident, answer: Diagnosis, similar: Sequence[Incident]) -> list[str] | None:
    """The answer to one of these questions, as lines; null for any other text."""
    if _ANEW.fullmatch(text):
        read = max((one.at for one in answer.readings if one.tool != "symptom"), default="")
        at = f", at {read}" if read else ""
        return [f"Questions are answered from what was read{at}. An approver can let the servers be looked at again."]
    if (lines := fixed_answer(text, answer, HERE)) is not None:
        return lines or ["The readings don't show it."]
    return list(_seen_before(incident, similar)) if _BEFORE.search(text) else None


def _seen_before(incident: Incident, similar: Sequence[Incident]) -> Iterator[str]:
    if not similar:
        yield f"There is no earlier incident of {incident.target} here."
        return
    yield f"Earlier incidents of {incident.target}:"
    for one in similar:
        what = one.diagnosis.summary if one.diagnosis else one.problem or one.title
        notes = "".join(f" {said.by}: {said.note}" for said in one.feedback if said.note)
        yield f"  {one.opened_at:%-d %B %Y, %H:%M} UTC: {sentence(printable(what))}{printable(notes)}"
