"""How much of a deployment was looked at, and what of it an answer holds."""

from collections.abc import Iterator, Sequence

from agent.answer.diagnosis import Diagnosis, Evidence, TargetInfo
from agent.investigation.depth import ALL
from tools.records import Reading


def only_glanced(readings: Sequence[Reading], info: TargetInfo) -> Iterator[str]:
    """What a glance leaves unknown, where nodes got no more than that."""
    deep = info.looked_at.in_depth if info.looked_at else ()
    read = {one.node for one in readings if one.tool == "info" and not one.unavailable}
    glanced = [name for name in info.nodes if deep and name in read and name not in deep]
    if glanced:
        yield (
            f"{len(glanced)} of {len(info.nodes)} nodes got a glance only (INFO, command statistics, PINGs): their "
            "clients, configuration, logs and hosts weren't read; name one in the URL to look at it in depth"
        )


def without_the_well(answer: Diagnosis, named: str) -> Diagnosis:
    """The answer on a large deployment without the readings of those servers that are well: it grows by what was
    found, not by nodes. Those of the `named` node stay, and all that is cited."""
    if len(answer.target.nodes) <= ALL:
        return answer
    causes = (*answer.causes, *answer.findings)
    disagrees = answer.model.disagrees
    evidence: list[Evidence] = [
        *(one for cause in causes for one in cause.evidence),
        *(one for out in answer.ruled_out for one in out.evidence),
        *(answer.failover.evidence if answer.failover else ()), *(disagrees.evidence if disagrees else ()),
        *(disagrees.other if disagrees else ()),
    ]  # fmt: skip
    cited = {one.reading for one in evidence}
    told = {named, None, *(cause.where for cause in causes)}
    told |= {one.node for one in answer.readings if one.unavailable and one.tool in ("connect", "info")}
    kept = tuple(one for one in answer.readings if one.node in told or one.id in cited)
    return answer.model_copy(update={"readings": kept})
