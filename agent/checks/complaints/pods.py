"""What Kubernetes says of the server's pod, where that was pasted."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import Complaint, complaint
from agent.checks.types import Limits
from agent.evidence.view import View

TOOL = "process"
EVENTS = {
    "Unhealthy.liveness": "its liveness probe failed", "Unhealthy.readiness": "its readiness probe failed",
    "Unhealthy.startup": "its startup probe failed", "FailedMount": "a volume couldn't be mounted",
    "FailedAttachVolume": "a volume couldn't be attached", "Evicted": "the kubelet evicted it",
    "Evicted.memory": "the kubelet evicted it because the node ran out of memory",
    "Evicted.disk": "the kubelet evicted it because the node ran out of disk space",
    "FailedScheduling": "no node had room for it", "Preempting": "it had to make room for another pod",
    "OOMKilling": "the node's kernel killed a process because memory ran out",
    "SystemOOM": "the node itself ran out of memory", "NodeNotReady": "its node was not ready",
    "ErrImagePull": "its image couldn't be pulled", "FailedCreatePodSandBox": "its sandbox couldn't be created",
    "FailedPostStartHook": "its post-start hook failed", "BackOff": "its container was restarted again and again",
}  # fmt: skip
"""The kubelet's and the scheduler's events that a healthy pod doesn't have."""
COVERED = {"Evicted": ("Evicted.memory", "Evicted.disk")}
"""Events of which one of the others says more."""
ENDS = {
    "OOMKilled": "because it reached its memory limit",
    "Error": "with an error",
    "ContainerCannotRun": "at its start",
}
RESTARTS = 3


def pod(view: View, limits: Limits) -> Iterator[Complaint]:
    """Failed probes, evictions, volumes, restarts and how the last container ended."""
    if view.last(TOOL) is None:
        return
    for name, what in EVENTS.items():
        field = f"event.{name}.count"
        count = view.number(TOOL, field)
        if not count or any(view.number(TOOL, f"event.{other}.count") for other in COVERED.get(name, ())):
            continue
        yield complaint(f"Kubernetes says that {what}{f' {count:.0f} times' if count > 1 else ''}", (TOOL, field))
    if view.text(TOOL, "status") in ("Failed", "Evicted", "CrashLoopBackOff"):
        why = view.text(TOOL, "reason")
        yield complaint(
            f"the pod's status is {view.text(TOOL, 'status')}{f' ({why})' if why else ''}", (TOOL, "status")
        )
    waits = view.text(TOOL, "state.reason")
    if waits and waits not in ("Completed", "ContainerCreating", "PodInitializing"):
        yield complaint(f"the container's state is {waits}", (TOOL, "state.reason"))
    ended, status = view.text(TOOL, "last_state.reason"), view.number(TOOL, "last_state.exit_code")
    again = view.number(TOOL, "restart_count") or 0
    if ended in ENDS:
        code = f" (exit code {status:.0f})" if status is not None else ""
        times = f", and it was restarted {again:.0f} times" if again > 1 else ""
        yield complaint(f"the container before this one ended {ENDS[ended]}{code}{times}", (TOOL, "last_state.reason"),
                        (TOOL, "last_state.exit_code"), (TOOL, "restart_count"))  # fmt: skip
    elif again >= RESTARTS:
        yield complaint(f"the container was restarted {again:.0f} times", (TOOL, "restart_count"))
