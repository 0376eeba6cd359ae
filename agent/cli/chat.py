"""`rediagnose chat`: an incident as a conversation."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from agent.answer.diagnosis import OFFLINE
from agent.chat import kept, shown
from agent.chat.line import Pipe, Terminal
from agent.chat.resumed import past
from agent.chat.session import Session
from agent.chat.slash import COMMANDS, Chat, words_for
from agent.cli.hard_stop import FOREVER, GRACE, PASSED, HardStop, hard_stop
from agent.cli.interruption import Interruption, interruptible
from agent.cli.machine import with_machine
from agent.cli.other_inputs import ChatInputs
from agent.cli.program import ANSWERED, INTERRUPTED
from agent.cli.streams import reader_left
from agent.cli.unhurried import Unhurried
from agent.remediation.terminal import TerminalApprover
from agent.report.console import Console
from tools.clock import SystemClock
from tools.connection.target import Target
from tools.errors import RediagnoseError, UsageError, bug
from tools.record.recorder import must_be_new

CLOSES = 5.0
"""Seconds for releasing the servers and the model at the end."""


def chat(inputs: ChatInputs) -> int | Coroutine[Any, Any, int]:
    """Talk until the end of the input. Raises `UsageError` for input that can't be used."""
    if "-" in inputs.paste:
        raise UsageError("--paste -: a conversation reads standard input itself; give a file")
    if not inputs.paste or inputs.names_server() or inputs.resume:
        return _chat(inputs)
    # It imports the replaying of recordings.
    from agent.cli.pasted import chat_about

    return chat_about(inputs, _begun)


async def _chat(inputs: ChatInputs) -> int:
    resumed = resumed_file(inputs)
    target, symptom = target_and_symptom(inputs, resumed)
    setup = await with_machine(inputs.setup(target, symptom, SystemClock()), inputs)
    if inputs.record:
        must_be_new(inputs.record)
    if inputs.paste:
        from agent.cli.pasted import with_then

        setup = await with_then(setup, inputs)
    return await _begun(inputs, Session(setup, Console(), audit=inputs.audit), symptom, resumed)


async def _begun(inputs: ChatInputs, session: Session, symptom: str, resumed: Path | None = None) -> int:
    """The conversation from its first line on."""
    console, there = session.console, sys.stdin.isatty() and sys.stdout.isatty()
    talk = Chat(session)
    with hard_stop(FOREVER, lambda ended: _cut_off(talk, ended), survives=True) as stop:
        if there and inputs.approve == "ask" and not session.pasted:
            session.approver = Unhurried(TerminalApprover(console), stop)
        with stop.telling(talk.decisions.break_off):
            return await _talk(resumed, talk, symptom, stop, there=there)


def resumed_file(inputs: ChatInputs) -> Path | None:
    """The recording to resume. Raises `UsageError` if the last one is requested and there is none."""
    if inputs.resume != kept.LAST:
        return Path(inputs.resume) if inputs.resume else None
    if found := kept.newest():
        return found
    raise UsageError("--resume last: no conversation has been saved yet; give a recording's file")


def target_and_symptom(inputs: ChatInputs, resumed: Path | None) -> tuple[Target, str]:
    """The server and what was reported. Raises `UsageError`.

    A conversation kept by this program itself says which server it's about. For any other recording the server has to
    be named, since an address in a file that may be anybody's is never dialled.
    """
    if resumed and kept.is_ours(resumed) and not (inputs.what or inputs.url or inputs.target_name):
        return inputs.target(past(resumed).url.replace("***@", "")), ""
    return inputs.target_and_symptom()


async def _talk(resumed: Path | None, talk: Chat, symptom: str, stop: HardStop, *, there: bool) -> int:
    session, console, target = talk.session, talk.session.console, talk.session.target
    lines = Terminal(COMMANDS, lambda name: words_for(talk, name)) if there else Pipe(console)
    use = session.use
    how = "checks alone" if use.name == OFFLINE else f"model {use.name}"
    shown.say(console, f"rediagnose: {target.url}, {how} ({use.why}). /help lists the commands.")
    if target.tls and target.tls.insecure:
        shown.say(console, "warning: --insecure: the server's certificate isn't verified", "yellow")
    try:
        with interruptible() as interruption:
            if resumed:
                await _work(talk, f"/resume {resumed}", stop)
            if interruption.has_come():
                return INTERRUPTED
            if session.pasted:
                await _interruptible(session.look(symptom), stop)
            elif symptom and session.incident is None:
                await _work(talk, symptom, stop)
            elif not resumed:
                shown.say(console, "What was reported? (the text of the ticket, an error, a stack trace)")
            await _converse(talk, lines, interruption, stop)
            if interruption.has_come():
                return INTERRUPTED
    except asyncio.CancelledError:
        # A signal. The recording is closed as at any other end; the terminal may be gone.
        return INTERRUPTED
    finally:
        stop.begin(CLOSES)
        await session.close()
        stop.begin(FOREVER)
        if session.lost:
            shown.say(console, f"not recorded in full: {session.lost}", "red")
    if session.incident:
        shown.parting(console, [*session.incident.planned.steps, *session.incident.planned.done])
        shown.say(console, _ending(session), "dim")
    return ANSWERED


def _ending(session: Session) -> str:
    """The state of the conversation, and how it continues."""
    if session.pasted:
        return "this conversation isn't kept, only what was pasted may be (/record FILE)"
    if session.file is None or session.lost:
        return "not recorded"
    if session.is_named:
        return f"recorded: {session.file}"
    return f"kept in {session.file}; rediagnose chat --resume last resumes it"


def _cut_off(talk: Chat, ended: bool) -> int:
    """Report what is known in a conversation that is stuck, and keep its recording; returns the exit status."""
    session = talk.session
    with contextlib.suppress(Exception):
        session.progress.pause()
    why = "interrupted" if ended else PASSED
    if incident := session.incident:
        shown.answer(session.console, incident.answer(interrupted=True) if ended else incident.cut_off())
        incident.equipment.close_recording()
        incident.equipment.others.kill()
    shown.say(session.console, f"rediagnose: {why}: the conversation ends here; {_ending(session)}", "red")
    return INTERRUPTED if ended else ANSWERED


async def _converse(talk: Chat, lines: Terminal | Pipe, interruption: Interruption, stop: HardStop) -> None:
    # A signal during work has ended that work, which finishes up itself.
    while not (talk.over or interruption.has_come() or reader_left()):
        # A person may take any time to type, but the editor has to be alive.
        with stop.person(FOREVER):
            text = await lines.line()
        if text is None:
            return
        await _work(talk, text, stop)


async def _work(talk: Chat, text: str, stop: HardStop) -> None:
    """Do what a line asks for.

    Neither Ctrl-C nor a bug of ours ends the conversation; what can't be done is reported.
    """
    stop.begin(talk.session.options.deadline + GRACE)
    try:
        await _interruptible(talk.take(text), stop)
    except RediagnoseError as error:
        shown.say(talk.session.console, str(error), "red")
    except BrokenPipeError:
        raise
    except Exception as error:
        shown.say(talk.session.console, f"{bug('the conversation', error)}; the conversation goes on", "red")
    finally:
        stop.begin(FOREVER)


async def _interruptible(work: Coroutine[object, object, None], stop: HardStop) -> None:
    task = asyncio.ensure_future(work)
    with interruptible(task, (signal.SIGINT,)), stop.hearing():
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                # Not just this work but everything is to end.
                task.cancel()
                raise
