"""`rediagnose check`: all targets in one table, worst first."""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from agent.cli.check_inputs import CheckInputs
from agent.cli.hard_stop import GRACE, hard_stop
from agent.cli.interruption import interruptible
from agent.cli.program import INTERRUPTED, NOTHING
from agent.fleet.look import Fleet, Member
from agent.fleet.records import Line, Report
from agent.report.plain import lines_on
from agent.runbooks.library import load
from agent.tracing.listener import of_this_process
from tools.clock import SystemClock
from tools.past.history import usual_file

DISCOVERY = 90.0
"""Seconds for finding the targets, in addition to those for examining them."""


async def check(inputs: CheckInputs) -> int:
    """Examine all targets and print the table. Raises `UsageError` for input that can't be used."""
    options, errors = inputs.options(), lines_on(stderr=True)
    if inputs.insecure:
        errors.say("rediagnose: warning: --insecure: the servers' certificates aren't verified")
    fleet: Fleet | None = None

    def give(ended: bool) -> int:
        if fleet is None:
            errors.say("rediagnose check: the list of targets didn't arrive in time; nothing was examined")
            return INTERRUPTED if ended else NOTHING
        found = fleet.report()
        _print(inputs, found)
        return INTERRUPTED if ended else inputs.status(found)

    with interruptible() as interruption, hard_stop(DISCOVERY + GRACE, give) as stop:
        try:
            members = await asyncio.to_thread(_with_the_past, await inputs.members())
            stop.begin(inputs.total_deadline + GRACE)
            with _progress(len(members), quiet=inputs.quiet) as heard:
                fleet = Fleet(
                    members=members, library=load(), options=options, jobs=inputs.jobs,
                    seconds=inputs.total_deadline, clock=SystemClock(), heard=heard, listen=of_this_process(),
                )  # fmt: skip
                found = await fleet.look()
        except asyncio.CancelledError:
            interruption.closing = True
            return give(True)
        _print(inputs, found)
        return inputs.status(found)


def _with_the_past(members: Sequence[Member]) -> Sequence[Member]:
    """The members with what `serve` knows on this machine of their growth over hours, if it watches them."""
    with contextlib.suppress(OSError):
        if (kept := usual_file()).is_file():
            # They load SQLite.
            from agent.watch.checks import with_growth
            from tools.past.stored import Reader

            return with_growth(members, Reader(kept), SystemClock().now().timestamp())
    return members


@contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Callable[[Line, int], None]]:
    """A progress line on a terminal, and nothing elsewhere."""
    lines = lines_on(stderr=True)
    if quiet or not lines.is_terminal:
        yield lambda line, left: None
        return
    from agent.report.console import Console, moving_line, show_moving

    moving, faults = moving_line(cast(Console, lines), f"checking {total} targets"), 0

    def heard(line: Line, left: int) -> None:
        nonlocal faults
        faults += line.level == "incident"
        show_moving(moving, f"{total - left} of {total} targets checked, {faults} faulty; last: {line.name}")

    with moving:
        yield heard


def _print(inputs: CheckInputs, found: Report) -> None:
    """Print the table in the requested format."""
    if inputs.format == "json":
        print(found.to_json())
    elif inputs.format == "html":
        from agent.fleet.page import html

        print(html(found), end="")
    else:
        from agent.fleet.text import WIDTH, as_markdown, table

        if inputs.format == "markdown":
            print(as_markdown(found, quiet=inputs.quiet), end="")
        else:
            out, width = lines_on(), shutil.get_terminal_size((WIDTH, 24)).columns
            for line in table(found, width=width, detail=inputs.verbose, quiet=inputs.quiet):
                out.say(line.text, line.style)
    sys.stdout.flush()
