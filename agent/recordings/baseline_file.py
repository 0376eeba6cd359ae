"""Reading back a good day: its recording is investigated like an incident, before the real one begins."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agent.evidence.view import View
from agent.investigation.baseline import Baseline, has_figures
from agent.recordings.replay import case, on_virtual_time
from agent.runbooks.library import Library
from tools.errors import UsageError
from tools.record.load import load
from tools.record.tape import Tape


def read_baseline(path: Path, library: Library) -> Baseline:
    """The figures of a recording. Raises `UsageError` if it isn't one, or if no server answered in it."""
    try:
        tape = Tape(load(path))
    except UsageError as error:
        raise UsageError(f"--baseline {error}") from None
    # A thread of its own: the virtual loop can't run inside the one that may be running here.
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(on_virtual_time, _investigated(path, tape, library)).result()
    if not found.nodes:
        raise UsageError(f"--baseline {path}: it has no server's figures; record one while everything is healthy")
    return found


async def _investigated(path: Path, tape: Tape, library: Library) -> Baseline:
    async with case(tape, tape.head.symptom, library=library) as incident:
        readings = incident.readings()
        nodes = tuple(name for name in incident.nodes if has_figures(View(readings, name)))
        causes = incident.verdict.causes if incident.verdict else ()
    return Baseline(
        path=str(path), began=tape.began, readings=readings, nodes=nodes, found=tuple(cause.id for cause in causes)
    )
