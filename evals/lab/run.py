"""`rediagnose lab run`: faults had, triaged and scored, some side by side."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from agent.cli.program import ANSWERED, FAILED, INTERRUPTED
from agent.model.selection import choose
from agent.report.console import Console
from evals.bar import progress_bar
from evals.inputs import RunInputs
from evals.lab.catalogue import FAULTS
from evals.lab.examine import examine
from evals.lab.fault import Fault
from evals.lab.hold import end_by_signal, known, known_worlds, servers
from evals.lab.score import Run, expected
from evals.lab.servers import ServerKind
from evals.lab.show import reasons
from evals.lab.table import as_json, as_text
from evals.lab.worlds import suitable
from tools.errors import UsageError


class Wanted(NamedTuple):
    """A run, and the run of its fault's twin that gets the same ticket, if it has one."""

    own: Run
    twin: Run | None


async def run(inputs: RunInputs) -> int:
    """Run all that was asked for and print what came of it; 1 if a wrong remedy was proposed. Raises `UsageError`."""
    model = choose(inputs.model).name
    faults = selected(inputs.faults)
    worlds = known_worlds(inputs.world)
    kinds = suitable(servers(None if inputs.kind in ("all", "rotate") else inputs.kind), worlds)
    skipped = {fault.id: why for fault in faults if (why := _skipped(fault, kinds, inputs.kind))}
    seeds = range(inputs.first_seed, inputs.first_seed + inputs.seeds)
    wanted = list(plan(faults, kinds, inputs.kind, seeds, model, worlds))
    file = inputs.output
    done = {one.key: one for one in (read(file) if file else []) if not (one.error or one.crashed)}
    interrupted = False
    end_by_signal()
    try:
        await _all(wanted, done, inputs.jobs, file)
    except asyncio.CancelledError:
        interrupted = True
    of_this = [one.key for both in wanted for one in both if one]
    runs = [done[key] for key in dict.fromkeys(of_this) if key in done]
    printed = as_json if inputs.format == "json" else as_text
    print(printed(runs, skipped, model, interrupted=interrupted), flush=True)
    if interrupted:
        return INTERRUPTED
    return FAILED if any(one.wrong for one in runs) else ANSWERED


def selected(names: Sequence[str], *, later: bool = False) -> list[Fault]:
    """The faults of ids and families, or all, in the catalogue's order; without `later` none that takes minutes to
    come. Raises `UsageError`."""
    families = {fault.family for fault in FAULTS.values()}
    ids = {known(name).id for name in names if name != "all" and name not in families}
    found = [fault for fault in FAULTS.values() if {"all", fault.id, fault.family} & {*ids, *names}]
    if not later and (slow := [fault.id for fault in found if fault.later and {fault.id, fault.family} & {*names}]):
        raise UsageError(f"{slow[0]} comes only minutes after it was begun; it can be recorded, by lab record --past")
    return [fault for fault in found if later or not fault.later]


def _skipped(fault: Fault, kinds: list[ServerKind], asked: str) -> str | None:
    """Why a fault isn't had, or not on each server that was asked for."""
    why = reasons(fault, kinds)
    usable = any(fault.unavailable(kind) is None for kind in kinds)
    return "; ".join(why) if why and (asked != "rotate" or not usable) else None


def plan(
    faults: Sequence[Fault], kinds: list[ServerKind], asked: str, seeds: Sequence[int], model: str,
    worlds: tuple[str, ...] = (),
) -> Iterator[Wanted]:  # fmt: skip
    """The runs: each fault once before any comes again, so that an interrupted run has seen all it could."""
    places = {id: number for number, id in enumerate(FAULTS)}
    for seed in seeds:
        for fault in faults:
            usable = [kind for kind in kinds if fault.unavailable(kind) is None]
            if asked == "rotate" and usable:
                usable = [usable[(places[fault.id] + seed) % len(usable)]]
            for kind in usable:
                own = _run(fault, kind, seed, model, fault).model_copy(update={"worlds": worlds})
                twin = _twin(own, fault, kind, kinds, faults) if seed == seeds[0] else None
                yield Wanted(own if twin is None else own.model_copy(update={"ticket": twin.ticket}), twin)


def _run(fault: Fault, kind: ServerKind, seed: int, model: str, ticket_of: Fault) -> Run:
    return Run(
        fault=fault.id, family=fault.family, kind=kind.name, seed=seed, model=model, ticket_of=ticket_of.id,
        expected=expected(fault),
    )  # fmt: skip


def _twin(own: Run, fault: Fault, kind: ServerKind, kinds: list[ServerKind], faults: Sequence[Fault]) -> Run | None:
    twin = FAULTS.get(fault.twin)
    if twin is None:
        return None
    both = [ticket for ticket in fault.tickets if ticket in twin.tickets]
    before = twin in faults and faults.index(twin) < faults.index(fault)
    if both and twin.twin == fault.id and before:
        # The very same pair as the twin's own.
        return None
    usable = [one for one in (kind, *kinds) if twin.unavailable(one) is None]
    if not usable:
        return None
    ticket = random.Random(own.seed).choice(both or fault.tickets)
    other = _run(twin, usable[0], own.seed, own.model, fault)
    return other.model_copy(update={"ticket": ticket, "worlds": own.worlds})


_BEGINS = '{"fault":'
"""How a line of the file of runs begins."""


def read(file: Path) -> list[Run]:
    """The runs of a file, which is made if it isn't there; a last line that was cut off is no run.

    Raises `UsageError` for anybody else's file, which stays as it is.
    """
    try:
        if not file.is_dir() and file.exists() and not file.is_file():
            # A pipe would be waited for.
            raise UsageError(f"-o {file}: it isn't a file; give one written by lab run, or a new one")
        file.open("a").close()
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"-o {file}: {error}; give a file written by lab run, or a new one") from None
    cut = lines.pop() if lines and not lines[-1].endswith("\n") else ""
    runs = []
    for number, line in enumerate(lines, 1):
        try:
            runs.append(Run.model_validate_json(line))
        except ValidationError:
            raise UsageError(
                f"-o {file}: line {number} isn't a run of the lab; give a file written by lab run, or a new one"
            ) from None
    if cut and not runs and not cut.startswith(_BEGINS):
        # Somebody's own text may have no end of a line, either.
        raise UsageError(f"-o {file}: it isn't a file of lab run's; give one, or a new one")
    if cut:
        file.write_text("".join(lines), encoding="utf-8")
    return runs


async def _all(wanted: list[Wanted], done: dict[tuple[str, ...], Run], jobs: int, file: Path | None) -> None:
    console, slots = Console(stderr=True), asyncio.Semaphore(jobs)
    with progress_bar(console, "lab") as bar:
        shown = bar.add_task("", total=sum(1 + (both.twin is not None) for both in wanted))
        running: list[str] = []

        async def once(one: Run) -> Run:
            if one.key not in done:
                running.append(one.fault)
                bar.update(shown, description=", ".join(running))
                finished = await examine(one)
                running.remove(one.fault)
                done[one.key] = finished
                _keep(file, finished)
                console.say(_result_line(finished))
            bar.update(shown, advance=1, description=", ".join(running))
            return done[one.key]

        async def both(pair: Wanted) -> None:
            async with slots:
                own = await once(pair.own)
                if pair.twin is not None and own.error is None:
                    await once(pair.twin.model_copy(update={"ticket": own.ticket}))

        async with asyncio.TaskGroup() as group:
            for pair in wanted:
                group.create_task(both(pair))


def _keep(file: Path | None, finished: Run) -> None:
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"{finished.model_dump_json()}\n")


def _result_line(one: Run) -> str:
    at = f"{' in '.join((f'{one.fault} on {one.kind}', *one.worlds))}, seed {one.seed}"
    if one.ticket_of != one.fault:
        at += f", ticket of {one.ticket_of}"
    if one.error:
        return f"lab error  {at}: {one.error}"
    if one.crashed:
        return f"crashed    {at}: {one.crashed}"
    answer = ", ".join(one.causes) or one.outcome
    return f"{'right' if one.first else 'WRONG'}      {at}: {answer} ({one.seconds:.1f} s)"
