"""The line for one target's answer: an incident, a preventive finding, or why it couldn't be determined."""

from collections.abc import Iterable, Sequence

from agent.answer.diagnosis import NAMELESS, Cause, Diagnosis, Evidence
from agent.answer.open_points import CANT_TELL
from agent.evidence.view import View
from agent.fleet.inventory import MOST_NAME
from agent.fleet.preventive import nearest_limit, preventive
from agent.fleet.records import FoundCause, Level, Line, Preventive
from agent.investigation.own_trouble import own_trouble
from agent.report.meanings import meaning_of
from tools.text import one_line

LONGEST = 300
"""Characters of the text of a line, which may contain names and values written by others."""
NO_LOGIN = {
    "noauth": "can't log in: no password was given",
    "wrongpass": "can't log in: the user or password was refused",
}
KEPT_OUT = ("untrusted", "dns")
"""Kinds of a failed connect that say nothing about the server."""
AHEAD = {"tls-mismatch": "certificate-expires"}
"""Causes that triage names before they occur, and the preventive finding that stands for each until then."""
SAID = (NAMELESS, CANT_TELL)
"""Prefixes of `unknown` lines that only repeat complaints and blind spots."""
NEVER_SEEN = ("not-local", "not-recorded")
"""What most servers don't show to another machine: without a reported symptom it isn't worth mentioning."""


def line_of(name: str, answer: Diagnosis, views: Sequence[View], growth: float | None = None) -> Line:
    """The line for a target that was examined; `views` are its nodes, `growth` is the named node's memory growth."""
    named = views[0].node if views else None
    coming = [one for view in views for one in preventive(view, growth if view.node == named else None)]
    causes = [] if _kept_out(answer) else [one for one in answer.causes if not _is_coming(one, coming)]
    # A finding that rests on the same values as a cause would only repeat it.
    coming = sorted((one for one in coming if not _is_part(one, causes)), key=lambda one: one.order)
    told = {(each.reading, each.field) for one in coming for each in one.evidence}
    complaints = [one.what for one in answer.complaints if not _rests_on(one.evidence, told)] if not causes else []
    unseen = tuple(one_line(one, LONGEST) for one in answer.unknown if not one.startswith(SAID))
    level, said = _said(answer, causes, complaints, coming, views)
    return Line(
        name=one_line(name, MOST_NAME), url=answer.target.url, level=level, said=one_line(said, LONGEST),
        outcome=answer.outcome, server=answer.target.server, version=answer.target.version,
        topology=answer.target.topology, nodes=answer.target.looked_at.answered if answer.target.looked_at else 0,
        causes=tuple(_shortened(one) for one in causes), complaints=tuple(one_line(one, LONGEST) for one in complaints),
        preventive=tuple(coming), unseen=unseen,
        seconds=answer.seconds,
    )  # fmt: skip


def unanswered(name: str, url: str | None, why: str) -> Line:
    """The line for a target that couldn't be examined."""
    return Line(name=one_line(name, MOST_NAME), url=url, level="unanswered", said=one_line(why, LONGEST))


def _said(
    answer: Diagnosis, causes: Sequence[Cause], complaints: Sequence[str], coming: Sequence[Preventive],
    views: Sequence[View],
) -> tuple[Level, str]:  # fmt: skip
    if why := _kept_out(answer):
        return "unanswered", why
    if causes or answer.outcome == "outside-redis":
        return "incident", _causes_told(causes) if causes else answer.summary
    if complaints:
        return "incident", f"something is wrong, and no known cause explains it: {'; '.join(complaints)}"
    hidden = [one for one in answer.blind if one.kind not in NEVER_SEEN]
    read = any(one.tool == "info" and one.values and not one.unavailable for one in answer.readings)
    if answer.interrupted or hidden or not read:
        return "unanswered", answer.summary
    if coming:
        more = f" (and {len(coming) - 1} more)" if len(coming) > 1 else ""
        return "preventive", f"{_where(coming[0].node, views)}{coming[0].what}{more}"
    nearest, words = max((nearest_limit(view) for view in views), default=(0.0, ""))
    return "healthy", words if words and nearest >= 0.005 else "healthy"


def _kept_out(answer: Diagnosis) -> str | None:
    """Why nothing could be asked, if that says nothing about the server; else None."""
    named = answer.target.nodes[:1]
    first = next((one for one in answer.readings if one.tool == "connect" and one.node in (*named, None)), None)
    kind = first.unavailable.kind if first and first.unavailable else None
    if kind in NO_LOGIN and own_trouble(answer, own_password=True):
        return NO_LOGIN[kind]
    if kind in KEPT_OUT and first and first.unavailable:
        return first.unavailable.detail
    return None


def _is_coming(cause: Cause, coming: Sequence[Preventive]) -> bool:
    """Whether the cause hasn't occurred yet and a preventive finding covers it."""
    same = (one for one in coming if one.id == AHEAD.get(cause.id) and one.node == cause.where)
    return any(_rests_on(cause.evidence, _cited(one.evidence)) for one in same)


def _is_part(finding: Preventive, causes: Sequence[Cause]) -> bool:
    return any(_rests_on(finding.evidence, _cited(cause.evidence)) for cause in causes)


def _cited(evidence: Iterable[Evidence]) -> set[tuple[str, str]]:
    return {(one.reading, one.field) for one in evidence}


def _rests_on(evidence: Iterable[Evidence], told: set[tuple[str, str]]) -> bool:
    """Whether everything cited is covered: then both are about the same thing."""
    cited = _cited(evidence)
    return bool(cited) and cited <= told


def _causes_told(causes: Sequence[Cause]) -> str:
    first = causes[0]
    more = f" (and {', '.join(one.id for one in causes[1:])})" if len(causes) > 1 else ""
    return f"{first.id}: {meaning_of(first) or first.why}{more}"


def _shortened(cause: Cause) -> FoundCause:
    why = one_line(cause.why, LONGEST)
    return FoundCause(id=cause.id, probability=cause.probability, where=cause.where, why=why)


def _where(node: str | None, views: Sequence[View]) -> str:
    return f"{node}: " if node and len(views) > 1 else ""
