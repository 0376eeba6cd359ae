"""What whoever runs a managed server did to it, or held back, at the time of the report: their own interface says."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from agent.checks.blind_spots import symptom_kinds
from agent.checks.settings import speaks_of_settings
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.evidence.managed import SILENT, service_of
from agent.evidence.view import Cited, View
from tools.records import Scalar

PROVIDER = "provider"
DISTURBED = frozenset(("slow", "connection", "errors", "idle", "restart", "refused", "replicas", "failover", "cluster"))
"""What people report of a node that is being replaced, and of connections that were lost with it."""
AFTER = 600.0
"""Seconds after the report in which what caused it may be noted: a failover is noted once it's over."""
UNDER_WAY = ("in-progress", "stopping")
DONE_TO_IT: Mapping[str, str] = {
    "update-done": "applied a service update", "update": "changed the version", "node-restarted": "restarted a node",
    "node-stopped": "stopped a node", "node-recovered": "replaced a node", "node-recovering": "replaced a node",
    "node-replaced": "replaced a node", "maintenance-started": "began its maintenance",
    "unplanned-outage": "had an outage of its own", "reboot-requested": "rebooted nodes, as somebody had asked,",
}  # fmt: skip
"""Events of maintenance by their names, and what was done."""
SCALED = ("node-type-changed", "node-type-changing", "node-count-changed", "node-added", "node-removed", "resharding")
ALLOWANCES: Mapping[str, str] = {
    "NetworkBandwidthInAllowanceExceeded": "more arrives than its bandwidth lets in",
    "NetworkBandwidthOutAllowanceExceeded": "more leaves than its bandwidth lets out",
    "NetworkConntrackAllowanceExceeded": "more connections are tracked than the node may have",
    "NetworkPacketsPerSecondAllowanceExceeded": "more packets come and go than the node may handle",
}
"""The figures of packets that were held back or dropped, and why each was."""
BASELINES: Mapping[str, float] = {"micro": 10, "small": 20, "medium": 20}
"""Percent of its processors that a burstable node may use without credits, by its size (T3 and T4g)."""


class Happened(NamedTuple):
    """An event at the time of the report."""

    number: int
    event: str
    age: float
    at: str
    source: str

    def cited(self) -> tuple[Cited, ...]:
        """Its fields."""
        return tuple((PROVIDER, f"e{self.number}.{field}") for field in ("event", "at", "age", "source"))


def who(view: View) -> str:
    """The service's name, as its makers write it."""
    service = service_of(view)
    return service.name if service else "The service"


def happened(view: View, *kinds: str) -> Iterator[Happened]:
    """The events of these kinds, the newest first."""
    for number, row in view.rows(PROVIDER, "e").items():
        age = row.get("age")
        if row.get("kind") in kinds and isinstance(age, int | float):
            yield Happened(number, *(_text(row, "event"), float(age), _text(row, "at"), _text(row, "source")))


def _text(row: Mapping[str, Scalar], field: str) -> str:
    value = row.get(field)
    return "" if value is None else str(value)


def at_its_time(view: View, limits: Limits, names: Collection[str], *kinds: str) -> tuple[Happened, float] | None:
    """The newest of these events that explains a report, and how likely: 1 at its time, less an hour before."""
    fits = not (said := symptom_kinds(view.symptom)) or bool(said & DISTURBED)
    for one in happened(view, *kinds):
        if (names and one.event not in names) or one.age < -AFTER or not fits:
            continue
        if one.age <= limits["managed_event_seconds"]:
            return one, 1.0
        if one.age <= limits["managed_lingers_seconds"]:
            return one, 0.45
    return None


def _when(age: float) -> str:
    minutes = round(abs(age) / 60)
    away = f"{minutes} minute{'s' if minutes != 1 else ''}" if minutes else "less than a minute"
    return f"{away} {'before' if age >= 0 else 'after'} the report"


def _unfinished(view: View) -> Happened | None:
    """The replacement of a node that has begun and isn't over."""
    over: set[str] = set()
    for one in happened(view, "node-replaced"):
        if one.event == "node-recovered":
            over.add(one.source)
        elif one.event == "node-recovering" and one.source not in over:
            return one
    return None


def _after_failover(view: View, replaced: Happened) -> bool:
    """Whether it's the node that failed that is replaced, as after each failover: that isn't why."""
    return any(abs(each.age - replaced.age) <= AFTER for each in happened(view, "failover"))


def failover(view: View, limits: Limits) -> Found:
    """The service made another node the primary."""
    names = ("failover-complete", "failover-started", "failover-requested")
    if view.is_sentinel or (found := at_its_time(view, limits, names, "failover")) is None:
        return
    one, likely = found
    asked = next((each for each in happened(view, "failover") if each.event == "failover-requested"
                  and abs(each.age - one.age) <= AFTER), None)  # fmt: skip
    by = " because somebody called for it" if asked else ""
    why = (
        f"{who(view)} made another node the primary {_when(one.age)} ({one.at}){by}: its clients lost their "
        "connections, and writes failed until they had reconnected."
    )
    more = asked.cited() if asked else ()
    yield view.cause("managed-failover", round(0.9 * likely, 2), why, *one.cited(), *more)


def maintenance(view: View, limits: Limits) -> Found:
    """The service patches, restarts or replaces nodes, or did at the time of the report."""
    if view.is_sentinel or not view.get(PROVIDER, "source"):
        return
    said = symptom_kinds(view.symptom)
    update = view.text(PROVIDER, "update.status")
    cited: tuple[Cited, ...]
    if update in UNDER_WAY and (not said or said & DISTURBED):
        name = view.text(PROVIDER, "update.name")
        why = f"{who(view)} is applying the service update {name} now: node after node is replaced."
        cited = (PROVIDER, "update.status"), (PROVIDER, "update.name"), (PROVIDER, "update.age")
        yield view.cause("managed-maintenance", 0.92, why, *cited)
        return
    begun = _unfinished(view)
    if begun is not None and _after_failover(view, begun):
        return
    if begun is not None and -AFTER <= begun.age <= limits["managed_lingers_seconds"]:
        why = f"{who(view)} is replacing a node: that began {_when(begun.age)} ({begun.at}) and isn't over."
        yield view.cause("managed-maintenance", 0.9, why, *begun.cited())
        return
    found = at_its_time(view, limits, DONE_TO_IT, "patch", "maintenance", "node-replaced")
    if found is None:
        return
    one, likely = found
    if one.event == "node-recovered" and _after_failover(view, one):
        return
    done = DONE_TO_IT[one.event]
    why = f"{who(view)} {done} {_when(one.age)} ({one.at}), and connections to it were lost."
    yield view.cause("managed-maintenance", round(0.9 * likely, 2), why, *one.cited())


def scaling(view: View, limits: Limits) -> Found:
    """The service changes the size or the number of nodes, or did at the time of the report."""
    if view.is_sentinel or not view.get(PROVIDER, "source"):
        return
    said = symptom_kinds(view.symptom)
    if view.get(PROVIDER, "scaling.under_way") is True and (not said or said & DISTURBED):
        percent = view.number(PROVIDER, "scaling.percent")
        far = f" ({percent:.0f} % of the slots are moved)" if percent is not None else ""
        why = f"{who(view)} is changing the size or the number of its nodes now{far}."
        cited = (PROVIDER, "scaling.under_way"), (PROVIDER, "scaling.percent"), (PROVIDER, "status")
        yield view.cause("managed-scaling", 0.85, why, *cited)
    elif (found := at_its_time(view, limits, SCALED, "scaling")) is not None:
        one, likely = found
        why = (
            f"{who(view)} changed the size or the number of its nodes {_when(one.age)} ({one.at}): data and "
            "connections move to other nodes."
        )
        yield view.cause("managed-scaling", round(0.85 * likely, 2), why, *one.cited())


def network_allowance(view: View, limits: Limits) -> Found:
    """The service holds packets back, since the node's size allows no more."""
    for name, why in ALLOWANCES.items():
        minutes, packets = (view.number(PROVIDER, f"figure.{name}.{of}") for of in ("minutes_15m", "sum_15m"))
        newest = view.number(PROVIDER, f"figure.{name}.newest_age")
        if not minutes or not packets:
            continue
        lasts = minutes >= limits["managed_allowance_minutes"] and (newest or 0) <= limits["managed_event_seconds"] / 3
        said = (
            f"The node's size allows no more: {why}. {packets:,.0f} packets were held back or dropped in "
            f"{minutes:.0f} of the 15 minutes before the report."
        )
        fields = ("minutes_15m", "sum_15m", "newest_age", "node")
        cited = tuple((PROVIDER, f"figure.{name}.{field}") for field in fields)
        yield view.cause("managed-network-allowance", 0.88 if lasts else 0.4, said, *cited, (PROVIDER, "node_type"))


def cpu_credits(view: View, limits: Limits) -> Found:
    """A burstable node has used up its credits, and gets its baseline only."""
    kind = view.text(PROVIDER, "node_type").split(".")
    left = view.number(PROVIDER, "figure.CPUCreditBalance.min_15m")
    used = view.number(PROVIDER, "figure.CPUUtilization.max_15m")
    if left is None or used is None or len(kind) != 3 or not kind[1].startswith("t"):
        return
    baseline = BASELINES.get(kind[2], 20.0)
    if left > limits["managed_credits_left"] or used < baseline * limits["managed_baseline_share"]:
        return
    why = (
        f"The node ({'.'.join(kind)}) has {left:g} CPU credits left and uses {used:.0f} % of its processors: without "
        f"credits it gets {baseline:.0f} %, and everything waits for that."
    )
    yield view.cause("managed-cpu-credits", 0.88, why, (PROVIDER, "figure.CPUCreditBalance.min_15m"),
                     (PROVIDER, "figure.CPUUtilization.max_15m"), (PROVIDER, "node_type"))  # fmt: skip


def throttled(view: View, limits: Limits) -> Found:
    """The service holds commands back."""
    active = "figure.TrafficManagementActive.max_15m"
    if (view.number(PROVIDER, active) or 0) > 0:
        why = (
            f"{who(view)} manages the traffic of this node: more commands are sent than it can process, so it holds "
            "some of them back."
        )
        yield view.cause("managed-throttled", 0.85, why, (PROVIDER, active), (PROVIDER, "node_type"))
    minutes, commands = (view.number(PROVIDER, f"figure.ThrottledCmds.{of}") for of in ("minutes_15m", "sum_15m"))
    if minutes and commands:
        lasts = minutes >= limits["managed_allowance_minutes"]
        why = (
            f"{who(view)} throttled {commands:,.0f} commands in {minutes:.0f} of the 15 minutes before the report: "
            "the load grew faster than the cache, or has reached its limit."
        )
        cited = tuple((PROVIDER, f"figure.ThrottledCmds.{of}") for of in ("sum_15m", "minutes_15m", "newest_age"))
        yield view.cause("managed-throttled", 0.88 if lasts else 0.4, why, *cited)


def settings_pending(view: View, limits: Limits) -> Found:
    """A changed parameter group waits for a reboot: what is set there isn't what runs."""
    if view.text(PROVIDER, "settings.status") != "pending-reboot":
        return
    group = view.text(PROVIDER, "settings.group")
    why = (
        f"The parameter group {group} was changed, and the change waits for a reboot: the nodes run with older values."
    )
    about = speaks_of_settings(view.symptom) or "settings" in symptom_kinds(view.symptom)
    cited = (PROVIDER, "settings.status"), (PROVIDER, "settings.group")
    yield view.cause("managed-settings-pending", 0.9 if about else 0.3, why, *cited)


def unheard(view: View) -> Iterator[str]:
    """What the service itself was asked for and didn't say."""
    asked = view.last(PROVIDER)
    if asked is None:
        return
    if asked.unavailable:
        yield f"{who(view)} {SILENT} ({asked.unavailable.kind}): {asked.unavailable.detail}"
        return
    lacking = [part for part in PARTS if view.get(PROVIDER, f"{part}.unavailable")]
    if lacking:
        told = (f"{part} ({view.text(PROVIDER, f'{part}.permission') or view.text(PROVIDER, f'{part}.unavailable')})"
                for part in lacking)  # fmt: skip
        yield f"{who(view)} itself didn't say everything: {', '.join(told)}"


PARTS = ("figures", "events", "settings", "updates", "log")


def _field(name: str, field: str, example: str) -> Placeholder:
    return Placeholder(name=name, example=example,
                       values=lambda view: (text,) if (text := view.text(PROVIDER, field)) else ())  # fmt: skip


FAMILY = Family(
    checks=(maintenance, failover, scaling, network_allowance, cpu_credits, throttled, settings_pending),
    needs=dict.fromkeys(
        ("managed-failover", "managed-maintenance", "managed-scaling", "managed-network-allowance",
         "managed-cpu-credits", "managed-throttled", "managed-settings-pending"), (),
    ),
    consequences={
        "managed-maintenance": {
            "managed-failover": 0.4, "process-down": 0.4, "firewall-drop": 0.4, "process-frozen": 0.4,
            "loading-dataset": 0.6,
        },
        "managed-failover": {"process-down": 0.5, "firewall-drop": 0.5, "loading-dataset": 0.6},
        "managed-scaling": {"managed-failover": 0.5, "open-slot": 0.4, "loading-dataset": 0.6},
        "managed-cpu-credits": {"cpu-saturated": 0.5, "managed-throttled": 0.5},
        "managed-network-allowance": {"packet-loss": 0.4, "bandwidth-cap": 0.5},
        "cpu-saturated": {"managed-throttled": 0.5},
    },
    placeholders=(
        _field("managed_resource", "resource", "sessions"), _field("managed_node_type", "node_type", "cache.t4g.small"),
        _field("managed_group", "settings.group", "sessions-valkey8"),
    ),
)  # fmt: skip
