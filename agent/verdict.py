"""From findings to an answer: causes compete, consequences stand back, and what's missing is said."""

from collections.abc import Iterable, Sequence

from agent.checks import CHECKS, Limits
from agent.diagnosis import Cause, Outcome, RuledOut, Verdict
from agent.view import View
from tools.records import Reading

PRESENT = 0.5
"""A cause that is as likely as not is part of the answer."""
CONSEQUENCES: dict[str, dict[str, float]] = {
    "connection-churn": {"cpu-saturated": 0.5},
    "slow-on-command": {"cpu-saturated": 0.4},
    "auth-failure": {"connection-churn": 0.5},
    "client-evicted": {"connection-churn": 0.5, "query-buffer-hog": 0.6, "slow-consumer-output": 0.6},
    "idle-timeout": {"connection-churn": 0.6},
    "lua-busy": {"process-frozen": 0.3},
    "client-paused": {"connection-leak": 0.6, "path-latency": 0.3},
    "cpu-saturated": {"path-latency": 0.3},
    "fd-limit-clamp": {"maxclients-exhausted": 0.95},
    "loading-dataset": {"cpu-saturated": 0.3, "process-frozen": 0.3},
}
"""What a cause brings with it: present, it explains the other away by this factor."""
HIDES: dict[str, tuple[str, ...]] = {
    "info": ("maxclients-exhausted", "connection-churn", "cpu-saturated", "client-evicted", "auth-failure"),
    "commandstats": ("slow-on-command",),
    "latency_sample": ("path-latency",),
    "slowlog": ("slow-on-command", "big-key-delete"),
    "clients": ("connection-leak", "slow-consumer-output", "query-buffer-hog", "client-paused"),
    "config_get": ("idle-timeout", "diagnostics-disabled", "fd-limit-clamp"),
    "acl_log": ("auth-failure",),
    "process": ("process-frozen", "fd-limit-clamp", "cpu-throttled", "swapping"),
    "sockets": ("listen-backlog-overflow",),
    "machine": ("packet-loss", "swapping"),
    "idle_probe": ("idle-drop-by-network",),
}
"""The causes that stay in the dark without a tool's reading."""


def conclude(readings: Iterable[Reading], node: str | None, limits: Limits) -> Verdict:
    """What the checks make of the readings of a node."""
    view = View(readings, node)
    findings: list[Cause] = []
    ruled_out: list[RuledOut] = []
    for check in CHECKS:
        for found in check(view, limits):
            (findings if isinstance(found, Cause) else ruled_out).append(found)  # type: ignore[arg-type]
    ranked = rank(findings)
    found_ids = {cause.id for cause in ranked}
    present = [cause for cause in ranked if cause.probability >= PRESENT]
    outcome = _outcome(view, present)
    causes = [cause for cause in present if cause.id != "outside-redis"] if outcome == "diagnosed" else []
    return Verdict(
        outcome=outcome, causes=tuple(causes[:3]), findings=tuple(ranked),
        ruled_out=tuple(out for out in ruled_out if out.id not in found_ids), unknown=tuple(unknown(view)),
    )  # fmt: skip


def rank(findings: Sequence[Cause]) -> list[Cause]:
    """Findings by probability, consequences explained away, a switched-off diagnostic last."""
    best: dict[str, Cause] = {}
    for cause in findings:
        if cause.id not in best or best[cause.id].probability < cause.probability:
            best[cause.id] = cause
    weighed = []
    for cause in best.values():
        factor = min(
            (effects.get(cause.id, 1.0) for id, effects in CONSEQUENCES.items()
             if id in best and best[id].probability >= PRESENT and best[id].probability >= cause.probability - 0.1),
            default=1.0,
        )  # fmt: skip
        weighed.append(cause.model_copy(update={"probability": round(cause.probability * factor, 3)}))
    return sorted(weighed, key=lambda cause: (cause.id == "diagnostics-disabled", -cause.probability))


def _outcome(view: View, present: Sequence[Cause]) -> Outcome:
    faults = [cause for cause in present if cause.id != "diagnostics-disabled"]
    if any(cause.id != "outside-redis" for cause in faults):
        return "diagnosed"
    if faults:
        return "outside-redis"
    return "no-fault" if well(view) else "insufficient-evidence"


def well(view: View) -> bool:
    """Whether the server was measured and does what it should."""
    answered, median = view.number("latency_sample", "answered"), view.number("latency_sample", "median_ms")
    share = view.number("latency_sample", "over_10ms_share")
    read = all(view.last(tool) and not view.unavailable(tool) for tool in ("info", "commandstats"))
    return bool(read and answered and median is not None and median <= 10 and (share or 0) <= 0.2)


def unknown(view: View) -> list[str]:
    """What could not be read, and which causes that hides."""
    lines: list[str] = []
    for tool, hidden in HIDES.items():
        reading = view.last(tool)
        if reading is not None and reading.unavailable is not None:
            of = f"{tool} ({reading.unavailable.kind}: {reading.unavailable.detail})"
            lines.append(f"{of} can't be read; that hides {', '.join(hidden)}")
    unread = [tool for tool in ("info", "slowlog", "clients", "config_get") if view.last(tool) is None]
    if view.unavailable("connect") and unread:
        lines.append(f"{', '.join(unread)} weren't read, for want of a connection ({view.unavailable('connect')})")
    if view.number("config_get", "latency-monitor-threshold") == 0:
        lines.append("latency-monitor-threshold is 0, the default: the server keeps no record of latency events")
    seen = view.number("clients", "share_seen")
    if seen is not None and seen < 1:
        lines.append(f"{seen:.0%} of the clients were looked at")
    return lines
