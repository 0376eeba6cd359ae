"""An investigation on the command line: progress on stderr, the answer on stdout, then the steps."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from agent.answer.diagnosis import Diagnosis
from agent.cli.hard_stop import FOREVER, GRACE, HardStop, hard_stop
from agent.cli.inputs import PrintedInputs
from agent.cli.interruption import Interruption, interruptible
from agent.cli.program import ANSWERED, INTERRUPTED
from agent.investigation.investigation import Investigation
from agent.investigation.own_trouble import own_trouble
from agent.investigation.pipeline import Setup, look, run
from agent.remediation.audit import ForbiddenLog, audit_log, change_log, note_proposals
from agent.report.plain import lines_on
from agent.report.progress import Progress
from agent.report.sections import Styled
from agent.report.text import WIDTH, text_lines
from tools.clock import Clock
from tools.errors import ToolError, Unlogged
from tools.text import one_line

ROWS = 24
"""Lines of a terminal that doesn't say how many it has."""
Finish = Callable[[Investigation, ForbiddenLog, HardStop], Awaitable[int]]
"""Does what is needed with a finished investigation, in a time it sets itself; returns the exit status."""
Print = Callable[[Investigation, Diagnosis], None]
"""Prints an answer."""
Status = Callable[[Diagnosis], int]
"""The exit status for an answer that was given."""


async def investigate(
    setup: Setup, clock: Clock, finish: Finish, print_: Print, *, status: Status = lambda _: ANSWERED,
    prompt_only: bool = False,
) -> int:  # fmt: skip
    """One investigation with its progress on stderr; the exit status.

    `finish` does what is needed with the answer and returns the status. `print_` prints what was known at an
    interruption or at the deadline, for which the exit status is `status`. With `prompt_only` nothing is sent to a
    model; what would be sent is printed.
    """
    with interruptible() as interruption:
        return await _investigate(setup, clock, finish, print_, interruption, status, prompt_only=prompt_only)


async def _investigate(
    setup: Setup, clock: Clock, finish: Finish, print_: Print, interruption: Interruption, status: Status, *,
    prompt_only: bool,
) -> int:  # fmt: skip
    errors = lines_on(stderr=True)
    if setup.target.tls and setup.target.tls.insecure:
        errors.say("rediagnose: warning: --insecure: the server's certificate isn't verified")
    progress = Progress(errors)
    forbidden = ForbiddenLog(progress)
    incident = setup.investigation(clock, forbidden)

    def give(ended: bool) -> int:
        with contextlib.suppress(Exception):
            progress.pause()
        answer = incident.answer(interrupted=True) if ended else incident.cut_off()
        print_(incident, answer)
        incident.equipment.close_recording()
        incident.equipment.others.kill()
        return INTERRUPTED if ended else status(answer)

    try:
        with hard_stop(setup.options.deadline + GRACE, give) as stop:
            with progress:
                if prompt_only:
                    await look(incident, setup.model.use)
                    from agent.investigation.model_stage import show_prompt

                    await incident.equipment.others.reach()
                    print(show_prompt(incident, setup.model))
                    return ANSWERED
                await run(incident, setup.model)
            # The reader may take their time.
            stop.begin(FOREVER)
            return await finish(incident, forbidden, stop)
    except asyncio.CancelledError:
        await _rounded_off(incident)
        print_(incident, incident.answer(interrupted=True))
        return INTERRUPTED
    finally:
        interruption.closing = True
        await incident.close()
        if incident.recorder and incident.recorder.lost:
            print(f"rediagnose: not recorded in full: {incident.recorder.lost}", file=sys.stderr)


async def _rounded_off(incident: Investigation) -> None:
    """A plan for what is known, unless a second signal says that even this takes too long."""
    try:
        await incident.round_off()
    except asyncio.CancelledError:
        if task := asyncio.current_task():
            task.uncancel()


class Presenter:
    """Prints the answer, and asks about its steps if a person is there to approve."""

    def __init__(self, inputs: PrintedInputs) -> None:
        self._inputs = inputs
        self._out = lines_on()
        self._printed = False
        self._asks = inputs.approve == "ask" and sys.stdin.isatty() and sys.stderr.isatty()

    async def finish(self, incident: Investigation, forbidden: ForbiddenLog, stop: HardStop) -> int:
        """Print the answer, then ask about each step that could be made."""
        # Before anything is asked, so that a recording has the plan whatever becomes of this process.
        answer = incident.answer()
        if trouble := own_trouble(answer):
            # Nothing was learned about the incident, so nothing is said about it.
            raise ToolError(trouble)
        asks = self._asks and bool(incident.planned.changes)
        is_text = self._inputs.format == "text"
        if is_text or not asks:
            self.print(incident, answer, pages=True)
        logged = note(incident, forbidden, self._inputs.audit)
        if asks and logged:
            await self._decide(incident, stop)
        if asks and not is_text:
            self.print(incident, incident.answer() if logged else answer)
        return self._inputs.status(answer)

    async def _decide(self, incident: Investigation, stop: HardStop) -> None:
        # A person at a terminal may take any time.
        from agent.cli.unhurried import Unhurried
        from agent.remediation.approval import Decisions
        from agent.remediation.site import site_of
        from agent.remediation.terminal import TerminalApprover
        from agent.report.console import Console

        asker = Console(stderr=True)

        site = site_of(incident, change_log(self._inputs.audit, self._inputs.record))
        approver = Unhurried(TerminalApprover(asker), stop)
        decisions = Decisions(incident, site, approver, asker.say, "terminal")
        with stop.telling(decisions.break_off):
            await decisions.all(offer_undo=True)
        stop.begin(FOREVER)

    def print(self, incident: Investigation, answer: Diagnosis, *, pages: bool = False) -> None:
        """Print an answer in the requested form, once: whoever aborts a question has already read it.

        `pages` says that a person has time to page through it.
        """
        if self._printed:
            return
        self._printed = True
        if self._inputs.format == "json":
            print(answer.to_json())
        elif self._inputs.format == "markdown":
            from agent.report.markdown import markdown

            print(markdown(answer))
        elif self._inputs.format == "html":
            from agent.report.page import html

            print(html(answer), end="")
        else:
            revealed = incident.pseudonyms.revealed() if self._inputs.reveal else None
            self._print_text(answer, revealed, pages=pages)
        sys.stdout.flush()

    def _print_text(self, answer: Diagnosis, revealed: Mapping[str, str] | None, *, pages: bool) -> None:
        size = shutil.get_terminal_size((WIDTH, ROWS))
        there = self._out.is_terminal
        lines = text_lines(answer, detail=self._inputs.detail, width=size.columns, spark=there, revealed=revealed)
        if not (sys.stdout.isatty() and pages and self._inputs.pager and len(lines) >= size.lines and _paged(lines)):
            for line in lines:
                self._out.say(line.text, line.style)


def note(incident: Investigation, forbidden: ForbiddenLog, audit: Path | None) -> bool:
    """Log what was proposed; returns whether that worked, without which nothing is applied."""
    try:
        note_proposals(incident, forbidden, audit_log(audit))
    except Unlogged as error:
        print(one_line(f"rediagnose: no step can be applied: {error}"), file=sys.stderr)
        return False
    return True


def _paged(lines: Sequence[Styled]) -> bool:
    """Whether a pager showed it."""
    from agent.report.pager import page, pager_command

    command = pager_command(os.environ)
    return bool(command) and page(lines, command, os.environ)
