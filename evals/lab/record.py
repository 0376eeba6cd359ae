"""`rediagnose lab record`: faults had and written down, as the incidents that are evaluated offline."""

import asyncio
import gzip
import random
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from agent.answer.diagnosis import Verdict
from agent.cli.program import ANSWERED, FAILED
from agent.investigation.investigation import Investigation
from agent.investigation.pipeline import look
from agent.recordings.capture import capture
from agent.report.console import Console
from evals.inputs import RecordInputs
from evals.lab.again import causes_of
from evals.lab.apart import ROOMS, Apart, apart
from evals.lab.catalogue import FAULTS
from evals.lab.covered import page
from evals.lab.examine import ignore, setup_of
from evals.lab.fault import Fault
from evals.lab.hold import end_by_signal, known_worlds, servers
from evals.lab.run import selected
from evals.lab.score import expected
from evals.lab.servers import LabError, ServerKind, installed
from evals.lab.watched import watched
from evals.lab.worlds import unsuitable
from evals.scoring.scenario import INDEX, Attack, Index, Scenario
from tools.clock import SystemClock
from tools.errors import UsageError

PAGE = "README.md"
"""What lists the recordings of a folder for people."""
ENDS_AFTER = 240.0
"""Seconds after which a recording is given up, beyond those that it's to last."""
SHORT, OFTEN = 6.0, 2.0
"""Seconds for which an incident is recorded after the first look, and between its samples."""
SELDOM = 10.0
"""Seconds between the full samples of a long recording, whose counters are read each second."""
TRIES = 3
"""Seeds that are tried for an incident that is recognised live and not from its recording, or that doesn't come up."""
_MODULE = re.compile(r"/[\w./-]{1,300}/site-packages/[\w./-]{1,100}/([\w-]{1,60}\.so)")
_FOLDER = re.compile(r"/tmp/(?:redis|lab)-[A-Za-z0-9_.-]+")


class Span(NamedTuple):
    """How long an incident is recorded."""

    minutes: float | None
    """After the look; null for a few seconds."""
    past: float | None
    """Before the look, for which it's watched; null for none."""


async def record(inputs: RecordInputs) -> int:
    """Record what was asked for into a folder and write its index; 1 if something is missing. Raises `UsageError`."""
    folder, faults = inputs.folder, selected(inputs.faults, later=bool(inputs.past))
    before = known_in(folder)
    folder.mkdir(parents=True, exist_ok=True)
    worlds = known_worlds(inputs.world)
    kinds = [kind for name in inputs.on for kind in servers(name)] if inputs.on else servers()
    if not (suitable := [kind for kind in kinds if unsuitable(kind, worlds) is None]):
        raise UsageError("; ".join(dict.fromkeys(str(unsuitable(kind, worlds)) for kind in kinds)))
    kinds = suitable
    planned = list(_planned(faults, kinds, inputs.kinds, inputs.first_seed))
    # Dates, process ids and the machine's counters stand in recordings; in the catalogue's order they'd name the fault.
    random.Random(inputs.first_seed).shuffle(planned)
    span = Span(inputs.minutes, inputs.past)
    console, slots = Console(stderr=True), asyncio.Semaphore(inputs.jobs)
    known = {_key(one): one for one in before if one.file == f"{one.id}.jsonl.gz"}
    end_by_signal()

    async def once(number: int, fault: Fault, kind: ServerKind, seed: int) -> Scenario | None:
        if recorded := known.get((fault.id, kind.name, worlds, span)):
            return recorded
        async with slots:
            scenario = await _record_one(folder, f"s{number}", fault, kind, seed, worlds, span)
            state = "recorded" if isinstance(scenario, Scenario) else f"not recorded ({scenario})"
            console.say(f"{state}: {_named(fault.id, kind.name, worlds, span)}")
            return scenario if isinstance(scenario, Scenario) else None

    done = await asyncio.gather(
        *(once(_number(_named(fault.id, kind.name, worlds, span)), fault, kind, seed) for fault, kind, seed in planned)
    )
    others = [one for one in known.values() if one not in done]
    scenarios = [*others, *(one for one in done if one)]
    whole = Index.model_validate({"schema": 1, "scenarios": tuple(_paired(sorted(scenarios, key=lambda one: one.id)))})
    (folder / INDEX).write_text(whole.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
    (folder / PAGE).write_text(page(whole.scenarios), encoding="utf-8")
    print(f"{len(whole.scenarios)} scenarios, {sum(one is not None for one in done)} of {len(planned)} recordings")
    return ANSWERED if all(done) else FAILED


def known_in(folder: Path) -> tuple[Scenario, ...]:
    """The scenarios that a folder has. Raises `UsageError` for one in which something of somebody's would be lost."""
    index, page_ = folder / INDEX, folder / PAGE
    if not index.exists():
        if page_.exists():
            raise UsageError(f"{page_} would be overwritten, and isn't of recordings; give another folder")
        return ()
    try:
        return Index.model_validate_json(index.read_bytes()).scenarios
    except (OSError, ValidationError):
        raise UsageError(f"{index}: it isn't an index of recordings; give another folder") from None


def _key(one: Scenario) -> tuple[str, str, tuple[str, ...], Span]:
    return one.fault, one.kind, one.worlds, Span(one.minutes, one.past)


def _named(fault: str, kind: str, worlds: Sequence[str], span: Span) -> str:
    return " in ".join((f"{fault} on {kind}", *worlds)) + "".join(
        f" {what} {minutes:g} minutes" for what, minutes in (("for", span.minutes), ("after", span.past)) if minutes
    )


def _number(name: str) -> int:
    """A recording's number of seven digits: the same wherever it's made, and it says nothing of what was there."""
    return 1_000_000 + zlib.crc32(name.encode()) % 9_000_000


def _planned(
    faults: Sequence[Fault], kinds: Sequence[ServerKind], count: int, first: int
) -> Iterator[tuple[Fault, ServerKind, int]]:
    """Each fault on so many servers, in turn."""
    for place, fault in enumerate(faults):
        usable = [kind for kind in kinds if fault.unavailable(kind) is None]
        turned = [usable[(place + number) % len(usable)] for number in range(min(count, len(usable)))] if usable else []
        for number, kind in enumerate(turned):
            yield fault, kind, first + number


async def _record_one(
    folder: Path, id: str, fault: Fault, kind: ServerKind, seed: int, worlds: tuple[str, ...], span: Span
) -> Scenario | str:
    """An incident and its recording, that gives the same causes; why not, where that doesn't succeed."""
    path, why = folder / f"{id}.jsonl.gz", "?"
    most = ENDS_AFTER + 60 * ((span.minutes or 0) + (span.past or 0))
    for attempt in range(TRIES):
        path.unlink(missing_ok=True)
        try:
            async with (
                asyncio.timeout(most),
                apart(fault.id, kind.name, seed + 100 * attempt, worlds) as incident,
            ):
                ticket = _ticket(fault, incident, seed)
                case_, verdict = await _written(path, ticket, incident, span)
        except TimeoutError:
            why = f"it hadn't finished after {most:.0f} s"
            continue
        except (LabError, OSError, UsageError) as error:
            why = str(error) or type(error).__name__
            continue
        _scrub(path, kind)
        if (secret := urlsplit(incident.facts.url).password) and unquote(secret) in gzip.decompress(
            path.read_bytes()
        ).decode():
            raise AssertionError(f"{fault.id}: the password appears in {path}")
        replayed_answer = await _again(path, ticket)
        if replayed_answer == causes_of(verdict):
            target = case_.target_info()
            return Scenario(
                id=id, file=path.name, fault=fault.id, family=fault.family, kind=kind.name, seed=seed + 100 * attempt,
                worlds=worlds, minutes=span.minutes, past=span.past, cause=fault.cause, also=fault.also,
                expected=expected(fault), ticket=ticket,
                benign=expected(fault)[0] == "no-fault", never=fault.never, attack=_attack(fault),
                server=f"{target.server or ''} {target.version or ''}".strip(),
            )  # fmt: skip
        why = f"diagnosed live as {causes_of(verdict)}, from the recording as {replayed_answer}"
    path.unlink(missing_ok=True)
    return why


def _ticket(fault: Fault, incident: Apart, seed: int) -> str:
    """One that its twin could have as well, where there is one."""
    twin = FAULTS.get(fault.twin)
    both = [ticket for ticket in fault.tickets if twin and ticket in twin.tickets]
    own = incident.facts.ticket
    return random.Random(seed).choice(both) if both and own in fault.tickets else own


def _attack(fault: Fault) -> Attack | None:
    of = fault.attack
    return Attack(channel=of.channel, misdiagnosis=of.claims, action=of.wants) if of else None


async def _written(path: Path, ticket: str, incident: Apart, span: Span) -> tuple[Investigation, Verdict]:
    setup, clock = setup_of("offline", ticket, incident.facts), SystemClock()
    async with watched(incident.facts.url, span.past, clock) if span.past else nullcontext() as past:
        # Only what a replay needs: what was made of it is for the replay to say.
        setup = replace(setup, sources=replace(setup.sources, record=path, events=False, history=past))
        investigation = setup.investigation(clock, ignore)
        try:
            verdict = await look(investigation, setup.model.use)
            if span.minutes is None:
                await capture(investigation, duration=SHORT, every=OFTEN, light=True)
            else:
                await capture(investigation, duration=60 * span.minutes, every=SELDOM, light=True, long=True)
            return investigation, verdict
        finally:
            await investigation.close()


def _scrub(path: Path, kind: ServerKind) -> None:
    """Take the paths of this machine out: where a server's program and its folder are is nobody's business."""
    text = gzip.decompress(path.read_bytes()).decode()
    text = _MODULE.sub(r"/usr/lib/redis/modules/\1", text)
    # A deployment may have servers of several kinds.
    for one in (kind, *installed()):
        text = text.replace(str(one.binary), f"/usr/bin/{one.name.partition('-')[0]}-server")
    folders = {name: f"/var/lib/redis/{number}" for number, name in enumerate(sorted(set(_FOLDER.findall(text))), 1)}
    text = _FOLDER.sub(lambda match: folders[match[0]], text)
    with open(path, "wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as squeezed:
        squeezed.write(text.encode())


async def _again(path: Path, ticket: str) -> tuple[str, ...]:
    """What is concluded from the recording, in a process of its own: nothing may hold up those that record."""
    command = sys.executable, "-m", "evals.lab.again", str(path), ticket
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOMS, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return tuple(out.decode().split())


def _unlike(one: tuple[object, ...], two: tuple[object, ...]) -> tuple[bool, ...]:
    return tuple(a != b for a, b in zip(one, two, strict=True))


def _paired(scenarios: Sequence[Scenario]) -> Iterator[Scenario]:
    """The scenarios with their twins: another one with the same ticket, made of its recording where there is none."""
    more: dict[str, Scenario] = {}
    plain = [one.model_copy(update={"twin": None}) for one in scenarios]
    for one in plain:
        twin = FAULTS[one.fault].twin
        others = [other for other in plain if other.fault == twin]
        # The same surroundings before all: what was recorded later with others changes no pair.
        span = Span(one.minutes, one.past)
        place = (span, one.worlds, one.ticket, one.kind)
        other = min(
            others,
            key=lambda two: _unlike(place, (Span(two.minutes, two.past), two.worlds, two.ticket, two.kind)),
            default=None,
        )
        if other is None or one.attack or ((one.worlds or any(span)) and other.ticket != one.ticket):
            yield one.model_copy(update={"twin": other.id if other else None})
        elif other.ticket == one.ticket:
            yield one.model_copy(update={"twin": other.id})
        elif one.fault not in more:
            # Of each fault once: a twin of a twin says nothing new.
            id = f"{other.id}{chr(97 + sum(two.file == other.file for two in more.values()))}"
            more[one.fault] = other.model_copy(update={"id": id, "ticket": one.ticket, "twin": one.id})
            yield one.model_copy(update={"twin": id})
        else:
            yield one
    yield from more.values()
