"""Kubernetes: `kubectl describe pod`, tables of pods and events, and the same as JSON."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tools.paste.found import Found, hidden
from tools.paste.lines import Lines, moment
from tools.paste.prompts import Prompt
from tools.patterns import deferred
from tools.records import Values

_KEY = re.compile(r"(?P<indent>\s{0,60})(?P<key>[A-Z][\w ()./-]{0,60}?):(?:\s+(?P<value>\S[^\n]{0,2000}))?\s*")
_BEGINS = deferred(
    r"(?:Name:\s{2,}[a-z0-9][\w.-]{1,253}|\s{0,8}(?:Last )?State:\s+(?:Running|Waiting|Terminated)\s*|"
    r"Events:\s*(?:<none>)?)"
)
_EVENT = re.compile(
    r"\s*(?:[\w-]{1,63}\s+)?(?P<first>\S+)\s+(?:\(x(?P<count>\d{1,9}) over [^)]{1,20}\)\s+)?(?P<type>Warning|Normal)\s+"
    r"(?P<reason>[A-Z][A-Za-z]{2,40})\s+(?P<rest>\S[^\n]{0,2000})"
)
_EVENT_OF = re.compile(
    r"\s*(?P<type>Warning|Normal)\s+(?P<reason>[A-Z][A-Za-z]{2,40})\s+(?P<age>\S+)"
    r"(?:\s+\(x(?P<count>\d{1,9}) over [^)]{1,20}\))?\s+(?P<rest>\S[^\n]{0,2000})"
)
_PODS = deferred(r"\s*(?:NAMESPACE\s+)?NAME\s+READY\s+STATUS\s+RESTARTS\s+AGE.*")
_POD = re.compile(
    r"\s*(?:[a-z0-9][\w-]{0,62}\s+)?(?P<pod>[a-z0-9][\w.-]{1,252})\s+(?P<ready>\d{1,3}/\d{1,3})\s+(?P<status>[A-Z][\w:/]{1,40})\s+"
    r"(?P<restarts>\d{1,9})(?:\s+\([^)]{1,20} ago\))?\s+\S+.*"
)
_EVENTS = deferred(r"\s*(?:NAMESPACE\s+)?LAST SEEN\s+(?:FIRST SEEN\s+COUNT\s+)?TYPE\s+REASON.*")
_UNITS = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "m": 0.001,
}
_SHORT = {"memory": ("resource: memory",), "disk": ("ephemeral-storage", "ephemeral local storage", "DiskPressure")}
"""What a node is short of where the kubelet evicts a pod."""
_OURS = re.compile(r"redis|valkey|keydb|dragonfly|sentinel", re.IGNORECASE)


def describe(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """`kubectl describe pod`, or a part of it: its servers' containers, and its events."""
    first = lines[at].text
    if ":" not in first or not _BEGINS.fullmatch(first) or (first.startswith("Name:") and not _is_pod(lines, at)):
        return None
    begin = at
    at += 1
    while at < len(lines) and not lines[at].fence:
        text = lines[at].text
        if text.startswith("Name:"):
            break
        if text.strip():
            if text[0] != " " and not _KEY.fullmatch(text):
                break
        elif not lines[at + 1].text[:1].isupper() and lines[at + 1].text[:1] != " ":
            break
        at += 1
    texts = [text for text in lines.texts(begin, min(at, begin + 5000)) if text.strip()]
    values = _described(texts)
    return Found(at, "kubernetes", hidden(texts), values=values) if values else None


def _is_pod(lines: Lines, at: int) -> bool:
    return any(lines[at + one].text.startswith(("Namespace:", "Node:", "Priority:")) for one in (1, 2, 3))


def _described(texts: Iterable[str]) -> Values:
    values: Values = {}
    containers: dict[str, Values] = {"": {}}
    name, section, group = "", "", ""
    events: dict[str, int] = {}
    for text in texts:
        if section == "Events" and (found := _EVENT_OF.fullmatch(text)):
            _count(events, found["reason"], found["rest"], int(found["count"] or 1))
            continue
        found = _KEY.fullmatch(text)
        if not found:
            words = text.split()
            # A container's name stands alone, with nothing behind it; it may begin with a small letter.
            if (
                section == "Containers"
                and len(words) == 1
                and words[0].endswith(":")
                and text.startswith("  ")
                and text[2] != " "
            ):
                name, group = words[0][:-1], ""
                containers.setdefault(name, {})
            elif group in ("Limits", "Requests") and len(words) == 2 and words[0] in ("memory:", "cpu:"):
                containers[name][f"{group.lower()}.{words[0][:-1]}"] = amount(words[1])
            continue
        key, value, indent = found["key"], (found["value"] or "").strip(), len(found["indent"])
        if indent == 0:
            section, group = key, ""
            if key in ("Containers", "Init Containers"):
                section = key if key == "Containers" else "Init"
            elif key == "Events":
                name = ""
            elif key in ("Name", "Namespace", "Node", "Status", "Reason"):
                values[{"Name": "pod"}.get(key, key.lower())] = value[:253]
            elif key == "Message" and values.get("reason") == "Evicted":
                _count(events, "Evicted", value, 1)
            continue
        here = containers[name]
        if key in ("State", "Last State"):
            group = key.lower().replace(" ", "_")
            here[group] = value[:40]
        elif key in ("Limits", "Requests"):
            group = key
        elif key in ("Reason", "Exit Code", "Started", "Finished", "Signal") and group in ("state", "last_state"):
            here[f"{group}.{key.lower().replace(' ', '_')}"] = (
                int(value) if value.isdecimal() and len(value) < 10 else value[:60]
            )
        elif key in ("Ready", "Restart Count", "Image"):
            here[key.lower().replace(" ", "_")] = int(value) if value.isdecimal() and len(value) < 10 else value[:200]
    return {**values, **_chosen(containers), **_events(events)}


def _chosen(containers: Mapping[str, Values]) -> Values:
    """The container that runs the server, as far as names tell."""
    named = {name: one for name, one in containers.items() if one}
    if not named:
        return {}
    name = next(
        (
            name
            for name, one in named.items()
            if _OURS.search(f"{name} {one.get('image', '')}") and "exporter" not in name
        ),
        max(named, key=lambda one: len(named[one])),
    )
    found = dict(named[name])
    if name:
        found = {"container": name[:253], **found}
    found["oom_killed"] = (
        any(value == "OOMKilled" for value in found.values()) or found.get("last_state.exit_code") == 137
    )
    return found


def _count(events: dict[str, int], reason: str, rest: str, count: int) -> None:
    kinds = [reason]
    for word in ("Liveness", "Readiness", "Startup"):
        # `failed:`, `errored:`, and its timeouts.
        if reason == "Unhealthy" and f"{word} probe" in rest:
            kinds.append(f"Unhealthy.{word.lower()}")
    if reason == "Evicted":
        kinds += [f"Evicted.{name}" for name, said in _SHORT.items() if any(word in rest for word in said)]
    if reason == "Failed" and ("ErrImagePull" in rest or "Failed to pull image" in rest):
        kinds.append("ErrImagePull")
    for kind in kinds:
        if kind in events or len(events) < 100:
            events[kind] = events.get(kind, 0) + count


def _events(events: Mapping[str, int]) -> Values:
    return {f"event.{name}.count": count for name, count in events.items()}


def amount(text: str) -> int | float | str:
    """A quantity of Kubernetes as a number."""
    found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,9})?)([kMGTm]|[KMGT]i)?", text)
    if not found:
        return text[:40]
    number = float(found[1]) * _UNITS[found[2] or ""]
    return int(number) if number.is_integer() else round(number, 3)


def tables(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """`kubectl get pods` and `kubectl get events`; of pods those that may be servers."""
    first = lines[at].text
    if "/" not in first and "READY" not in first and "LAST SEEN" not in first:
        return None
    if _PODS.fullmatch(first) or _POD.fullmatch(first):
        return _pods(lines, at)
    if _EVENTS.fullmatch(first) or (
        ("Warning" in first or "Normal" in first)
        and (found := _EVENT.fullmatch(first))
        and "/" in found["rest"].split(" ")[0]
    ):
        events: dict[str, int] = {}
        begin = at
        at += bool(_EVENTS.fullmatch(first))
        while at < len(lines) and (found := _EVENT.fullmatch(lines[at].text)):
            _count(events, found["reason"], found["rest"], int(found["count"] or 1))
            at += 1
        return (
            Found(at, "kubernetes", hidden(lines.texts(begin, min(at, begin + 2000))), values=_events(events))
            if events
            else None
        )
    return None


def _pods(lines: Lines, at: int) -> Found | None:
    begin = at
    at += bool(_PODS.fullmatch(lines[at].text))
    rows: list[Values] = []
    while at < len(lines) and (found := _POD.fullmatch(lines[at].text)):
        if len(rows) < 1000:
            rows.append({
                "pod": found["pod"], "ready": found["ready"], "status": found["status"],
                "restart_count": int(found["restarts"]), "oom_killed": found["status"] == "OOMKilled",
            })  # fmt: skip
        at += 1
    chosen = [one for one in rows if _OURS.search(str(one["pod"]))] or rows
    text = hidden(lines.texts(begin, min(at, begin + 1000)))
    pieces = [Found(at, "kubernetes", text, values=one) for one in chosen[:50]]
    return pieces[0]._replace(others=tuple(pieces[1:])) if pieces else None


def of_objects(end: int, value: Any) -> Found | None:
    """Pods and events as JSON."""
    items = value.get("items") if isinstance(value, dict) else None
    objects = [one for one in items[:1000] if isinstance(one, dict)] if isinstance(items, list) else [value]
    pieces: list[Found] = []
    events: dict[str, int] = {}
    newest: float | None = None
    for one in objects:
        if not isinstance(one, dict):
            continue
        if one.get("kind") == "Event" and isinstance(one.get("reason"), str):
            count = one.get("count")
            _count(events, one["reason"][:60], str(one.get("message"))[:500], count if isinstance(count, int) else 1)
            newest = max(newest or 0.0, moment(str(one.get("lastTimestamp"))) or 0.0) or None
        elif one.get("kind") == "Pod" and (values := _pod(one)):
            pieces.append(Found(end, "kubernetes", "", values=values))
    if events:
        pieces.append(Found(end, "kubernetes", "", values=_events(events), at=newest))
    return pieces[0]._replace(others=tuple(pieces[1:200])) if pieces else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value[:100] if isinstance(value, list) else []


def _pod(pod: Mapping[str, Any]) -> Values:
    containers: dict[str, Values] = {}
    spec, status = _mapping(pod.get("spec")), _mapping(pod.get("status"))
    for one in _list(spec.get("containers")):
        resources = _mapping(_mapping(one).get("resources"))
        containers[str(_mapping(one).get("name"))[:253]] = {
            "image": str(_mapping(one).get("image"))[:200],
            **{f"{kind}.{name}": amount(str(found))
               for kind in ("limits", "requests") for name, found in _mapping(resources.get(kind)).items()
               if name in ("memory", "cpu")},
        }  # fmt: skip
    for one in _list(status.get("containerStatuses")):
        here = containers.setdefault(str(_mapping(one).get("name"))[:253], {})
        if isinstance(restarts := _mapping(one).get("restartCount"), int):
            here["restart_count"] = restarts
        for group, key in (("state", "state"), ("last_state", "lastState")):
            for kind, detail in _mapping(_mapping(one).get(key)).items():
                here[group] = str(kind).capitalize()[:40]
                for name, field in (("reason", "reason"), ("exitCode", "exit_code"), ("finishedAt", "finished")):
                    if isinstance(found := _mapping(detail).get(name), int | str):
                        here[f"{group}.{field}"] = found if isinstance(found, int) else found[:60]
    pod_name = _mapping(pod.get("metadata")).get("name")
    return {"pod": str(pod_name)[:253], **_chosen(containers)} if containers else {}


KUBERNETES: tuple[Callable[[Lines, int, Prompt | None], Found | None], ...] = (describe, tables)
