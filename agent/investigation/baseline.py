"""What changed since a good day: a recording's figures beside the current ones, as a citable reading."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log
from typing import TYPE_CHECKING

from agent.checks.cpu import main_thread_share
from agent.checks.versus_baseline import floor
from agent.evidence.view import View
from tools.clock import Clock
from tools.errors import ToolError, Unanswered
from tools.patterns import deferred
from tools.records import Reading, Record, Values
from tools.toolbox import Tool, Toolbox, bind, reads

if TYPE_CHECKING:
    from tools.record.replay import Replay

DAY = 86400
OWNERS = 6
"""How many client owners are compared."""
CHANGES = 5
"""How many of the most changed figures are listed first."""
NOTICED = 1.5
"""Least factor, or its inverse, of a change listed among the first."""
_ERROR = deferred(r"errorstat_(\w+)\.count\.rate")


class Baseline(Record):
    """What was read from a deployment on a good day."""

    path: str
    began: datetime
    """When the recording began."""
    readings: tuple[Reading, ...]
    nodes: tuple[str, ...]
    """The nodes that reported their figures."""
    found: tuple[str, ...] = ()
    """Causes that the checks already saw then."""


@dataclass(frozen=True)
class BaselineComparison:
    """One node now, and where to find its good day."""

    baseline: Baseline
    node: str
    readings: Callable[[], Sequence[Reading]]
    """The incident's readings so far."""
    nodes: Callable[[], Sequence[str]]
    """The deployment's data nodes so far."""
    clock: Clock


@reads
async def baseline(beside: BaselineComparison) -> Values:
    """The figures of a good day beside the current ones: `<figure>.before`, `.now`, and `.ratio` (null if before is 0).

    Rates are per second over the window of each: `window_seconds` then. `o1_clients` are those of owner o1 in clients,
    then and now. `changed1.field` changed most, then `changed2.field`; `age_days` is the recording's age, `found` what
    the checks already saw on that day, `other_name` the node's name then if it was different.
    """
    then = beside.baseline
    at = beside.node if beside.node in then.nodes else None
    if at is None and len(then.nodes) == 1 and len(beside.nodes()) == 1:
        (at,) = then.nodes
    if at is None:
        there = ", ".join(then.nodes)
        raise Unanswered("not-recorded", f"{beside.node} isn't in the baseline; it has the figures of {there}")
    old, new = View(then.readings, at), View(beside.readings(), beside.node)
    values: Values = {
        "age_days": round((beside.clock.now() - then.began).total_seconds() / DAY, 3),
        "window_seconds": old.number("info", "window_seconds"),
    }  # fmt: skip
    if at != beside.node:
        values["other_name"] = at
    if then.found:
        values["found"] = " ".join(then.found)
    before, now = figures(old), figures(new)
    for owner, count in _owners(old, new).items():
        before[owner], now[owner] = count
    compared = {name: (before.get(name), now.get(name)) for name in dict.fromkeys((*before, *now))}
    if not (has_figures(old) and has_figures(new)):
        raise Unanswered("not-recorded", f"{beside.node} didn't report its figures, so nothing can be compared", values)
    pairs: dict[str, tuple[float, float]] = {}
    for name, (was, is_) in compared.items():
        if name.startswith("errors."):
            was, is_ = was or 0.0, is_ or 0.0
        if was is not None and is_ is not None:
            pairs[name] = was, is_
    for number, name in enumerate(_most_changed(pairs), 1):
        values[f"changed{number}.field"] = name
    for name, (was, is_) in pairs.items():
        ratio = round(is_ / was, 3) if was else None
        values |= {f"{name}.before": _tidy(was), f"{name}.now": _tidy(is_), f"{name}.ratio": ratio}
    return values


def has_figures(view: View) -> bool:
    """Whether a node reported its figures."""
    return view.number("info", "total_commands_processed.rate") is not None


def figures(view: View) -> dict[str, float | None]:
    """The figures to compare, from a node's readings."""
    info, keyspace = _of(view, "info"), _of(view, "keyspace")
    seconds = keyspace("window_seconds")
    keys, expires = keyspace("keys.delta"), keyspace("expires.delta")
    lasting = None if keys is None or expires is None or not seconds else max(0.0, keys - expires) / seconds
    output, received = info("total_net_output_bytes.rate"), info("total_net_input_bytes.rate")
    found: dict[str, float | None] = {
        "ops_per_second": info("total_commands_processed.rate"),
        "connections_per_second": info("total_connections_received.rate"),
        "rejected_per_second": info("rejected_connections.rate"),
        "errors_per_second": info("total_error_replies.rate"),
        "connected_clients": info("connected_clients"), "blocked_clients": info("blocked_clients"),
        "used_memory": info("used_memory"), "keys": keyspace("keys"), "kept_keys_per_second": lasting,
        "expires_share": keyspace("ttl_coverage"), "hit_ratio": keyspace("hit_ratio"),
        "evicted_per_second": keyspace("evicted_keys.rate"), "expired_per_second": keyspace("expired_keys.rate"),
        "output_kbps": None if output is None else output / 1024,
        "input_kbps": None if received is None else received / 1024,
        "latency_min_ms": view.number("latency_sample", "min_ms"),
        "latency_p50_ms": view.number("latency_sample", "median_ms"),
        "latency_p99_ms": view.number("latency_sample", "p99_ms"),
        "cpu_share": main_thread_share(view), "busy_share": view.number("commandstats", "busy_share"),
    }  # fmt: skip
    for field in view.fields("info"):
        if match := _ERROR.fullmatch(field):
            found[f"errors.{match[1]}_per_second"] = info(field)
    return found


def _of(view: View, tool: str) -> Callable[[str], float | None]:
    return lambda field: view.number(tool, field)


def _owners(old: View, new: View) -> dict[str, tuple[float | None, float | None]]:
    """Then and now, the clients of each owner shown now, by its position in clients."""
    then = {_owner(old, at): old.number("clients", f"{at}.count") for at in _shown(old)}
    # An owner that wasn't shown then wasn't there, if all were shown.
    all_shown = old.number("clients", "o_groups") == len(then) and old.number("clients", "share_seen") == 1
    absent = 0.0 if all_shown else None
    return {
        f"{at}_clients": (then.get(_owner(new, at), absent), new.number("clients", f"{at}.count")) for at in _shown(new)
    }


def _shown(view: View) -> list[str]:
    return [f"o{n}" for n in range(1, OWNERS + 1) if view.number("clients", f"o{n}.count") is not None]


def _owner(view: View, at: str) -> str:
    """Whose clients they are: by name, or else by address, which may be a proxy's."""
    return view.text("clients", f"{at}.name") or view.text("clients", f"{at}.address")


def _most_changed(pairs: dict[str, tuple[float, float]]) -> list[str]:
    change = {name: abs(log((is_ + floor(name)) / (was + floor(name)))) for name, (was, is_) in pairs.items()}
    ranked = sorted(change, key=lambda name: -change[name])
    return [name for name in ranked if change[name] >= log(NOTICED)][:CHANGES]


def _tidy(number: float) -> float | int:
    return int(number) if float(number).is_integer() else round(number, 4)


def tools_against(beside: BaselineComparison | None, node: str, replay: "Replay | None") -> Iterator[Tool]:
    """The tool of one node, if there is a good day to compare with; in a replay, if one was compared with."""
    if replay is not None and ("baseline", node) in replay.tape.seen:
        yield bind(baseline, None, node=node, instead=replay.reading("baseline", node))
    elif beside is not None:
        yield bind(baseline, beside, node=node)


async def compare(toolbox: Toolbox) -> None:
    """Take the reading for each node that has one; it costs the servers nothing."""
    for node in toolbox.nodes:
        if toolbox.has("baseline", node):
            try:
                await toolbox.call("baseline", {"node": node})
            except ToolError:
                # The time is up: the other readings stand on their own.
                return
