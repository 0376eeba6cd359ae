"""Remedies in a managed service's own terms: what it refuses, and files and machines that nobody reaches there, aren't
in them."""

import re
import shlex
import tomllib
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from agent.answer.diagnosis import Dropped
from agent.evidence.managed import service_of
from agent.evidence.view import Readings
from agent.plan.drafts import Draft
from agent.plan.fitting import Fitting
from agent.runbooks.remedy import Remedy
from tools.connection.managed import SETTING, Service
from tools.gate.policy import Risk
from tools.host.directives import DIRECTIVES
from tools.patterns import deferred

_SET_BY_HAND = deferred(
    r"\b(?:set|put|raise|raising|lower|lowering|enlarge|consider|switch on|(?<=\()maxmemory at)\s+"
    r"((?:[a-z]+(?:-[a-z]+)+)|maxmemory|maxclients|hz|save|appendonly)\b",
    re.IGNORECASE,
)
"""A setting that a person should change."""
_LINES_OF = ("redis-cli", "$cli", "_cli ")
"""What a line for a shell has that asks the server, and no machine."""
_SENTENCE = re.compile(r"(?<=[.;:])\s+(?=[A-Z$`])")
UNVERIFIED = "Unverified advice of the model"
"""What a model's own advice begins with."""
RUN_THERE = "{} runs the server itself, and offers this in place of access to it."


class Own(NamedTuple):
    """What became of a remedy."""

    remedy: Remedy | None
    """In the service's terms; None if nothing of it can be done there."""
    why_not: str = ""
    """Why it was left out."""


def lacking(text: str, service: Service) -> str | None:
    """What in a text a customer of the service doesn't have: a command that it refuses, a file, the machine."""
    found = _absent().search(text)
    named = (one.lower() for one in _SET_BY_HAND.findall(text))
    fixed = next((one for one in named if one in DIRECTIVES and one not in service.sets), None)
    return service.blocked_in(text) or (found[0] if found else None) or fixed


def sayable(text: str | None, service: Service) -> str | None:
    """A text without the sentences about what isn't there; None if none is left."""
    kept = [one for one in _SENTENCE.split(text or "") if one and lacking(one, service) is None]
    return " ".join(kept).rstrip(";:,") or None


def own_terms(remedy: Remedy, service: Service) -> Own:
    """A remedy, filled in, as it is done at a service."""
    args = tuple(shlex.split(remedy.action)) if remedy.kind != "outside" else ()
    if tuple(word.upper() for word in args[:2]) == SETTING:
        return _setting(remedy, args[2].lower(), " ".join(args[3:]), service)
    if args and service.refuses(args):
        return Own(None, f"{service.name} refuses {' '.join(args[:2])}")
    if remedy.kind == "outside" and (lack := lacking(remedy.action, service)):
        return Own(None, f"{service.name} gives no access to it ({lack})")
    return Own(_cleaned(remedy, service))


def _setting(remedy: Remedy, name: str, value: str, service: Service) -> Own:
    if name not in service.sets:
        if name not in service.instead:
            return Own(None, f"{name} is none of the settings that a customer of {service.name} can change")
        more = service.terms["bigger"] if name == "maxmemory" else ""
        action = f"{service.instead[name]} {more}".strip()
        return Own(_outside(remedy, action, (), service))
    parameters = service.parameters(name, value)
    told = ", ".join(f"{one} to {given}" for one, given in parameters.items())
    action = Template(service.terms["setting"]).substitute(settings=told)
    return Own(_outside(remedy, action, tuple(filter(None, (service.line(parameters),))), service))


def _outside(remedy: Remedy, action: str, paste: tuple[str, ...], service: Service) -> Remedy:
    plain = _cleaned(remedy, service)
    return plain.model_copy(update={
        "kind": "outside", "action": action, "paste": paste, "rollback": None, "check": (),
    })  # fmt: skip


def _cleaned(remedy: Remedy, service: Service) -> Remedy:
    """The same remedy without lines and sentences about what isn't there."""
    lines = {
        name: tuple(one for one in of if any(way in one for way in _LINES_OF) and lacking(one, service) is None)
        for name, of in (("paste", remedy.paste), ("shown_by", remedy.shown_by))
    }
    says = {name: sayable(getattr(remedy, name), service) for name in ("rollback", "verify")}
    goals = tuple(one for one in remedy.check if one.tool != "config_get")
    why = sayable(remedy.why, service) or (RUN_THERE.format(service.name) if remedy.why else "")
    return remedy.model_copy(update={**lines, **says, "why": why, "check": goals})


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads((Path(__file__).parent / "managed.toml").read_text(encoding="utf-8"))


@cache
def _absent() -> re.Pattern[str]:
    """What nobody has who rents a server: its machine, its files, its process, its start."""
    return re.compile("|".join(_data()["absent"]["words"]), re.IGNORECASE)


@cache
def _causes() -> Mapping[str, str]:
    return {id: terms for terms, ids in _data()["causes"].items() for id in ids}


def in_place(cause: str, service: Service, kept: Collection[Remedy], some_left_out: bool) -> list[Remedy]:
    """What is done at a service in place of the remedies of a cause that can't be carried out there."""
    if not some_left_out and kept and cause not in _data()["always"]["causes"]:
        return []
    names = _causes().get(cause, "" if kept else "events support").split()
    return [
        Remedy(kind="outside", action=service.terms[name], why=_data()["why"][name], risk=_risk(name))
        for name in names
        if name in service.terms and not any(service.terms[name] in one.action for one in kept)
    ]


def _risk(name: str) -> Risk:
    return "risky" if name in ("bigger", "failover", "reboot", "reserve") else "safe"


def at_service(cause: str, node: str, service: Service, fits: Iterable[Fitting]) -> tuple[list[Fitting], list[Dropped]]:
    """The remedies of a cause as they're done at a service, and those that can't be."""
    kept, left_out = list[Fitting](), list[Dropped]()
    for one in fits:
        own = own_terms(one.remedy, service)
        if own.remedy is not None:
            written = one.written if own.remedy.action == one.remedy.action else own.remedy.action
            kept.append(Fitting(one.ref, own.remedy, written))
        else:
            left_out.append(Dropped(action=one.remedy.action, node=node, why=own.why_not, by="plan"))
    added = in_place(cause, service, [one.remedy for one in kept], bool(left_out))
    # A runbook's own steps are numbered from 1.
    kept += (Fitting(f"{cause}/0", one, one.action) for one in added)
    return kept, left_out


def as_offered(drafts: Iterable[Draft], readings: Readings, first: str) -> tuple[list[Draft], list[Dropped]]:
    """The steps without those of a model that a service doesn't offer; its settings become the service's own."""
    kept, left_out = list[Draft](), list[Dropped]()
    for draft in drafts:
        step = draft.step
        service = service_of(readings.view(step.node or first))
        if service is None or (draft.ref and draft.change is None):
            kept.append(draft)
            continue
        plain = step.action.removeprefix(f"{UNVERIFIED}: ")
        own = own_terms(
            Remedy(kind=step.kind, action=plain.replace("$", "$$"), why="", risk=step.risk).model_copy(
                update={"action": plain, "why": step.why, "verify": step.verify, "paste": step.paste}
            ), service,
        )  # fmt: skip
        if own.remedy is None:
            left_out.append(Dropped(action=step.action, node=step.node, why=own.why_not, by="plan"))
        elif own.remedy.action == plain:
            kept.append(draft)
        else:
            unsaid = {"before": None, "after": None, "rollback": None, "checks": (), "needs_approval": False}
            told = {name: getattr(own.remedy, name) for name in ("kind", "action", "why", "verify", "paste")}
            kept.append(draft.model_copy(update={"change": None, "step": step.model_copy(update={**unsaid, **told})}))
    return kept, left_out
