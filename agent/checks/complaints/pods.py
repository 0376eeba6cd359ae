"""What Kubernetes says of the server's pod, where that was pasted."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import Complaint, complaint
from agent.checks.kubernetes import POD, is_recent, told
from agent.checks.types import Limits
from agent.evidence.view import View

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
NODE = {
    "ready": "isn't ready", "memory_pressure": "is short of memory", "disk_pressure": "is short of disk space",
    "pid_pressure": "has no process numbers left", "network_unavailable": "has no network",
}  # fmt: skip
RESTARTS = 3


def pod(view: View, limits: Limits) -> Iterator[Complaint]:
    """Failed probes, evictions, volumes, restarts and how the last container ended."""
    tool = told(view)
    if view.last(tool) is None:
        return
    yield from _around(view)
    for name, what in EVENTS.items():
        field = f"event.{name}.count"
        count = view.number(tool, field)
        if not count or any(view.number(tool, f"event.{other}.count") for other in COVERED.get(name, ())):
            continue
        yield complaint(f"Kubernetes says that {what}{f' {count:.0f} times' if count > 1 else ''}", (tool, field))
    if view.text(tool, "status") in ("Failed", "Evicted", "CrashLoopBackOff"):
        why = view.text(tool, "reason")
        yield complaint(
            f"the pod's status is {view.text(tool, 'status')}{f' ({why})' if why else ''}", (tool, "status")
        )
    waits = view.text(tool, "state.reason")
    if waits and waits not in ("Completed", "ContainerCreating", "PodInitializing"):
        yield complaint(f"the container's state is {waits}", (tool, "state.reason"))
    if not is_recent(view):
        return
    ended, status = view.text(tool, "last_state.reason"), view.number(tool, "last_state.exit_code")
    again = view.number(tool, "restart_count") or 0
    if ended in ENDS:
        code = f" (exit code {status:.0f})" if status is not None else ""
        times = f", and it was restarted {again:.0f} times" if again > 1 else ""
        which = "the container" if view.text(tool, "state") == "Terminated" else "the container before this one"
        yield complaint(f"{which} ended {ENDS[ended]}{code}{times}", (tool, "last_state.reason"),
                        (tool, "last_state.exit_code"), (tool, "restart_count"))  # fmt: skip
    elif again >= RESTARTS:
        yield complaint(f"the container was restarted {again:.0f} times", (tool, "restart_count"))


def _around(view: View) -> Iterator[Complaint]:
    """What only the API says: whether the pod is ready, and how its volumes and its node are."""
    if view.get(POD, "pod_ready") is False and view.get(POD, "deleting") is not True:
        yield complaint("Kubernetes says that its pod isn't ready", (POD, "pod_ready"), (POD, "pod"))
    if unbound := view.number(POD, "claims_unbound"):
        many = f"{unbound:.0f} of its volumes' claims aren't" if unbound > 1 else "its volume's claim isn't"
        yield complaint(f"{many} bound", (POD, "claims_unbound"), (POD, "claim1.phase"))
    for field, what in NODE.items():
        if view.get(POD, f"machine.{field}") is (field != "ready"):
            yield complaint(f"Kubernetes says that its node {what}", (POD, f"machine.{field}"), (POD, "machine.name"))
