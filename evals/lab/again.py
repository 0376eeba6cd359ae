"""What is concluded from one recording: python -m evals.lab.again FILE TICKET prints the causes, or the outcome."""

import sys
from pathlib import Path

from agent.answer.diagnosis import Verdict
from agent.recordings.replay import case, on_virtual_time
from tools.record.load import load
from tools.record.tape import Tape


def causes_of(verdict: Verdict) -> tuple[str, ...]:
    """The causes in a verdict's order, or its outcome."""
    return tuple(cause.id for cause in verdict.causes) or (verdict.outcome,)


async def answer_of(path: Path, ticket: str) -> tuple[str, ...]:
    """What is concluded from a recording with this ticket."""
    async with case(Tape(load(path)), ticket) as again:
        assert again.verdict is not None
        return causes_of(again.verdict)


if __name__ == "__main__":
    print(*on_virtual_time(answer_of(Path(sys.argv[1]), sys.argv[2])))
