"""How often the first answer changes while the fault doesn't: `python -m evals.flips FAULT... [--kind K] [--times 8]`.

Each fault is brought about once and looked at so many times, by a new investigation each time that knows nothing of the
others.
What a look finds may change from one moment to the next; what is answered first shouldn't.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence

from agent.answer.diagnosis import Diagnosis
from agent.investigation.pipeline import run as investigate
from evals.lab.apart import Apart, apart
from evals.lab.catalogue import FAULTS
from evals.lab.examine import ignore, setup_of
from evals.lab.hold import kind_for, known
from evals.lab.servers import LabError
from tools.clock import SystemClock
from tools.errors import UsageError
from tools.records import Record

TIMES = 8
OFFLINE = "offline"


class Repeated(Record):
    """One fault, and what was answered first at each look."""

    fault: str
    kind: str
    right: str
    """The cause, or the outcome, that is right."""
    answers: tuple[str, ...]

    @property
    def flips(self) -> int:
        """Looks at which something else came first than what came first most often."""
        return len(self.answers) - max(Counter(self.answers).values(), default=0)

    @property
    def wrong(self) -> int:
        """Looks at which something else came first than what is right."""
        return sum(answer != self.right for answer in self.answers)


def first(answer: Diagnosis) -> str:
    """The first cause of an answer, or its outcome where it names none."""
    return answer.causes[0].id if answer.causes else answer.outcome


def line(one: Repeated) -> str:
    """What a person reads of it."""
    counted = ", ".join(f"{answer} {count}" for answer, count in Counter(one.answers).most_common())
    return f"{one.fault} on {one.kind}: {one.flips} flips of {len(one.answers)}, {one.wrong} wrong ({counted})"


async def repeated(fault: str, kind: str, seed: int, times: int) -> Repeated:
    """Have a fault and look at it so many times. Raises `LabError` where it can't be had."""
    async with apart(fault, kind, seed) as incident:
        answers = [first(await _looked(incident)) for _ in range(times)]
    return Repeated(fault=fault, kind=kind, right=FAULTS[fault].cause, answers=tuple(answers))


async def _looked(incident: Apart) -> Diagnosis:
    setup = setup_of(OFFLINE, incident.facts.ticket, incident.facts)
    case = setup.investigation(SystemClock(), ignore)
    try:
        await investigate(case, setup.model)
        return case.answer()
    finally:
        await case.close()


async def main(faults: Sequence[str], kind: str | None, seed: int, times: int) -> int:
    """Print a line for each fault, and the number of flips of all; 1 where there are any."""
    flips = looks = 0
    for fault in faults:
        try:
            one = await repeated(fault, kind_for(known(fault), kind).name, seed, times)
        except LabError as error:
            print(f"{fault}: {error}", flush=True)
            continue
        print(line(one), flush=True)
        flips, looks = flips + one.flips, looks + len(one.answers)
    print(f"{flips} flips of {looks} looks")
    return int(flips > 0)


if __name__ == "__main__":
    parsed = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parsed.add_argument("faults", nargs="+", metavar="FAULT", help="ids of `lab list`")
    parsed.add_argument("--kind", help="a server, such as redis-7.0 (the first that can)")
    parsed.add_argument("--seed", type=int, default=0, help="varies sizes, names and timing (0)")
    parsed.add_argument("--times", type=int, default=TIMES, help=f"looks at each ({TIMES})")
    given = parsed.parse_args()
    try:
        sys.exit(asyncio.run(main(given.faults, given.kind, given.seed, given.times)))
    except UsageError as error:
        sys.exit(str(error))
