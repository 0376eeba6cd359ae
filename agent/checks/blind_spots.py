"""What wasn't examined, and which of the causes that would fit the symptom that hides."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from agent.answer.open_points import CANT_TELL, Blind
from agent.answer.taxonomy import CAUSES
from agent.checks.exclusions import excluding
from agent.checks.types import Limits
from agent.evidence.managed import service_of
from agent.evidence.view import View
from tools.connection.managed import Service
from tools.patterns import deferred, possible
from tools.records import Kind, Record

WHOLE_NODE = "connect"
"""The reading that represents everything about a node that was never reached."""
NAMES: Mapping[str, str] = {
    "info": "INFO", "slowlog": "SLOWLOG", "clients": "CLIENT LIST", "latency_events": "LATENCY",
    "config_get": "CONFIG GET", "config_drift": "CONFIG GET and the configuration file", "access": "ACL LOG",
    "streams": "XINFO", "cluster": "CLUSTER INFO", "sentinel": "SENTINEL", "process": "the server's process",
    "sockets": "the machine's sockets", "machine": "the machine", "log": "the server's log",
    "latency_sample": "the latency of PINGs", "disk": "the disk", "kernel_log": "the kernel's log",
    "own_connect": "what a connecting client sees",
    "earlier_log": "the log from before the last start, or the kernel's",
    "idle_probe": "an idle connection", "topology": "the deployment's other nodes",
    "provider_events": "the service's own events", "provider_updates": "the service's updates",
    "provider_figures": "the service's own figures", "provider_settings": "the service's settings",
}  # fmt: skip
"""Names of the readings for people."""
WHY: Mapping[Kind | None, str] = {
    "denied": "denied", "unknown-command": "unknown to this server", "not-local": "out of reach on another machine",
    "timeout": "not answered in time", "malformed": "answered in an unknown format", "not-recorded": "not recorded",
    "untrusted": "not asked, because the password may not be sent "
        "there", "noauth": "refused, because the client wasn't logged in",
    "wrongpass": "refused because of a wrong password", "not-pasted": "not pasted",
    "refused": "refused", "reset": "cut off on the way", "dns": "not reached: its name isn't known",
    "tls": "not reached over TLS",
    None: "not read within the time and budget given",
}  # fmt: skip
EXPECTED = ("slowlog", "clients", "config_get")
"""Readings that every node examined in depth has, so that a missing one wasn't taken in time."""
IN_DEPTH = ("memory", "persistence", "keyspace")
"""Readings that a glance doesn't take."""
OF_REPLICAS = frozenset(("replicas", "failover"))
"""Kinds of symptoms that a replica alone may have."""
FOREIGN = frozenset(("config-drift", "bound-elsewhere", "protected-mode-denied", "start-failed", "fd-limit-clamp"))
"""Causes of a server of one's own: a managed one has no file, and nobody starts it by hand."""
NEEDS_A_SERVICE = tuple(id for id, one in CAUSES.items() if one.family == "managed services")
"""Causes that a server of one's own can't have."""
OF_PROVIDER = "provider_"
"""How the names of the parts begin that the service's own interface is asked for."""
PLURAL = frozenset(("sockets", "topology", *(name for name in NAMES if name.startswith(OF_PROVIDER))))
SHOWN_CAUSES, LONGEST_QUOTE, SHOWN_PLACES = 7, 60, 2
_QUOTABLE = re.compile(rf"[\w ,.'%/-]{{1,{LONGEST_QUOTE}}}")


class LookAlike(Record):
    """A cause that not every user can see."""

    makes: frozenset[str]
    """Kinds of symptoms as which it is reported."""
    needs: tuple[str, ...]
    """The tools whose readings are all needed to see it."""
    at: tuple[str, ...]
    """The only services where they show it; empty if that's everywhere."""


@cache
def _table() -> tuple[Mapping[str, re.Pattern[str]], Mapping[str, LookAlike]]:
    text = (Path(__file__).parent / "look_alikes.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    kinds = {kind: deferred("|".join(words), re.IGNORECASE) for kind, words in data["symptoms"].items()}
    causes = {
        id: LookAlike(makes=frozenset(row["makes"].split()), needs=tuple(row["needs"].split()),
                       at=tuple(row.get("at", "").split()))
        for id, row in data["causes"].items()
    }  # fmt: skip
    return kinds, causes


def symptom_kinds(symptom: str) -> frozenset[str]:
    """The kinds of symptoms in a report; empty if its words don't say."""
    return frozenset(kind for kind, words in _table()[0].items() if possible(words, symptom) and words.search(symptom))


def look_alikes(symptom: str) -> dict[str, LookAlike]:
    """The causes that would fit a report and that not every user can see."""
    kinds = symptom_kinds(symptom)
    return {id: one for id, one in _table()[1].items() if not kinds or one.makes & kinds}


def blind_spots(
    views: Sequence[View], limits: Limits, settled: Mapping[str | None, frozenset[str]]
) -> tuple[Blind, ...]:
    """What wasn't examined at these nodes; `settled` are the causes that were found or ruled out, by node."""
    fitting = look_alikes(views[0].symptom) if views else {}
    found: dict[tuple[str, Kind | None], tuple[list[str], list[str]]] = {}
    for view in views:
        for tool, kind, hidden in _of_node(view, limits, fitting, settled.get(view.node, frozenset())):
            nodes, hides = found.setdefault((tool, kind), ([], []))
            nodes.append(str(view.node))
            hides += [id for id in hidden if id not in hides]
    several = len(views) > 1
    service = next(filter(None, map(service_of, views)), None)
    return tuple(
        Blind(what=_what(tool, kind, nodes if several else (), service), hides=tuple(hides), reading=tool, kind=kind,
              nodes=tuple(nodes))
        for (tool, kind), (nodes, hides) in found.items()
    )  # fmt: skip


def _of_node(
    view: View, limits: Limits, fitting: Mapping[str, LookAlike], settled: frozenset[str]
) -> Iterator[tuple[str, Kind | None, list[str]]]:
    service = service_of(view)
    managed = service is not None
    others = ("diagnostics-disabled",) if managed else ("diagnostics-disabled", *NEEDS_A_SERVICE)
    everything = [id for id in CAUSES if id not in others]
    if (refused := view.unavailable("connect")) in ("untrusted", "noauth", "wrongpass") and view.place:
        # A replica matters if its readers complain; a shard's primary serves data that nobody else has.
        shard = view.text("topology", "topology") == "cluster" and view.in_topology.get("role") == "primary"
        if shard or symptom_kinds(view.symptom) & OF_REPLICAS:
            yield WHOLE_NODE, refused, everything
        return
    if view.last("info") is None or view.unavailable("info"):
        # A node that can't be asked is a finding, or everything is unknown.
        return
    mode = view.text("info", "server_mode") or view.text("info", "redis_mode")
    if mode == "cluster" and (kind := view.unavailable("topology")):
        # Nothing else shows its other nodes.
        yield "topology", kind, everything
    missing = dict(_missing(view))
    hidden: dict[str, list[str]] = {}
    for id, one in fitting.items():
        if service and one.at and service.id not in one.at:
            continue
        lacks = next((tool for tool in one.needs if tool in missing), None)
        if lacks and id not in settled and not (managed and id in FOREIGN) and not excluding(id, view, limits):
            hidden.setdefault(lacks, []).append(id)
    yield from ((tool, missing[tool], hidden[tool]) for tool in NAMES if tool in hidden)


def _missing(view: View) -> Iterator[tuple[str, Kind | None]]:
    """The tools whose readings are missing at a responsive node, and why."""
    in_depth = any(view.last(tool) is not None for tool in (*EXPECTED, *IN_DEPTH))
    for tool in dict.fromkeys(tool for one in _table()[1].values() for tool in one.needs):
        if (kind := view.unavailable(tool) or _unsaid(view, tool)) is not None:
            yield tool, kind
        elif tool == "log" and view.last(tool) is None and (kind := view.unavailable("process")) is not None:
            # A machine other than this one isn't asked again.
            yield tool, kind
        elif (tool == "own_connect" and view.last("connect") is None and is_pasted(view)) or (
            tool == "earlier_log" and _begins_with_start(view)
        ):
            yield tool, "not-pasted"
        elif tool in EXPECTED and view.last(tool) is None and in_depth:
            yield tool, None


def _unsaid(view: View, tool: str) -> Kind | None:
    """Why the service's own interface, which was asked, didn't say a part."""
    if not tool.startswith(OF_PROVIDER):
        return None
    if (kind := view.unavailable("provider")) is not None:
        # Where nobody can be asked the answer says so in a line: that is how most servers are looked at.
        return None if kind in ("not-recorded", "noauth") else kind
    part = view.text("provider", f"{tool.removeprefix(OF_PROVIDER)}.unavailable")
    return next((kind for kind in WHY if kind is not None and kind == part), None)


def is_pasted(view: View) -> bool:
    """Whether these readings are of a paste."""
    return any(one.unavailable is not None and one.unavailable.kind == "not-pasted" for one in view.readings)


def _begins_with_start(view: View) -> bool:
    """Whether a log was pasted from the server's start on, and no kernel log: how it ended before is in neither."""
    if view.text("log", "destination") != "pasted" or view.unavailable("kernel_log") != "not-pasted":
        return False
    return view.get("log", "previous_end") is None


def _what(tool: str, kind: Kind | None, nodes: Sequence[str], service: Service | None = None) -> str:
    name = NAMES.get(tool, tool)
    at = f" at {', '.join(nodes)}" if nodes else ""
    if tool == WHOLE_NODE:
        return f"Nothing{at} was read: {WHY.get(kind, kind)}"
    if service is None or tool.startswith(OF_PROVIDER):
        allow = service.terms.get("allow") if service and kind == "denied" else None
        return f"{name}{at}: {WHY.get(kind, kind)}" + (f"; {allow}" if allow else "")
    place = service.seen_at(tool)
    return f"{name}{at}: not visible at {service.name}" + (f"; see {place}" if place else "")


def cant_tell(blind: Sequence[Blind], symptom: str, service: Service | None = None) -> str:
    """The line that names what wasn't seen, and what it hides; empty where nothing is hidden.

    At a service it says where what would show most of it stands.
    """
    if not blind:
        return ""
    by_kind: dict[Kind | None, list[str]] = {}
    for one in blind:
        whole = f"all of {', '.join(one.nodes)}"
        by_kind.setdefault(one.kind, []).append(whole if one.reading == WHOLE_NODE else NAMES[one.reading])
    plural = {NAMES[tool] for tool in PLURAL}
    told = [
        f"{_listed(names)} {'were' if len(names) > 1 or names[0] in plural else 'was'} {WHY.get(kind, str(kind))}"
        for kind, names in by_kind.items()
    ]
    hides = list(dict.fromkeys(id for one in blind for id in one.hides))
    fit = f"'{symptom.strip()}'" if _QUOTABLE.fullmatch(symptom.strip()) else "what was reported"
    if len(hides) > SHOWN_CAUSES:
        causes = f"{len(hides)} causes that fit {fit}, such as {', '.join(hides[:SHOWN_CAUSES])}"
    else:
        count = "a cause" if len(hides) == 1 else f"{len(hides)} causes"
        causes = f"{count} that fit {fit}: {', '.join(hides)}"
    them = "it" if sum(map(len, by_kind.values())) == 1 else "they"
    line = f"{CANT_TELL}: {'; '.join(told)}; {them} would show {causes}."
    return f"{line} {_elsewhere(blind, service)}".rstrip() if service else line


def _elsewhere(blind: Sequence[Blind], service: Service) -> str:
    """Where at a service the readings stand that hide most, in a sentence."""
    most = sorted(blind, key=lambda one: -len(one.hides))
    places = dict.fromkeys(place for one in most if (place := service.seen_at(one.reading)))
    return f"At {service.name} see {'; '.join([*places][:SHOWN_PLACES])}." if places else ""


def without_info(views: Sequence[View]) -> str:
    """The line for a paste that has no INFO, which nearly everything rests on; empty for any other."""
    if not any(view.unavailable("info") == "not-pasted" for view in views):
        return ""
    return f"{CANT_TELL}: INFO was not pasted, and without it most causes look alike."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def unpasted(tools: Sequence[str], hidden: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What nobody pasted, in one line, and which causes all of that hides."""
    hides = list(dict.fromkeys(id for tool in tools for id in hidden[tool]))
    more = f" and {len(hides) - SHOWN_CAUSES} more" if len(hides) > SHOWN_CAUSES else ""
    # What is compared with the file is asked for with it.
    tools = [tool for tool in tools if tool in NAMES and not (tool == "config_get" and "config_drift" in tools)]
    if names := ", ".join(dict.fromkeys(NAMES[tool] for tool in tools)):
        yield f"not pasted: {names}; that hides {', '.join(hides[:SHOWN_CAUSES])}{more}"
