"""Kubernetes: `kubectl describe pod`, tables of pods and events, and the same as JSON."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tools.kubernetes.pods import amount, chosen, containers_of, count, counted, is_ours, mapping
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
            count(events, found["reason"], found["rest"], int(found["count"] or 1))
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
                count(events, "Evicted", value, 1)
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
    return {**values, **chosen(containers), **counted(events)}


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
            count(events, found["reason"], found["rest"], int(found["count"] or 1))
            at += 1
        return (
            Found(at, "kubernetes", hidden(lines.texts(begin, min(at, begin + 2000))), values=counted(events))
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
    servers = [one for one in rows if is_ours(str(one["pod"]))] or rows
    text = hidden(lines.texts(begin, min(at, begin + 1000)))
    pieces = [Found(at, "kubernetes", text, values=one) for one in servers[:50]]
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
            times = one.get("count")
            count(events, one["reason"][:60], str(one.get("message"))[:500], times if isinstance(times, int) else 1)
            newest = max(newest or 0.0, moment(str(one.get("lastTimestamp"))) or 0.0) or None
        elif one.get("kind") == "Pod" and (values := _pod(one)):
            pieces.append(Found(end, "kubernetes", "", values=values))
    if events:
        pieces.append(Found(end, "kubernetes", "", values=counted(events), at=newest))
    return pieces[0]._replace(others=tuple(pieces[1:200])) if pieces else None


def _pod(pod: Mapping[str, Any]) -> Values:
    containers = containers_of(pod)
    name = mapping(pod.get("metadata")).get("name")
    return {"pod": str(name)[:253], **chosen(containers)} if containers else {}


KUBERNETES: tuple[Callable[[Lines, int, Prompt | None], Found | None], ...] = (describe, tables)
