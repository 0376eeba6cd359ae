"""`rediagnose eval export`: recorded incidents as a data set for any agent."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.cli.program import ANSWERED, FAILED
from evals.export.card import card
from evals.export.forms import FORMS
from evals.export.leaks import Leak, in_catalogue_order, leaks
from evals.export.task import Task, begun, task
from evals.export.tree import date, lay, summed
from evals.house import ROOT
from evals.inputs import ExportInputs, RecordInputs
from evals.lab.record import TRIES, record
from evals.lab.run import selected
from evals.scoring.scenario import BUNDLED, INDEX, Scenario, load
from evals.scoring.select import names
from tools.errors import UsageError


async def export(inputs: ExportInputs) -> int:
    """Write the data set; 1 if something in it gives an answer away. Raises `UsageError`."""
    folder = inputs.folder
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: it holds something already; give a new folder")
    status, source = ANSWERED, inputs.scenarios or BUNDLED
    if inputs.split == "private":
        status, source, chosen = await _recorded(inputs)
    else:
        chosen = _named(load(source), inputs.ids)
    exported = written(inputs, source, drawn(chosen, inputs.seed or 0, inputs.limit))
    found = list(leaks(folder, exported))
    if inputs.split == "private" and (order := in_catalogue_order((one.fault, begun(source, one)) for one in chosen)):
        found.append(Leak(file=str(source), what=order))
    for leak in found:
        print(f"gives something away: {leak.file}: {leak.what}", file=sys.stderr)
    print(f"{len(exported)} tasks in {folder}; its README.md says how they are run")
    return FAILED if found else status


async def _recorded(inputs: ExportInputs) -> tuple[int, Path, list[Scenario]]:
    """The faults had anew: what recording them came to, where they are, and the scenarios. Raises `UsageError`."""
    source, seed = inputs.scenarios or inputs.folder.with_name(f"{inputs.folder.name}.recorded"), inputs.seed
    if seed is None:
        raise UsageError("--split private: give --seed N, which nobody else knows; it varies sizes, names and timing")
    faults = inputs.ids or ("all",)
    wanted = {fault.id for fault in selected(faults)}
    if (source / INDEX).exists() and any(one.seed not in _seeds(seed, inputs.kinds) for one in load(source)):
        raise UsageError(f"{source}: it has recordings of another seed; give another folder by --scenarios")
    status = await record(
        RecordInputs(folder=source, faults=faults, kinds=inputs.kinds, first_seed=seed, jobs=inputs.jobs)
    )
    return status, source, [one for one in load(source) if one.fault in wanted]


def _seeds(first: int, kinds: int) -> set[int]:
    """Those that recording from a seed may come to: one for each server, and others where it didn't succeed."""
    return {first + number + 100 * attempt for number in range(kinds) for attempt in range(TRIES)}


def written(inputs: ExportInputs, source: Path, chosen: Sequence[Scenario]) -> Mapping[str, Scenario]:
    """Lay the data set down; the scenario of each task."""
    by_id: dict[str, tuple[Task, Scenario]] = {}
    for scenario in chosen:
        # Two scenarios may be one incident, of which each is the other's twin.
        made = task(source, scenario)
        by_id.setdefault(made.id, (made, scenario))
    # Their own order says which were recorded together.
    exported = dict(sorted(by_id.items()))
    files = FORMS[inputs.form]([made for made, _ in exported.values()])
    files = {**files, **card(inputs, [*exported.values()])}
    if (ROOT / "LICENSE").exists():
        files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    lay(inputs.folder, {**files, "SHA256SUMS": summed(files)})
    date(inputs.folder)
    return {id: scenario for id, (_, scenario) in exported.items()}


def _named(scenarios: Sequence[Scenario], words: Sequence[str]) -> list[Scenario]:
    """Those whose id, fault, family, cause or server is one of the words; all if there are none."""
    if not words:
        return list(scenarios)
    held = [(one, set(names(one).splitlines())) for one in scenarios]
    for word in words:
        if not any(word.lower() in own for _, own in held):
            raise UsageError(f"{word}: no scenario has that id, fault, family, cause or server")
    wanted = {word.lower() for word in words}
    return [one for one, own in held if own & wanted]


def drawn(scenarios: Sequence[Scenario], seed: int, limit: int | None) -> list[Scenario]:
    """As many as wanted, drawn by the seed: the same ones for the same seed, of a fault first those that last."""
    if limit is None:
        return list(scenarios)
    mixed = sorted(scenarios, key=lambda one: hashlib.sha256(f"{seed} {one.id}".encode()).digest())
    by_fault: dict[str, list[Scenario]] = {}
    for one in sorted(mixed, key=lambda one: one.minutes is None):
        by_fault.setdefault(one.fault, []).append(one)
    # Whose turn it is doesn't depend on how long it was recorded: else only faults that were recorded for long came.
    turns = {fault: iter(several) for fault, several in by_fault.items()}
    return [next(turns[one.fault]) for one in mixed][:limit]
