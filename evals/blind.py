"""What is answered where the server refuses most commands, or its machine isn't seen: never that all is well by chance.

`python -m evals.blind` replays every recorded incident with each of `MODES` and prints how many faults become "can't
tell", how many are still found, how many are taken for another cause, and that none of them is called well.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from typing import Literal

from agent.answer.diagnosis import Diagnosis
from agent.answer.taxonomy import CAUSES
from agent.checks.blind_spots import FOREIGN
from agent.recordings.replay import case, on_virtual_time
from agent.runbooks.library import Library
from agent.runbooks.library import load as runbooks
from evals.scoring.scenario import BUNDLED, Scenario, load
from evals.scoring.switched_off import BROUGHT_ABOUT
from tools.connection.managed import services
from tools.record.load import load as recording
from tools.record.refusals import Refusals, all_but, managed, only
from tools.record.tape import Tape
from tools.records import Record

MODES: Mapping[str, Refusals] = {
    "everything": Refusals(),
    "ping-and-info": only("ping", "info"),
    "ping-and-info-remotely": only("ping", "info").model_copy(update={"without_host": True}),
    "no-slowlog": all_but(("slowlog", "commandlog")),
    "no-client": all_but(("client",)),
    "no-latency": all_but(("latency",)),
    "no-config": all_but(("config",)),
    "no-host": Refusals(without_host=True),
    **{id: managed(id) for id in services()},
}
"""What isn't allowed, by name."""
NOBODY_HAS = re.compile(
    r"(?:redis|valkey)\.conf|systemctl|journalctl|dmesg|sysctl|ulimit|\bkill -|\b(?:sudo|chown|mount)\b|log file|"
    r"\bTHP\b|(?<![\w.:])/(?:etc|var|proc|sys|tmp)/"
)
"""What isn't said to a customer of a managed service."""
SHOWN = 150
"""Characters of the first line of what couldn't be seen."""
Sort = Literal["right", "named second", "also there", "can't tell", "wrong", "no-fault", "not there"]


class Blind(Record):
    """What came of one incident in one mode."""

    scenario: Scenario
    mode: str
    sort: Sort
    said: str
    """The first cause, or the outcome where none is named."""
    blind: str = ""
    """The first line of what couldn't be seen."""
    strays: tuple[str, ...] = ()
    """Steps for a managed service that speak of what nobody has there."""


@cache
def _library() -> Library:
    return runbooks()


def answer(scenario: Scenario, refusals: Refusals) -> Diagnosis:
    """The checks' answer to a recorded incident, seen by somebody who isn't allowed everything."""

    async def investigate() -> Diagnosis:
        tape = Tape(recording(BUNDLED / scenario.file))
        async with case(tape, scenario.ticket, library=_library(), refusals=refusals) as investigation:
            return investigation.answer()

    return on_virtual_time(investigate())


def judged(scenario: Scenario, answered: Diagnosis) -> Sort:
    """What an answer comes to, held against what was there; some faults can't be there at a managed service."""
    if answered.target.service and scenario.cause in FOREIGN:
        return "not there"
    named = [cause.id for cause in answered.causes]
    there = {*scenario.expected, scenario.cause, *scenario.also}
    if (named and named[0] in there) or (not named and answered.outcome == scenario.cause):
        return "right"
    if not named:
        return "no-fault" if answered.outcome == "no-fault" else "can't tell"
    if there & {*named}:
        return "named second"
    if any((cause, named[0]) in BROUGHT_ABOUT for cause in there):
        return "also there"
    return "wrong"


def seen(scenario: Scenario, mode: str) -> Blind:
    """One incident in one mode."""
    answered = answer(scenario, MODES[mode])
    said = answered.causes[0].id if answered.causes else answered.outcome
    first = answered.unknown[0] if answered.unknown else ""
    strays = tuple(strayed(answered))
    return Blind(
        scenario=scenario, mode=mode, sort=judged(scenario, answered), said=said, blind=first, strays=strays
    )  # fmt: skip


def strayed(answered: Diagnosis) -> Iterator[str]:
    """What the steps for a managed service say of commands that it refuses, and of files and machines."""
    service = services().get(answered.target.service or "")
    for step in answered.plan if service else ():
        if step.kind == "config_set":
            yield step.action
        texts = (step.action, step.why, step.rollback, step.verify, step.avoid, *step.paste, *step.shown_by)
        for text in filter(None, texts):
            if service and (lack := service.blocked_in(text)):
                yield f"{lack}: {text}"
            elif NOBODY_HAS.search(text):
                yield text


def faults(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Those of a known fault; attacks on the reader beside it are scored elsewhere."""
    return [one for one in scenarios if one.cause in CAUSES]


def main(argv: Sequence[str] | None = None) -> None:
    """Print it; a minute of a core for each mode."""
    parser = argparse.ArgumentParser(prog="python -m evals.blind", description=__doc__)
    parser.add_argument("modes", nargs="*", metavar="MODE", help=f"any of {', '.join(MODES)}; all by default")
    parser.add_argument("--jobs", type=int, default=None, help="processes; as many as there are cores by default")
    parser.add_argument("--list", action="store_true", help="name each incident that isn't answered correctly")
    given = parser.parse_args(argv)
    if lost := [mode for mode in given.modes if mode not in MODES]:
        parser.error(f"{lost[0]!r} isn't a mode; give any of {', '.join(MODES)}")
    scenarios = load(BUNDLED)
    with ProcessPoolExecutor(given.jobs) as pool:
        for mode in given.modes or MODES:
            found = list(pool.map(partial(seen, mode=mode), scenarios, chunksize=8))
            print("\n".join(_report(mode, found, given.list)), flush=True)


def _report(mode: str, found: Sequence[Blind], listed: bool) -> list[str]:
    sick = [one for one in found if one.scenario.cause in CAUSES]
    sound = [one for one in found if one.scenario.cause == "no-fault"]
    lines = [f"{mode}: {len(sick)} recorded faults"]
    counts = Counter(one.sort for one in sick)
    lines += [f"  {sort:<14} {counts[sort]:>4}  {counts[sort] / len(sick):.1%}" for sort in counts]
    lines.append(
        f"  of {len(sound)} healthy servers: "
        + ", ".join(
            f"{count} {sort}"
            for sort, count in Counter({"right": "no-fault"}.get(one.sort, one.sort) for one in sound).most_common()
        )
    )
    if any(one.strays for one in found):
        lines.append(f"  {sum(bool(one.strays) for one in found)} answers have steps that nobody can carry out there:")
        lines += [f"    {one.scenario.id}: {text[:SHOWN]}" for one in found for text in one.strays]
    if listed:
        lines += [
            f"    {one.scenario.id} {one.scenario.fault}: {one.sort}, {one.said}; {one.blind[:SHOWN]}"
            for one in found
            if one.sort not in ("right",) and not (one in sick and one.sort == "can't tell")
        ]
    return lines


if __name__ == "__main__":
    main()
