"""Whether a served recording stays what it is: the checks asked at second 1, 30 and 300 name the same first cause.

`python -m evals.lasting` asks every recorded incident through what its endpoints answer at those seconds, without the
machine that only the recorder saw and with it, and prints how many name the same cause as at the first. Its status is 1
if less than `--least` of them do, or if a fault that was found is called well later.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import cache, lru_cache, partial

from agent.answer.diagnosis import Diagnosis
from agent.answer.events import Event
from agent.answer.taxonomy import CAUSES
from agent.investigation.investigation import Investigation
from agent.investigation.model_settings import ModelSettings
from agent.investigation.pipeline import run
from agent.investigation.sources import Options, Sources
from agent.recordings.replay import on_virtual_time, recorded_target
from agent.runbooks.library import Library
from agent.runbooks.library import load as runbooks
from evals.lab.score import ranked
from evals.scoring.scenario import BUNDLED, Scenario, load
from tools.record.load import load as recording
from tools.record.playhead import Moment
from tools.record.portless import Portless
from tools.record.refusals import Refusals
from tools.record.tape import Tape
from tools.record.virtual import VirtualClock
from tools.records import Record

SECONDS = (1.0, 30.0, 300.0)
"""When an endpoint is asked, since it began to serve."""


class Asked(Record):
    """What one incident's endpoint was taken for."""

    scenario: Scenario
    said: tuple[str, ...]
    """The first cause, or the outcome where none is named, at each of the seconds."""
    right: tuple[bool, ...]
    """Whether that is what was there."""

    @property
    def lasts(self) -> bool:
        """Whether all are the same."""
        return len(set(self.said)) == 1

    @property
    def is_called_well(self) -> bool:
        """Whether it was taken for a fault, and later for none."""
        return self.said[0] in CAUSES and "no-fault" in self.said[1:]


@cache
def _library() -> Library:
    return runbooks()


@lru_cache(maxsize=1)
def _tape(file: str) -> Tape:
    """One is asked several times in a row."""
    return Tape(recording(BUNDLED / file))


def answer(scenario: Scenario, second: float, *, host: bool) -> Diagnosis:
    """The checks' answer to an incident's endpoints, asked first at a second after they began to serve."""

    async def investigate() -> Diagnosis:
        tape = _tape(scenario.file)
        clock = VirtualClock(tape.began + timedelta(seconds=second), asyncio.get_running_loop())
        replay = Portless(tape, clock, Moment(start=second), Refusals(without_host=not host))
        heard: list[Event] = []
        options = Options(window=tape.head.window, one_node=tape.head.one_node, deadline=tape.head.deadline)
        investigation = Investigation(
            recorded_target(tape), scenario.ticket, _library(), clock, heard.append, options, Sources(replay=replay)
        )
        try:
            await run(investigation, ModelSettings(), lambda: None)
            return investigation.answer()
        finally:
            await investigation.close()

    return on_virtual_time(investigate())


def asked(scenario: Scenario, *, host: bool = False, seconds: Sequence[float] = SECONDS) -> Asked:
    """One incident at each of the seconds."""
    answers = [answer(scenario, second, host=host) for second in seconds]
    said = tuple(one.causes[0].id if one.causes else one.outcome for one in answers)
    return Asked(scenario=scenario, said=said, right=tuple(ranked(scenario, one)[0] for one in answers))


def main(argv: Sequence[str] | None = None) -> None:
    """Print it; some minutes of a core for each mode."""
    parser = argparse.ArgumentParser(prog="python -m evals.lasting", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="FAULT", help="only incidents whose fault begins with one of these")
    parser.add_argument("--jobs", type=int, default=None, help="processes; as many as there are cores by default")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth incident")
    parser.add_argument(
        "--turn", type=int, default=0, metavar="K", help="with --every, begin at the Kth: another share"
    )
    parser.add_argument("--least", type=float, default=0.0, metavar="SHARE", help="of them that have to last")
    parser.add_argument("--host", choices=("without", "with", "both"), default="both", help="which mode (both)")
    parser.add_argument("--list", action="store_true", help="name each incident whose answer changes")
    given = parser.parse_args(argv)
    words = tuple(given.words)
    scenarios = share(
        [one for one in load(BUNDLED) if not words or one.fault.startswith(words)], given.every, given.turn
    )
    failed = False
    with ProcessPoolExecutor(given.jobs) as pool:
        for mode in ("without", "with") if given.host == "both" else (given.host,):
            found = list(pool.map(partial(asked, host=mode == "with"), scenarios, chunksize=4))
            print("\n".join(_report(mode, found, given.list)), flush=True)
            lasting = sum(one.lasts for one in found) >= given.least * len(found)
            failed = failed or not lasting or any(one.is_called_well for one in found)
    if failed:
        raise SystemExit(1)


def share(scenarios: Sequence[Scenario], every: int, turn: int) -> list[Scenario]:
    """Each so manyth, of which there are as many turns."""
    return list(scenarios[turn % every :: every])


def _report(mode: str, found: Sequence[Asked], listed: bool) -> list[str]:
    last = sum(one.lasts for one in found)
    lines = [f"{mode} the machine: {last} of {len(found)} the same at all seconds, {last / max(1, len(found)):.1%}"]
    for number, second in enumerate(SECONDS):
        right, same = sum(one.right[number] for one in found), sum(one.said[number] == one.said[0] for one in found)
        lines.append(f"  second {second:>3.0f}: {right} right, {same} as at the first")
    changed = [one for one in found if not one.lasts]
    kinds = Counter(f"{one.said[0]} -> {next(said for said in one.said if said != one.said[0])}" for one in changed)
    lines += [f"    {count:>3} {kind}" for kind, count in kinds.most_common()]
    if listed:
        lines += [f"    {one.scenario.id} {one.scenario.fault}: {', '.join(one.said)}" for one in changed]
    return lines


if __name__ == "__main__":
    main()
