"""The memory limit of the server's container, and whether maxmemory leaves room below it."""

from agent.checks.kubernetes import POD
from agent.evidence.view import Cited, View

ROOM = 0.8
"""Share of the container's memory up to which maxmemory leaves room for a fork's copies, buffers and fragmentation."""
_MIB = 1 << 20


def limit_of(view: View) -> tuple[float, Cited] | None:
    """The limit, by the control group or else by the pod, and where it was read; None for no limit that is known."""
    for tool, field in (("process", "cgroup_memory_limit"), (POD, "limits.memory")):
        if limit := view.number(tool, field):
            return limit, (tool, field)
    return None


def too_large(view: View) -> str:
    """Why the limit is reached before maxmemory is, as a sentence that follows another; empty if it needn't be."""
    found, most = limit_of(view), view.number("memory", "maxmemory")
    if found is None or most is None:
        return ""
    limit, _ = found
    if most == 0:
        return f" maxmemory isn't set, so nothing keeps the data below that limit ({limit / _MIB:.0f} MiB)."
    if most >= limit:
        return f" maxmemory ({most / _MIB:.0f} MiB) isn't below that limit ({limit / _MIB:.0f} MiB), which comes first."
    if most > ROOM * limit:
        return (
            f" maxmemory ({most / _MIB:.0f} MiB) is {most / limit:.0%} of that limit ({limit / _MIB:.0f} MiB), which "
            "leaves little for the copies that a save makes, for buffers and for fragmentation."
        )
    return ""
