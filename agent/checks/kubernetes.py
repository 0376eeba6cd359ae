"""What Kubernetes knows of the server's pod: why it isn't there, and why a Service leads to nothing."""

from collections.abc import Iterator

from agent.answer.open_points import KUBERNETES_SILENT
from agent.checks.filling import duration
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.evidence.view import Cited, View
from tools.kubernetes.pods import KILLED

POD, PASTED = "pod", "process"
"""The readings that have a pod's fields: asked for, and among what was pasted."""
SERVICES = range(5)
"""The numbers of Services: 0 is one that is addressed but doesn't exist."""
NOT_STARTED = {
    "ImagePullBackOff": "its image can't be pulled", "ErrImagePull": "its image can't be pulled",
    "InvalidImageName": "the name of its image isn't valid", "CreateContainerError": "it can't be created",
    "CreateContainerConfigError": "a ConfigMap, a Secret or a key in one that it needs is missing",
    "RunContainerError": "its command can't be run", "StartError": "its command can't be run",
    "ContainerCannotRun": "its command can't be run",
}  # fmt: skip
"""The states of a container that was never run, and what each means."""
LACKS = {
    "memory": "no node has as much free memory as it requests", "cpu": "no node has as much free CPU as it requests",
    "volume": "its volume's claim isn't bound", "zone": "its volume is in a zone where no fitting node is",
    "taint": "every node has a taint that it doesn't tolerate", "affinity": "no node fits its affinity or selector",
    "pods": "every node has as many pods as it may",
}  # fmt: skip
EVICTION: tuple[Cited, ...] = (
    (POD, "evicted.own_disk"), (POD, "event.Evicted.disk.count"), (POD, "event.Evicted.memory.count"),
)  # fmt: skip
SURE = 0.98
"""Above what a refused connection says by itself: here the reason is known."""
RESTARTS = 3
"""Restarts from which the container ends at each start, and not once while it served."""
GAVE_UP = 1
"""The status with which a server ends that can't start."""


def told(view: View) -> str:
    """The reading to look at: what was asked for, or else what was pasted."""
    return POD if view.get(POD, "source") else PASTED


def is_recent(view: View) -> bool:
    """Whether the container's last end is recent enough to count; of a paste nobody knows."""
    return told(view) == PASTED or view.get(POD, "last_end_recent") is True


def _named(view: View) -> str:
    return f"{view.text(POD, 'namespace')}/{view.text(POD, 'pod')}"


def _is_lost(view: View) -> bool:
    """Whether the server couldn't be reached by whoever asked."""
    return view.unavailable("connect") in ("refused", "timeout", "reset", "dns")


def not_running(view: View, limits: Limits) -> Found:
    """The server can't be reached, and Kubernetes says why its container isn't running."""
    if not view.get(POD, "source") or view.is_sentinel or not _is_lost(view):
        return
    named, waits, status = _named(view), view.text(POD, "state.reason"), view.text(POD, "status")
    lost: tuple[Cited, ...] = (("connect", "unavailable"),)
    if view.get(POD, "exists") is False:
        why = f"There is no pod {named}: it was deleted, or its StatefulSet was scaled down or is called otherwise."
        yield view.cause("process-down", SURE, why, (POD, "exists"), (POD, "pod"), *lost)
    elif waits in NOT_STARTED:
        why = f"The container of pod {named} isn't started: {NOT_STARTED[waits]} ({waits})."
        yield view.cause("start-failed", 0.95, why, (POD, "state.reason"), (POD, "image"), *lost)
    elif status == "Failed" or view.text(POD, "reason") == "Evicted":
        yield from _evicted(view, named, lost)
    elif status == "Pending" and (lacks := view.text(POD, "unschedulable")):
        because = LACKS.get(view.text(POD, "unschedulable.lacks"), "no node fits")
        why = f"Pod {named} is pending, so no server runs: {because} ({lacks})."
        cited = (POD, "status"), (POD, "unschedulable.lacks"), (POD, "claims_unbound"), (POD, "claim1.name")
        yield view.cause("process-down", SURE, why, *cited, *lost)
    elif mounts := next((one for one in ("FailedMount", "FailedAttachVolume") if _counted(view, one)), None):
        if view.text(POD, "state") != "Running":
            why = f"The container of pod {named} isn't started: one of its volumes can't be mounted ({mounts})."
            yield view.cause("process-down", SURE, why, (POD, f"event.{mounts}.count"), (POD, "state.reason"), *lost)
    elif view.text(POD, "state") in ("Waiting", "Terminated"):
        yield from _ended(view, named, lost)
    elif view.get(POD, "machine.ready") is False:
        why = f"The node of pod {named} isn't ready: Kubernetes doesn't hear from it, and nothing on it can be reached."
        yield view.cause("process-down", 0.9, why, (POD, "machine.ready"), (POD, "machine.name"), *lost)


def _counted(view: View, event: str) -> float:
    return view.number(POD, f"event.{event}.count") or 0


def _evicted(view: View, named: str, lost: tuple[Cited, ...]) -> Found:
    cited: tuple[Cited, ...] = ((POD, "status"), (POD, "reason"), (POD, "machine.disk_pressure"))
    of_disk = _for(view, "disk") or view.get(POD, "machine.disk_pressure") is True
    of = "disk space" if of_disk else "memory" if _for(view, "memory") else "something"
    evicted = view.text(POD, "reason") == "Evicted" or _counted(view, "Evicted")
    if evicted and view.get(POD, "evicted.own_disk") is True:
        # What filled it is another check's.
        why = f"Pod {named} was evicted because of what it had written itself, so no server runs there."
        yield view.cause("process-down", SURE, why, *cited, *EVICTION, *lost)
        return
    how = f"was evicted because its node ran short of {of}" if evicted else "has failed"
    why = f"Pod {named} {how}, so no server runs there."
    yield view.cause("process-down", SURE, why, *cited, *EVICTION, *lost)


def _for(view: View, what: str) -> bool:
    """Whether it was evicted for that, by its events or by its own status."""
    return bool(_counted(view, f"Evicted.{what}")) or view.get(POD, f"evicted.{what}") is True


def filled_its_disk(view: View, limits: Limits) -> Found:
    """The kubelet evicted the pod because of what it wrote: snapshots with their copies, or the append-only file."""
    if view.is_sentinel or view.get(POD, "evicted.own_disk") is not True:
        return
    keeps = view.text("persistence", "config.appendonly") == "yes"
    what = "the append-only file and its rewrites" if keeps else "snapshots and their temporary copies"
    age = view.number(POD, "event.Evicted.newest_age")
    ago = f" {duration(age)} ago" if age is not None else ""
    why = (
        f"The kubelet evicted pod {_named(view)}{ago} because it wrote more to its ephemeral storage than it may: "
        f"{what} aren't on a volume of their own, and were lost with the pod."
    )
    if has_volume := view.number(POD, "claims_unbound") is not None:
        # Its data has a volume: then it may be a log or another container's files.
        why = (
            f"The kubelet evicted pod {_named(view)}{ago} because it wrote more to its ephemeral storage than it may; "
            "its data has a volume, so look for what else it writes, such as a log or a save in another folder."
        )
    cited: tuple[Cited, ...] = (
        *EVICTION, (POD, "event.Evicted.newest_age"), (POD, "claims_unbound"),
        ("persistence", "config.save"), ("persistence", "config.appendonly"), ("persistence", "rdb_last_bgsave_status"),
    )  # fmt: skip
    likely = 0.6 if has_volume else 0.8 if _is_lost(view) else 0.93
    yield view.cause("aof-disk-full" if keeps else "bgsave-disk-full", likely, why, *cited)


def _ended(view: View, named: str, lost: tuple[Cited, ...]) -> Found:
    """It ends again and again; what the kernel killed is another check's."""
    last = "last_state" if view.text(POD, "last_state") else "state"
    status, again = view.number(POD, f"{last}.exit_code"), view.number(POD, "restart_count") or 0
    cited: tuple[Cited, ...] = (
        (POD, "state.reason"), (POD, f"{last}.reason"), (POD, f"{last}.exit_code"), (POD, "restart_count"), *lost,
    )  # fmt: skip
    code = f" with status {status:.0f}" if status is not None else ""
    tries = f" and was restarted {again:.0f} times" if again > 1 else ""
    why = f"The container of pod {named} isn't running: it ended{code}{tries}."
    if status == GAVE_UP:
        why += " A server ends so if it can't start; the log of its last run says why."
        likely = SURE if again >= RESTARTS and view.text(POD, "state.reason") == "CrashLoopBackOff" else 0.85
        yield view.cause("start-failed", likely, why, *cited)
    elif status != KILLED:
        yield view.cause("process-down", SURE, why, *cited)
    else:
        yield view.cause("process-down", 0.6, why, *cited)


def no_endpoint(view: View, limits: Limits) -> Found:
    """The Service that clients use has nobody ready behind it: a connection to it is refused or dropped."""
    if view.is_sentinel:
        return
    for number in SERVICES:
        at = f"service{number}"
        if view.get(POD, f"{at}.addressed") is not True:
            continue
        named = f"{view.text(POD, 'namespace')}/{view.text(POD, f'{at}.name')}"
        behind, ready = view.number(POD, f"{at}.endpoints"), view.number(POD, f"{at}.ready_endpoints")
        cited: tuple[Cited, ...] = (
            (POD, f"{at}.name"), (POD, f"{at}.endpoints"), (POD, f"{at}.ready_endpoints"), ("connect", "unavailable"),
        )  # fmt: skip
        if view.get(POD, f"{at}.exists") is False:
            why = f"There is no Service {named}: its name leads nowhere."
            yield view.cause("outside-redis", 0.93, why, (POD, f"{at}.exists"), *cited)
        elif behind == 0 and view.get(POD, f"{at}.selects_pod") is True:
            # It would be chosen if it ran, which is another check's.
            continue
        elif behind == 0:
            why = f"The Service {named} has no endpoints, so connections to it reach no server"
            yield view.cause("outside-redis", 0.95, why + _mismatch(view, at), *cited, *_labels(at))
        elif behind and ready == 0 and view.text(POD, "state") == "Running":
            seen = not view.unavailable("connect") and view.number("info", "loading") == 0
            why = (
                f"The Service {named} has no ready endpoint, so connections to it reach no server: the pod "
                f"{_named(view)} runs, but isn't ready. See what its readiness probe runs, and what that prints."
            )
            shown = (POD, "pod_ready"), (POD, "event.Unhealthy.readiness.count")
            yield view.cause("outside-redis", 0.9 if seen else 0.6, why, *cited, *shown)


def _mismatch(view: View, at: str) -> str:
    label, wanted = view.text(POD, f"{at}.selector_label"), view.text(POD, f"{at}.selector_wants")
    if not label:
        return ": no pod has the labels that it selects."
    has = view.text(POD, f"{at}.pod_has")
    had = f"has {label}={has}" if has else f"doesn't have the label {label}"
    return f": it selects {label}={wanted}, but the pod {_named(view)} {had}. Correct the selector or the label."


def _labels(at: str) -> tuple[Cited, ...]:
    return (POD, f"{at}.selector_label"), (POD, f"{at}.selector_wants"), (POD, f"{at}.pod_has")


def unheard(view: View) -> Iterator[str]:
    """What Kubernetes was asked for and didn't say."""
    asked = view.last(POD)
    if asked is None:
        return
    if asked.unavailable:
        yield f"{KUBERNETES_SILENT} ({asked.unavailable.kind}): {asked.unavailable.detail}"
        return
    denied = [
        part for part in ("events", "owner", "claims", "machine", "services", "endpoints")
        if view.get(POD, f"{part}.unavailable")
    ]  # fmt: skip
    if denied:
        kinds = dict.fromkeys(view.text(POD, f"{part}.unavailable") for part in denied)
        yield f"Kubernetes didn't say everything about the pod: {', '.join(denied)} ({', '.join(kinds)})"


def _in_cluster(view: View) -> bool:
    return bool(view.get(POD, "source") and view.text(POD, "pod"))


def _part(field: str) -> Placeholder:
    """A field of the reading as a placeholder."""
    examples = {"pod": "redis-master-0", "namespace": "shop", "container": "redis"}
    return Placeholder(
        name=f"kube_{field}", example=examples[field],
        values=lambda view: (text,) if _in_cluster(view) and (text := view.text(POD, field)) else (),
    )  # fmt: skip


def _edit(view: View, what: str) -> tuple[str, ...]:
    """Where a setting is changed so that it stays: a chart's value, an operator's field, or the owner itself."""
    if not _in_cluster(view):
        return ()
    key, name, by = (view.text(POD, f"edit.{one}") for one in (what, "name", "with"))
    if key and by == "helm":
        return (f"{key} in the values of the Helm release {name} ({view.text(POD, 'deployed_by')})",)
    if key and by == "kubectl":
        kind = view.text(POD, "edit.kind").partition(".")[0]
        return (f"{key} of the {kind} {name} ({view.text(POD, 'deployed_by')})",)
    owner, called = view.text(POD, "owner.kind"), view.text(POD, "owner.name")
    if not owner or what != "memory":
        return ()
    return (f"resources of the container {view.text(POD, 'container')} in the {owner} {called}",)


FAMILY = Family(
    checks=(not_running, filled_its_disk, no_endpoint),
    needs={},
    consequences={
        "process-down": {"firewall-drop": 0.4},
        "outside-redis": {"process-down": 0.4, "firewall-drop": 0.4},
    },
    placeholders=(
        _part("pod"), _part("namespace"), _part("container"),
        Placeholder(
            name="kube_memory", values=lambda view: _edit(view, "memory"),
            example="master.resources in the values of the Helm release cache (Bitnami's chart redis)",
        ),
        Placeholder(
            name="kube_config", values=lambda view: _edit(view, "config"),
            example="commonConfiguration in the values of the Helm release cache (Bitnami's chart redis)",
        ),
    ),
)  # fmt: skip
