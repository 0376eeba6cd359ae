"""How much of a deployment was examined, and which of its readings an answer contains."""

from collections.abc import Iterator

from agent.answer.diagnosis import Diagnosis, Evidence, TargetInfo


def only_glanced(info: TargetInfo) -> Iterator[str]:
    """What remains unknown about nodes that got only a glance."""
    if info.looked_at and (glanced := info.looked_at.glanced):
        yield (
            f"{glanced} of {len(info.nodes)} nodes were only looked at briefly "
            "(INFO, command statistics, PINGs): their "
            "clients, configuration, logs and hosts weren't read; name one in the URL to look at it in depth"
        )


def without_the_well(answer: Diagnosis, named: str) -> Diagnosis:
    """The answer about a large deployment without the readings of healthy servers: it grows with findings, not nodes.

    Those of the `named` node stay, and everything that is cited.
    """
    if not answer.target.looked_at or not answer.target.looked_at.glanced:
        return answer
    causes = (*answer.causes, *answer.findings)
    disagrees = answer.model.disagrees
    evidence: list[Evidence] = [
        *(one for cause in causes for one in cause.evidence),
        *(one for out in answer.ruled_out for one in out.evidence),
        *(answer.failover.evidence if answer.failover else ()), *(disagrees.evidence if disagrees else ()),
        *(disagrees.other if disagrees else ()),
        *(one for said in answer.complaints for one in said.evidence),
        *(one for said in answer.benign for one in said.evidence),
    ]  # fmt: skip
    cited = {one.reading for one in evidence}
    told = {named, None, *(cause.where for cause in causes)}
    told |= {one.node for one in answer.readings if one.unavailable and one.tool in ("connect", "info")}
    kept = tuple(one for one in answer.readings if one.node in told or one.id in cited)
    return answer.model_copy(update={"readings": kept})
