"""What the server's own doctors say, and its list of what uses memory, where nothing else of a paste shows more."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import MIB, Complaint, complaint
from agent.checks.counted import times
from agent.checks.types import Limits
from agent.evidence.view import View

EVENT_MS = 100.0
"""Milliseconds of an event's longest spike, as latency-monitor-threshold is commonly set."""
HARMLESS = ("Peak memory",)
"""Points of MEMORY DOCTOR that it calls harmless itself."""
HELD_SHARE = 0.3
"""Of the memory in use, in clients' buffers."""


def doctors(view: View, limits: Limits) -> Iterator[Complaint]:
    """The points of LATENCY DOCTOR and MEMORY DOCTOR, and clients' buffers that no list of clients explains."""
    if view.number("latency_events", "events") is None:
        for field in view.fields("latency_events"):
            name, _, kind = field.rpartition(".")
            longest, mean = view.number("latency_events", field) or 0, view.number("latency_events", f"{name}.mean_ms")
            if kind == "max_ms" and longest >= EVENT_MS and mean is not None:
                spikes = times(view.number("latency_events", f"{name}.spikes") or 1)
                yield complaint(
                    f"LATENCY DOCTOR counts the event {name} {spikes}, {mean:.0f} ms on average, {longest:.0f} at most",
                    ("latency_events", field), ("latency_events", f"{name}.spikes"),
                )  # fmt: skip
    if view.unavailable("info") == "not-pasted" and view.number("memory", "doctor_points"):
        points = [one.partition(":")[0].strip() for one in view.text("memory", "doctor").split(" | ")]
        if told := [one[0].lower() + one[1:] for one in points if one and one not in HARMLESS]:
            yield complaint(f"MEMORY DOCTOR says: {', '.join(told)}", ("memory", "doctor"))
    held, used = view.number("memory", "owner.clients_normal") or 0, view.number("memory", "used_memory")
    unlisted = view.unavailable("clients") == "not-pasted"
    if unlisted and used and held >= limits["output_buffer_bytes"] and held >= HELD_SHARE * used:
        yield complaint(
            f"the buffers of clients hold {held / MIB:,.0f} of the {used / MIB:,.0f} MiB in use",
            ("memory", "owner.clients_normal"), ("memory", "used_memory"),
        )  # fmt: skip
