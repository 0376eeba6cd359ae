"""A pod's events: those that still count, and those that are over, as each rollout and each start leaves some."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tools.kubernetes import words
from tools.kubernetes.pods import count, mapping
from tools.records import Values

MOST = 500
"""Events that are asked for; the API keeps them for an hour."""
LATELY, HOUR = 600.0, 3600.0
"""Seconds for which an event counts at a pod that is ready by now, and at one that isn't."""
SEVERE = frozenset({"OOMKilling", "SystemOOM", "Evicted"})
"""What counts for an hour although a new container is ready."""
BEFORE_ITS_START = frozenset({"FailedScheduling", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"})
"""What is over once the container runs: it had waited for it."""
SHOWN = 20


class Standing(NamedTuple):
    """How the pod stands now, as far as it decides what is over."""

    ready: bool
    ready_since: float | None
    running: bool


def events_of(items: Iterable[Any], standing: Standing, now: float) -> Values:
    """Counts by reason: `event.X.count` for what still counts, `past_event.X.count` for what is over."""
    present: dict[str, int] = {}
    past: dict[str, int] = {}
    newest: dict[str, float] = {}
    for one in sorted(map(mapping, items), key=lambda event: _at(event) or 0.0, reverse=True):
        why = words.reason(one.get("reason"))
        if not why or (one.get("type") == "Normal" and why != "Killing"):
            continue
        at = _at(one)
        times = words.whole(one.get("count")) or words.whole(mapping(one.get("series")).get("count")) or 1
        still = _counts(why, at, standing, now)
        count(present if still else past, why, str(one.get("message"))[:500], times)
        if still and at is not None:
            newest[why] = max(newest.get(why, 0.0), at)
    return {
        **{f"event.{why}.count": times for why, times in list(present.items())[:SHOWN]},
        **({"evicted.own_disk": True} if "Evicted.own_disk" in present else {}),
        **{f"event.{why}.newest_age": round(max(0.0, now - at), 1) for why, at in list(newest.items())[:SHOWN]},
        **{f"past_event.{why}.count": times for why, times in list(past.items())[:SHOWN]},
    }


def _at(event: Mapping[str, Any]) -> float | None:
    moments = (
        mapping(event.get("series")).get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"),
        event.get("firstTimestamp"),
    )  # fmt: skip
    return next((at for one in moments if (at := words.moment(one)) is not None), None)


def _counts(why: str, at: float | None, standing: Standing, now: float) -> bool:
    age = 0.0 if at is None else now - at
    if age > HOUR:
        return False
    if why in SEVERE:
        return True
    if standing.running and why in BEFORE_ITS_START:
        return False
    if not standing.ready:
        return True
    return age <= LATELY and (at is None or standing.ready_since is None or at > standing.ready_since)
