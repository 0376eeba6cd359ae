"""Latency as a client here sees it."""

import statistics
from typing import Annotated

from pydantic import Field

from tools.connection.connection import Timed
from tools.connection.node import PATIENCE, Node
from tools.errors import BudgetSpent, ToolError, Unanswered
from tools.records import Kind, Values
from tools.toolbox import reads

SLOW_MS = 10.0
"""Above this a PING counts as slow: the customary alert on average latency."""
SERIES = 60
OWN_FLOOR = 0.001
"""Seconds below which it doesn't matter whose they are."""


@reads
async def latency_sample(
    node: Node,
    count: Annotated[int, Field(ge=1, le=200)] = 60,
    seconds: Annotated[float, Field(ge=0, le=30)] = 2.0,
) -> Values:
    """PINGs spread over `seconds`: min to max in ms.

    `over_10ms_share` is the share above 10 ms, `timeouts` those without a reply in 2 s. Measured from here, over the
    held connection. `series_ms` are the slowest of up to 60 slices in turn, as in --latency-history. A reply counts
    from when it arrived at this machine, however late this program came to read it: `own_delay_p95_ms` and
    `own_delay_max_ms` are that delay. Where the system doesn't tell when it arrived, PINGs whose time may be mostly
    our own are left out of the figures: `own_late` of them.
    """
    clock, timeouts = node.clock, 0
    took: list[float] = []
    own: list[float] = []
    own_late = 0
    began = clock.monotonic()
    failure: Unanswered | None = None
    kinds: dict[Kind, int] = {}
    for index in range(count):
        if (ahead := began + seconds * index / count - clock.monotonic()) > 0:
            await clock.sleep(ahead)
        elif clock.monotonic() - began > seconds + PATIENCE * 2:
            break
        try:
            timed = await node.ping()
            if timed.own_seconds is not None:
                own.append(timed.own_seconds * 1000)
            if is_own(timed):
                own_late += 1
            else:
                took.append(timed.seconds * 1000)
        except Unanswered as error:
            failure = error
            kinds[error.kind] = kinds.get(error.kind, 0) + 1
            timeouts += error.kind == "timeout"
            if error.kind != "timeout" and not took and kinds[error.kind] >= 3:
                break
            if timeouts >= 3:
                break
        except BudgetSpent:
            break
    counts: Values = {f"failed.{kind}": number for kind, number in kinds.items()}
    if not took and not own_late:
        if failure is None:
            raise ToolError("the incident's limit of PINGs is used up; use the samples already taken")
        raise Unanswered(failure.kind, failure.detail, {"answered": 0, "timeouts": timeouts, **counts})
    answered = len(took) + own_late
    return {"answered": answered, "timeouts": timeouts, **counts, **figures(took), **_own(own, own_late)}


def is_own(timed: Timed) -> bool:
    """Whether most of the time may have been our own, where that can't be told apart."""
    own = timed.own_seconds
    return own is not None and not timed.is_known and own > max(OWN_FLOOR, timed.seconds / 2)


def _own(delays: list[float], late: int) -> Values:
    """How late this program was, in milliseconds; nothing where nobody measured it."""
    if not delays:
        return {}
    ranked = sorted(delays)
    values: Values = {
        "own_delay_p95_ms": round(ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))], 3),
        "own_delay_max_ms": round(ranked[-1], 3),
    }
    return {**values, "own_late": late} if late else values


def figures(took: list[float]) -> Values:
    """Distribution of some durations in milliseconds; nothing where there are none."""
    if not took:
        return {}
    ranked = sorted(took)

    def at(share: float) -> float:
        return round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 3)

    size = max(1, -(-len(took) // SERIES))
    slices = [max(took[start : start + size]) for start in range(0, len(took), size)]
    return {
        "min_ms": at(0), "median_ms": round(statistics.median(ranked), 3), "mean_ms": round(statistics.fmean(took), 3),
        "p95_ms": at(0.95), "p99_ms": at(0.99), "max_ms": round(ranked[-1], 3),
        "over_10ms_share": round(sum(value > SLOW_MS for value in took) / len(took), 3),
        "series_ms": " ".join(f"{value:.2f}" for value in slices),
    }  # fmt: skip
