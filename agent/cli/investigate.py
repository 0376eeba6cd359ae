"""An investigation on the command line: progress on stderr, the answer on stdout, then the steps."""

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import FrameType

from rich.console import Console

from agent.answer.diagnosis import Diagnosis
from agent.cli.hard_stop import GRACE, hard_stop
from agent.cli.inputs import PrintedInputs
from agent.cli.program import ANSWERED, INTERRUPTED
from agent.investigation.investigation import Investigation
from agent.investigation.model_stage import show_prompt
from agent.investigation.pipeline import Setup, look, run
from agent.remediation.approval import Decisions
from agent.remediation.audit import ForbiddenLog, audit_log, change_log, note_proposals
from agent.remediation.site import site_of
from agent.remediation.terminal import TerminalApprover
from agent.report.progress import Progress
from agent.report.render import markdown, text
from tools.clock import Clock
from tools.errors import Unlogged

Finish = Callable[[Investigation, ForbiddenLog], Awaitable[int]]
"""Does with a finished investigation what is to be done; the exit status."""
Print = Callable[[Investigation, Diagnosis], None]
"""Prints an answer."""


async def investigate(setup: Setup, clock: Clock, finish: Finish, print_: Print, *, prompt_only: bool = False) -> int:
    """One investigation with its progress on stderr; the exit status.

    `finish` does with the answer what is to be done, and gives the status; `print_` prints what was known at an
    interruption. With `prompt_only` nothing is sent to a model: what would be is printed.
    """
    errors = Console(stderr=True)
    if setup.target.tls and setup.target.tls.insecure:
        errors.print("rediagnose: warning: --insecure: the server's certificate isn't verified", highlight=False)
    progress = Progress(errors)
    forbidden = ForbiddenLog(progress)
    incident = setup.investigation(clock, forbidden)

    def give(ended: bool) -> int:
        with contextlib.suppress(Exception):
            progress.pause()
        answer = incident.answer(interrupted=True) if ended else incident.cut_off()
        print_(incident, answer)
        incident.equipment.close_recording()
        return INTERRUPTED if ended else ANSWERED

    try:
        with progress, ended_by(signal.SIGTERM), hard_stop(setup.options.deadline + GRACE, give):
            if prompt_only:
                await look(incident, setup.model.use)
                print(show_prompt(incident, setup.model))
                return ANSWERED
            await run(incident, setup.model)
        return await finish(incident, forbidden)
    except asyncio.CancelledError:
        await incident.round_off()
        print_(incident, incident.answer(interrupted=True))
        return INTERRUPTED
    finally:
        await incident.close()


class Presenter:
    """Prints the answer, and asks about its steps where a person is there to say yes."""

    def __init__(self, inputs: PrintedInputs) -> None:
        self._inputs = inputs
        self._out = Console()
        self._asks = inputs.approve == "ask" and sys.stdin.isatty() and sys.stderr.isatty()

    async def finish(self, incident: Investigation, forbidden: ForbiddenLog) -> int:
        """Print the answer, then ask about each step that could be made."""
        # Before anything is asked: a recording holds the plan then, whatever becomes of this process.
        answer = incident.answer()
        asks = self._asks and bool(incident.planned.changes)
        is_text = self._inputs.format == "text"
        if is_text or not asks:
            self.print(incident, answer)
        logged = note(incident, forbidden, self._inputs.audit)
        if asks and logged:
            await self._decide(incident)
        if asks and not is_text:
            self.print(incident, incident.answer() if logged else answer)
        return ANSWERED

    async def _decide(self, incident: Investigation) -> None:
        asker = Console(stderr=True)

        def show(line: str) -> None:
            asker.print(line, markup=False, highlight=False, soft_wrap=True)

        site = site_of(incident, change_log(self._inputs.audit, self._inputs.record))
        await Decisions(incident, site, TerminalApprover(asker), show, "terminal").all(offer_undo=True)

    def print(self, incident: Investigation, answer: Diagnosis) -> None:
        """Print an answer in the form that was asked for."""
        if self._inputs.format == "json":
            print(answer.to_json())
        elif self._inputs.format == "markdown":
            print(markdown(answer))
        else:
            revealed = incident.pseudonyms.revealed() if self._inputs.reveal else None
            _coloured(self._out, text(answer, spark=self._out.is_terminal, revealed=revealed))
        sys.stdout.flush()


def note(incident: Investigation, forbidden: ForbiddenLog, audit: Path | None) -> bool:
    """Write down what was proposed; whether it could be, without which nothing is applied."""
    try:
        note_proposals(incident, forbidden, audit_log(audit))
    except Unlogged as error:
        print(f"rediagnose: no step can be applied: {error}", file=sys.stderr)
        return False
    return True


def _coloured(out: Console, answer: str) -> None:
    if not out.is_terminal:
        print(answer)
        return
    styles = ("bold red", "bold green", "bold yellow")
    for number, line in enumerate(answer.splitlines()):
        style = styles[number] if number < len(styles) else None
        out.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def ended_by(number: signal.Signals) -> Iterator[None]:
    """A signal ends the investigation as Ctrl-C does: with what was found so far."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    cancel = task.cancel

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(cancel)

    before = signal.signal(number, end) if threading.current_thread() is threading.main_thread() else None
    try:
        yield
    finally:
        if before is not None:
            signal.signal(number, before)
