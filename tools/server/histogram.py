"""How long commands took on the server: INFO latencystats, and LATENCY HISTOGRAM over a window."""

import math
from collections.abc import Callable
from typing import Annotated, NamedTuple

from pydantic import Field

from tools.connection.node import Node
from tools.connection.protocol import Reply, ServerError
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Scalar, Values
from tools.server.doctor import FAILED, answers, unavailable
from tools.server.info import Pair, Window, pair
from tools.toolbox import reads

ASK: tuple[str, str] = ("LATENCY", "HISTOGRAM")
NAMED = 40
"""How many commands a second histogram is requested for: those that took most of the window."""
_PERCENTILE = deferred(r"latency_percentiles_usec_(?P<name>.+)\.(?P<share>p\d+(\.\d+)?)")
_CALLS = deferred(r"cmdstat_(?P<name>.+)\.(?P<field>calls|calls\.delta|usec|usec\.delta)")


class Histogram(NamedTuple):
    """How many calls took how long."""

    calls: int
    buckets: dict[int, int]
    """Upper bound in microseconds, about a power of two, to calls; what took longer than 1 s counts as 1 s."""

    def since(self, first: "Histogram | None") -> "Histogram":
        """The calls after the first histogram. A RESETSTAT in between leaves those after it."""
        if first is None or first.calls > self.calls:
            return self
        left = {bound: count - first.buckets.get(bound, 0) for bound, count in self.buckets.items()}
        return Histogram(calls=self.calls - first.calls, buckets={at: count for at, count in left.items() if count > 0})

    def at(self, share: float) -> int | None:
        """The bound in microseconds that this share of the calls stayed within."""
        left = math.ceil(share * sum(self.buckets.values()))
        for bound in sorted(self.buckets):
            left -= self.buckets[bound]
            if left <= 0:
                return bound
        return None


@reads
async def latencystats(
    node: Node,
    window: Window = 2.0,
    top: Annotated[int, Field(ge=1, le=40)] = 10,
) -> Values:
    """Percentiles of each command's time on the server.

    `<command>.p50_usec`, `.p99_usec` and `.p99.9_usec` are since the start, in microseconds; `.window_p50_usec`,
    `.window_p99_usec` and `.window_max_usec` are of the `.calls.delta` calls within the window, as upper bounds of
    buckets that double. Queueing and the network aren't in it. `slowest` has the highest p99 of the window. This
    program's own calls are excluded; if others call the same command, `.own_calls` of the distribution are ours.
    `tracking` false: the server has latency-tracking off.
    """
    began = node.clock.monotonic()
    if node.version and node.version < (7, 0):
        raise Unanswered("unknown-command", "LATENCY HISTOGRAM needs Redis 7.0")
    (first,) = await node.ask(ASK)
    if isinstance(first, ServerError) and first.kind == "unknown-command":
        # Before 7.0 there is neither this nor the section of INFO.
        node.value(first)
    own = node.own.copy()
    both = await pair(node, window)
    stats, percentiles = _stats(both), _percentiles(both)
    last: Reply = first
    if window and not isinstance(first, ServerError):
        # The first call of LATENCY HISTOGRAM is in the second's reply, unless the server doesn't track.
        names = sorted((name for name in stats if stats[name].get("calls.delta")), key=_cost(stats))[:NAMED]
        (last,) = await answers(node, (*ASK, *names, "latency|histogram"))
    values: Values = {"window_seconds": round(node.clock.monotonic() - began, 3) if window else 0}
    within: dict[str, dict[str, Scalar]] = {}
    if isinstance(last, FAILED):
        values |= {"tracking": bool(percentiles), "histogram.unavailable": unavailable(node, last)}
        if not percentiles:
            raise Unanswered(last.kind or "denied", "LATENCY HISTOGRAM and INFO latencystats", values)
    else:
        before, after = histograms(first), histograms(last)
        values["tracking"] = bool(after)
        # Each reply leaves itself out and has the one before: the number of this program's own is right.
        within = {
            name: _window(found.since(before.get(name)), node.own.calls[name] - own.calls[name])
            for name, found in after.items() if window
        }  # fmt: skip
    shown = {name for name in percentiles if stats.get(name, {}).get("calls", 0) > both.last.own.calls[name]}
    shown |= {name for name in within if within[name]["calls.delta"]}
    values["commands"] = len(shown)
    for name in sorted(shown, key=_cost(stats))[:top]:
        values |= {f"{name}.{share}_usec": value for share, value in percentiles.get(name, {}).items()}
        nothing: dict[str, Scalar] = {"calls.delta": 0} if within else {}
        values |= {f"{name}.{field}": value for field, value in within.get(name, nothing).items()}
    slow = {name: value for name in within if isinstance(value := within[name].get("window_p99_usec"), int)}
    if slow:
        values |= {"slowest": max(slow, key=lambda name: slow[name]), "slowest_p99_usec": max(slow.values())}
    return values


def histograms(reply: Reply) -> dict[str, Histogram]:
    """LATENCY HISTOGRAM by command; the server sends cumulative counts, and only where they grow."""
    found: dict[str, Histogram] = {}
    for name, details in zip(reply[::2], reply[1::2], strict=True):
        fields = dict(zip(details[::2], details[1::2], strict=True))
        raw, buckets, below = fields["histogram_usec"], {}, 0
        for bound, cumulative in zip(raw[::2], raw[1::2], strict=True):
            buckets[int(bound)] = int(cumulative) - below
            below = int(cumulative)
        found[str(name)] = Histogram(calls=int(fields["calls"]), buckets=buckets)
    return found


def _window(found: Histogram, own: int) -> dict[str, Scalar]:
    """The calls of others, and how long they took; if ours are among them, their number is given."""
    if found.calls <= own:
        return {"calls.delta": 0}
    values: dict[str, Scalar] = {
        "calls.delta": found.calls - own, "window_p50_usec": found.at(0.5), "window_p99_usec": found.at(0.99),
        "window_max_usec": found.at(1),
    }  # fmt: skip
    return values | ({"own_calls": own} if own else {})


def _percentiles(both: Pair) -> dict[str, dict[str, Scalar]]:
    rows: dict[str, dict[str, Scalar]] = {}
    for field, value in both.last.flat(frozenset({"latencystats"})).items():
        if match := _PERCENTILE.fullmatch(field):
            rows.setdefault(match["name"], {})[match["share"]] = value
    return rows


def _stats(both: Pair) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, float]] = {}
    for field, value in both.changes(frozenset({"commandstats"})).items():
        if (match := _CALLS.fullmatch(field)) and isinstance(value, int | float):
            rows.setdefault(match["name"], {})[match["field"]] = value
    return rows


def _cost(stats: dict[str, dict[str, float]]) -> Callable[[str], tuple[float, float, str]]:
    """A sort key: what took most of the window first, then what took most since the start."""
    return lambda name: (-stats.get(name, {}).get("usec.delta", 0), -stats.get(name, {}).get("usec", 0), name)
