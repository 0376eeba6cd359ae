"""A recorded incident that the program is pointed at as at a server, where no real one is needed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from evals.scoring.scenario import BUNDLED, load
from tools.record.load import load as recording
from tools.record.playhead import Moment
from tools.record.serve import Served, serving
from tools.record.tape import Tape


class Replayed(NamedTuple):
    """An endpoint that answers as the recorded server did at the recording's end."""

    url: str
    node: str
    served: Served

    @property
    def refused(self) -> set[str]:
        """The commands that it was sent and that nobody had recorded, such as config|set."""
        return set(self.served.misses)


def recorded(fault: str) -> Path:
    """The first bundled recording of a fault of the lab."""
    return BUNDLED / next(one.file for one in load(BUNDLED) if one.fault == fault)


@asynccontextmanager
async def replayed(fault: str) -> AsyncIterator[Replayed]:
    """That recording, served."""
    tape = Tape(recording(recorded(fault)))
    async with serving(tape, Moment(at=tape.ends)) as served:
        node = f"127.0.0.1:{next(iter(served.ports.values()))}"
        yield Replayed(f"redis://{node}", node, served)
