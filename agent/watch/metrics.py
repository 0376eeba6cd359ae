"""What is known about each target, as Prometheus reads it: a few series per target, however much is found."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from pydantic import ValidationError

from agent.fleet.records import LEVELS, Line, Preventive
from tools.clock import Clock, SystemClock
from tools.past.store import Store
from tools.past.stored import Reader, TargetState
from tools.text import one_line

MOST_TARGETS = 2_000
MOST_PREVENTIVE = 8
"""Preventive findings of a target, the most urgent ones; there are at most three causes."""
LONGEST = 64
"""Characters of a label's value."""


def metrics_text(store: Store | Reader, clock: Clock | None = None) -> str:
    """The last state of every target in Prometheus' text format. Raises `Unanswered` if the file can't be read."""
    reader = store.reader() if isinstance(store, Store) else store
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fleet(reader.states()[:MOST_TARGETS], (clock or SystemClock()).now().timestamp()))
    return generate_latest(registry).decode()


class _Fleet(Collector):
    def __init__(self, states: list[TargetState], now: float) -> None:
        self.states = states
        self.now = now

    def collect(self) -> Iterator[Metric]:
        def family(name: str, help: str, *labels: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"rediagnose_{name}", help, labels=("target", *labels))

        reachable = family("target_reachable", "Whether the last look at the target was answered.")
        looked = family("target_last_look_timestamp_seconds", "When the target was last looked at.")
        checked = family("target_last_check_timestamp_seconds", "When the target was last checked.")
        level = family("target_level", "1 for the level of the last check.", "level")
        finding = family("finding_probability", "How likely a cause found by the last check is.", "finding", "node")
        soon = family("preventive_finding", "What will go wrong unless somebody acts; nothing is wrong yet.",
                      "finding", "node")  # fmt: skip
        left = family("preventive_finding_seconds", "Seconds left until a preventive finding becomes a fault.",
                      "finding", "node")  # fmt: skip
        for one in self.states:
            name = one_line(one.target, LONGEST)
            if one.reached is not None:
                reachable.add_metric((name,), float(one.reached))
            if one.looked is not None:
                looked.add_metric((name,), one.looked)
            if one.checked is None:
                continue
            checked.add_metric((name,), one.checked)
            for each in LEVELS:
                level.add_metric((name, each), float(each == one.level))
            line = _line(one)
            for cause in line.causes if line else ():
                finding.add_metric((name, cause.id, one_line(cause.where or "", LONGEST)), cause.probability)
            for coming in _worst_of_each(line) if line else ():
                labels = (name, coming.id, one_line(coming.node or "", LONGEST))
                soon.add_metric(labels, 1.0)
                if coming.seconds is not None:
                    left.add_metric(labels, max(0.0, one.checked + coming.seconds - self.now))
        yield from (reachable, looked, checked, level, finding, soon, left)


def _line(one: TargetState) -> Line | None:
    try:
        return Line.model_validate_json(one.line) if one.line else None
    except ValidationError:
        # An earlier version kept it.
        return None


def _worst_of_each(line: Line) -> list[Preventive]:
    """The most urgent finding of each id and node: a series is named by both."""
    found: dict[tuple[str, str | None], Preventive] = {}
    for one in line.preventive:
        found.setdefault((one.id, one.node), one)
    return list(found.values())[:MOST_PREVENTIVE]
