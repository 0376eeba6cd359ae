"""Latency as a client here sees it."""

import statistics
from typing import Annotated

from pydantic import Field

from tools.connection.node import PATIENCE, Node
from tools.errors import BudgetSpent, ToolError, Unanswered
from tools.records import Kind, Values
from tools.toolbox import reads

SLOW_MS = 10.0
"""Above this a PING counts as slow: the customary alert on average latency."""
SERIES = 60


@reads
async def latency_sample(
    node: Node,
    count: Annotated[int, Field(ge=1, le=200)] = 60,
    seconds: Annotated[float, Field(ge=0, le=30)] = 2.0,
) -> Values:
    """PINGs spread over a time, as redis-cli --latency: min to max in milliseconds.

    `over_10ms_share` is the share above 10 ms, `timeouts` those without a reply in 2 s. Measured from here, over the
    held connection. `series_ms` are the slowest of up to 60 slices in turn, as in --latency-history.
    """
    clock, took, timeouts = node.clock, [], 0
    began = clock.monotonic()
    failure: Unanswered | None = None
    kinds: dict[Kind, int] = {}
    for index in range(count):
        if (ahead := began + seconds * index / count - clock.monotonic()) > 0:
            await clock.sleep(ahead)
        elif clock.monotonic() - began > seconds + PATIENCE * 2:
            break
        try:
            took.append(await node.ping())
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
    if not took:
        if failure is None:
            raise ToolError("no PING is left of the incident's bound; use the samples that were taken")
        raise Unanswered(failure.kind, failure.detail, {"answered": 0, "timeouts": timeouts, **counts})
    return {"answered": len(took), "timeouts": timeouts, **counts, **figures(took)}


def figures(took: list[float]) -> Values:
    """Distribution of some durations in milliseconds."""
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
