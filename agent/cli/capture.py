"""`rediagnose capture`: the full diagnostic state of a deployment, in a file."""

import argparse
import asyncio
import dataclasses
import signal
import sys
from pathlib import Path

from agent.answer.diagnosis import OFFLINE
from agent.answer.events import Event
from agent.cli.inputs import DEADLINE_CHECKS, outside_of, target_of
from agent.cli.investigate import ended_by
from agent.cli.program import ANSWERED, INTERRUPTED
from agent.investigation.investigation import Investigation, Options
from agent.model.selection import choose
from agent.recordings.capture import Captured, capture
from agent.runbooks.library import load
from tools.clock import SystemClock


async def capture_(args: argparse.Namespace) -> int:
    """Record, and say in a line what was recorded. Raises `UsageError` for input that can't be used."""
    target, symptom = target_of(args)
    clock = SystemClock()
    options = Options(window=args.window, deadline=DEADLINE_CHECKS, one_node=args.one_node)
    if target.tls and target.tls.insecure:
        _tell("warning: --insecure: the server's certificate isn't verified")
    # It's a record of what the servers said; what anybody made of it comes later.
    outside = dataclasses.replace(outside_of(args, target, clock), events=False)
    incident = Investigation(target, symptom, load(), clock, _unheard, options, outside)
    assert incident.recorder is not None
    work = asyncio.ensure_future(_recorded(incident, args))
    done: Captured | None = None
    try:
        with ended_by(signal.SIGTERM):
            done = await asyncio.shield(work)
    except asyncio.CancelledError:
        # Closed first: what is given up from here on isn't the server's silence.
        incident.recorder.close()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    finally:
        await incident.close()
    print(_said(Path(args.record), incident, done))
    sys.stdout.flush()
    return ANSWERED if done else INTERRUPTED


async def _recorded(incident: Investigation, args: argparse.Namespace) -> Captured:
    incident.start(choose(OFFLINE))
    _tell("the first readings, as a triage takes them")
    await incident.survey()
    return await capture(incident, args.duration, args.every, tell=_tell)


def _said(path: Path, incident: Investigation, done: Captured | None) -> str:
    cost, nodes = incident.budget.footprint, len(incident.nodes)
    seconds = incident.clock.monotonic() - incident.began
    silent = f" ({done.answered} answered at the end)" if done and done.answered < nodes else ""
    return (
        f"{path}: {path.stat().st_size} bytes, {seconds:.1f} s, {nodes} node{'' if nodes == 1 else 's'}{silent}, "
        f"{cost.commands} of at most {cost.budget.commands} commands, {cost.pings} of {cost.budget.pings} PINGs"
        f"{'' if done else '; INTERRUPTED, it ends there'}"
    )


def _tell(line: str) -> None:
    print(f"rediagnose: {line}", file=sys.stderr, flush=True)


def _unheard(event: Event) -> None:
    pass
