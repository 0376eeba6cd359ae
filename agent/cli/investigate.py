"""An investigation on the command line: progress on stderr, the answer on stdout, then the steps."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator

from rich.console import Console

from agent.answer.diagnosis import OFFLINE, Diagnosis
from agent.cli.inputs import asking_of, options_of, outside_of, path_of
from agent.cli.program import ANSWERED, INTERRUPTED
from agent.investigation.interruption import round_off
from agent.investigation.investigation import Investigation
from agent.investigation.model_stage import show_prompt, think
from agent.model.selection import choose
from agent.remediation.approval import settle, terminal, undoing
from agent.remediation.audit import ForbiddenLog, audit_of, log_of, note_proposals
from agent.report.progress import Progress
from agent.report.render import markdown, text
from agent.runbooks.library import load
from tools.clock import SystemClock
from tools.connection.target import Target
from tools.errors import Unlogged

Finish = Callable[[argparse.Namespace, Investigation, ForbiddenLog, Console], Awaitable[int]]
"""Does with a finished investigation what is to be done; the exit status."""


Show = Callable[[argparse.Namespace, Investigation, Diagnosis, Console], None]
"""Prints an answer."""


async def investigate(
    args: argparse.Namespace, target: Target, symptom: str, finish: Finish | None = None, show: Show | None = None
) -> int:
    """One investigation with its progress on stderr and its answer on stdout; the exit status.

    `finish` does with the answer what is to be done, and gives the status; `show` prints what was known at an
    interruption. Raises `UsageError` for options that can't be used.
    """
    if target.tls:
        target.tls.context()
    use = choose(args.model)
    library = load(path_of(args.runbooks))
    options = options_of(args, use)
    out = Console()
    errors = Console(stderr=True)
    progress = Progress(errors)
    if target.tls and target.tls.insecure:
        errors.print("rediagnose: warning: --insecure: the server's certificate isn't verified", highlight=False)
    clock, heard = SystemClock(), ForbiddenLog(progress)
    incident = Investigation(target, symptom, library, clock, heard, options, outside_of(args, target, clock))
    asking = asking_of(args)
    try:
        with progress, ended_by(signal.SIGTERM):
            incident.start(use)
            verdict = await incident.survey()
            if args.show_prompt:
                print(show_prompt(incident, asking))
                return ANSWERED
            if use.name != OFFLINE:
                verdict = await think(incident, verdict, asking)
            await incident.plan(verdict)
        return await (finish or _finish)(args, incident, heard, out)
    except asyncio.CancelledError:
        await round_off(incident)
        (show or _print)(args, incident, incident.answer(interrupted=True), out)
        return INTERRUPTED
    finally:
        await incident.close()


async def _finish(args: argparse.Namespace, incident: Investigation, heard: ForbiddenLog, out: Console) -> int:
    """Print the answer, and ask about its steps where a person is there to say yes."""
    asker = Console(stderr=True)

    def show(line: str) -> None:
        asker.print(line, markup=False, highlight=False, soft_wrap=True)

    # Told before anything is asked: a recording holds the plan then, whatever becomes of this process.
    answer = incident.answer()
    asks = _asks(args) and bool(incident.planned.changes)
    if args.format == "text" or not asks:
        _print(args, incident, answer, out)
    if not noted(args, incident, heard):
        asks = False
        if args.format != "text" and _asks(args) and incident.planned.changes:
            _print(args, incident, answer, out)
    if asks:
        log = log_of(args, path_of(args.record))
        await settle(incident, terminal(asker), show, channel="terminal", log=log, undo=undoing(asker))
        if args.format != "text":
            _print(args, incident, incident.answer(), out)
    return ANSWERED


def noted(args: argparse.Namespace, incident: Investigation, heard: ForbiddenLog) -> bool:
    """Write down what was proposed; whether it could be, without which nothing is applied."""
    try:
        note_proposals(incident, heard, audit_of(args))
    except Unlogged as error:
        print(f"rediagnose: no step can be applied: {error}", file=sys.stderr)
        return False
    return True


def _asks(args: argparse.Namespace) -> bool:
    return args.approve == "ask" and sys.stdin.isatty() and sys.stderr.isatty()


def _print(args: argparse.Namespace, incident: Investigation, answer: Diagnosis, out: Console) -> None:
    if args.format == "json":
        print(answer.to_json())
    elif args.format == "markdown":
        print(markdown(answer))
    else:
        revealed = incident.pseudonyms.revealed() if args.reveal else None
        _coloured(out, text(answer, spark=out.is_terminal, revealed=revealed))
    sys.stdout.flush()


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
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(number)
