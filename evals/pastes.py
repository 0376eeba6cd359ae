"""What is answered where somebody pastes: right, or an honest "can't tell", and never that all is well by chance.

`python -m evals.pastes` writes what each recorded incident of one server implies as the text that a person would copy
(INFO, SLOWLOG GET, CLIENT LIST, CONFIG GET, ACL LOG, LATENCY LATEST, the log), pastes it, and counts by mode.
"""

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from agent.answer.diagnosis import Diagnosis
from agent.answer.taxonomy import CAUSES
from agent.pastes.incident import Incident, incident_of
from agent.recordings.replay import case, on_virtual_time
from agent.runbooks.library import Library
from agent.runbooks.library import load as runbooks
from evals.blind import Sort, judged
from evals.pasted_text import pasted
from evals.scoring.scenario import BUNDLED, Scenario, load
from tools.errors import UsageError
from tools.paste.recognise import recognise
from tools.record.load import Recording
from tools.record.load import load as recording
from tools.record.schema import Seen
from tools.record.tape import Tape
from tools.records import Record

MODES = ("one", "two", "machine", "info")
"""One sample, two samples, those with the machine's facts and `redis-cli --latency`, INFO alone."""
GOALS = {"one": 0.75, "two": 0.85, "machine": 0.85, "info": 0.55}
"""Shares of the faults that are right or honestly can't be told."""


MACHINE = ("process", "sockets", "machine", "disk")
"""Readings that the host script's output answers; its log is the one that is pasted anyway."""


class Pasting(Record):
    """What came of one incident's paste."""

    scenario: Scenario
    sort: Sort
    said: str
    why: str
    unrecognised: int = 0


@cache
def _library() -> Library:
    return runbooks()


def paste_of(scenario: Scenario, mode: str, folder: Path = BUNDLED) -> Incident | None:
    """The incident as a paste; None where it's of several servers, or none answered in it."""
    tape = Tape(recording(folder / scenario.file))
    if len(tape.nodes) != 1:
        return None
    (node,) = tape.nodes
    whole = mode == "machine"
    samples = 2 if whole or mode == "two" else 1
    text = pasted(tape, node, samples=samples, info_only=mode == "info", pings=whole)
    try:
        found = incident_of([recognise(text, scenario.id)], scenario.ticket) if text else None
    except UsageError:
        return None
    return _with_machine(found, tape, node) if found and whole else found


def _with_machine(incident: Incident, tape: Tape, node: str) -> Incident:
    """The same with the host script's output, as which the readings of the machine stand that were recorded.

    What the script prints can't be had from them; a test has the script itself run beside a server.
    """
    (name,) = incident.tape.nodes
    lines = [line for line in incident.lines if not (isinstance(line, Seen) and line.reading.tool in MACHINE)]
    for tool in MACHINE:
        for line in tape.seen.get((tool, node), ())[-1:]:
            values = line.reading.values
            if values and values.get("locality") == "local":
                values = {**values, "locality": "host-facts"}
            reading = line.reading.model_copy(update={"node": name, "values": values})
            lines.append(Seen(t=0.0, reading=reading))
    head = incident.tape.head
    return replace(incident, tape=Tape(Recording(Path("paste"), head, lines, cut=False)), lines=tuple(lines))


def answer(incident: Incident) -> Diagnosis:
    """The checks' answer to a paste."""

    async def investigate() -> Diagnosis:
        async with case(incident.tape, incident.tape.head.symptom, library=_library(), pasted=incident.told) as found:
            return found.answer()

    return on_virtual_time(investigate())


def seen(scenario: Scenario, mode: str) -> Pasting | None:
    """One incident, pasted."""
    incident = paste_of(scenario, mode)
    if incident is None:
        return None
    found = answer(incident)
    said = found.causes[0].id if found.causes else found.outcome
    first = found.unknown[0] if found.unknown else ""
    return Pasting(scenario=scenario, sort=judged(scenario, found), said=said, why=first,
                   unrecognised=len(incident.told.unrecognised))  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Print it; a minute of a core for each mode. The exit status is 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m evals.pastes", description=__doc__)
    parser.add_argument("modes", nargs="*", metavar="MODE", help=f"of {', '.join(MODES)}; all of them by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes; as many as there are cores")
    parser.add_argument("--list", action="store_true", help="name each incident that isn't answered rightly")
    parser.add_argument("-k", metavar="WORD", default="", help="only incidents whose fault has it in its name")
    given = parser.parse_args(argv)
    if lost := [mode for mode in given.modes if mode not in MODES]:
        parser.error(f"{lost[0]!r} is no mode; give some of {', '.join(MODES)}")
    scenarios = [one for one in load(BUNDLED) if given.k in one.fault]
    failed = False
    with ProcessPoolExecutor(given.jobs) as pool:
        for mode in given.modes or MODES:
            found = [one for one in pool.map(partial(seen, mode=mode), scenarios, chunksize=8) if one]
            lines, met = report(mode, found, listed=given.list)
            failed |= not met
            print("\n".join(lines), flush=True)
    raise SystemExit(int(failed))


def report(mode: str, found: Sequence[Pasting], *, listed: bool = False) -> tuple[list[str], bool]:
    """What came of one mode, and whether its goals were met."""
    sick = [one for one in found if one.scenario.cause in CAUSES]
    sound = [one for one in found if one.scenario.cause == "no-fault"]
    counts = Counter(one.sort for one in sick)
    honest = (counts["right"] + counts["can't tell"]) / max(1, len(sick))
    lines = [
        f"{mode}: {len(sick)} recorded faults of one server; {honest:.1%} right or can't tell (goal {GOALS[mode]:.0%})"
    ]
    lines += [f"  {sort:<14} {count:>4}  {count / len(sick):.1%}" for sort, count in counts.most_common()]
    told = Counter({"right": "no-fault", "wrong": "an alarm"}.get(one.sort, one.sort) for one in sound)
    lines.append(f"  of {len(sound)} that were well: {', '.join(f'{n} {sort}' for sort, n in told.most_common())}")
    lines.append(f"  stretches that weren't recognised: {sum(one.unrecognised for one in found)}")
    if listed:
        lines += [
            f"    {one.scenario.id} {one.scenario.fault}: {one.sort}, {one.said}; {one.why[:150]}"
            for one in found
            if one.sort != "right"
        ]
    return lines, honest >= GOALS[mode] and not counts["no-fault"]


if __name__ == "__main__":
    main()
