"""`rediagnose capture`: the full diagnostic state of a deployment, in a file."""

import asyncio
import sys
from pathlib import Path

from agent.answer.diagnosis import OFFLINE
from agent.answer.events import Event
from agent.cli.hard_stop import GRACE, hard_stop
from agent.cli.interruption import interruptible
from agent.cli.machine import sources_with_machine
from agent.cli.other_inputs import CaptureInputs
from agent.cli.program import ANSWERED, INTERRUPTED, NOTHING
from agent.investigation.investigation import Investigation
from agent.investigation.pipeline import look
from agent.investigation.sources import Options
from agent.model.selection import choose
from agent.recordings.capture import Captured, capture
from agent.runbooks.library import load
from tools.clock import SystemClock
from tools.text import one_line

BESIDES = 90.0
"""Seconds for the first readings and the whole states at the start and end."""
PASSED = "THE DEADLINE PASSED"


async def capture_(inputs: CaptureInputs) -> int:
    """Record, and report in one line what was recorded. Raises `UsageError` for input that can't be used."""
    target, symptom = inputs.target_and_symptom()
    clock = SystemClock()
    if target.tls and target.tls.insecure:
        _tell("warning: --insecure: the server's certificate isn't verified")
    options = Options(window=inputs.window, one_node=inputs.one_node)
    # It's a record of what the servers said; conclusions come later.
    sources = await sources_with_machine(inputs.sources(target, clock, events=False), inputs, target, symptom)
    incident = Investigation(target, symptom, load(), clock, _ignore, options, sources)
    assert incident.recorder is not None
    work = asyncio.ensure_future(_recorded(incident, inputs))
    done: Captured | None = None
    recorder, seconds = incident.recorder, inputs.deadline or inputs.duration + BESIDES
    passed = False

    def give(ended: bool) -> int:
        recorder.close()
        print(one_line(_summary(inputs.record, incident, None, "INTERRUPTED" if ended else PASSED)))
        return INTERRUPTED if ended else NOTHING

    with interruptible(), hard_stop(seconds + GRACE, give):
        try:
            async with asyncio.timeout(seconds):
                done = await asyncio.shield(work)
        except (TimeoutError, asyncio.CancelledError) as error:
            passed = isinstance(error, TimeoutError)
            # Closed first: what is abandoned from here on must not look like the server's silence.
            recorder.close()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        finally:
            await incident.close()
    broken_off = NOTHING if done or passed else INTERRUPTED
    if recorder.lost:
        _tell(f"not recorded in full: {recorder.lost}")
        return broken_off
    print(one_line(_summary(inputs.record, incident, done, PASSED if passed else "INTERRUPTED")))
    sys.stdout.flush()
    return ANSWERED if done else broken_off


async def _recorded(incident: Investigation, inputs: CaptureInputs) -> Captured:
    _tell("the first readings, as a triage takes them")
    await look(incident, choose(OFFLINE))
    return await capture(incident, inputs.duration, inputs.every, tell=_tell)


def _summary(path: Path, incident: Investigation, done: Captured | None, why: str) -> str:
    cost, nodes = incident.budget.footprint, len(incident.nodes)
    seconds = incident.clock.monotonic() - incident.began
    silent = f" ({done.answered} answered at the end)" if done and done.answered < nodes else ""
    return (
        f"{path}: {path.stat().st_size} bytes, {seconds:.1f} s, {nodes} node{'' if nodes == 1 else 's'}{silent}, "
        f"{cost.commands} of at most {cost.budget.commands} commands, {cost.pings} of {cost.budget.pings} PINGs"
        f"{'' if done else f'; {why}, it ends there'}"
    )


def _tell(line: str) -> None:
    print(one_line(f"rediagnose: {line}"), file=sys.stderr, flush=True)


def _ignore(event: Event) -> None:
    pass
