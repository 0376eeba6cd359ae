"""`rediagnose chat`: an incident as a conversation."""

import asyncio
import signal
import sys
import traceback
from collections.abc import Coroutine

from agent.answer.diagnosis import OFFLINE
from agent.chat import shown
from agent.chat.line import Pipe, Terminal
from agent.chat.session import Session
from agent.chat.slash import COMMANDS, Chat, words_for
from agent.cli.inputs import ChatInputs
from agent.cli.interruption import Interruption, interruptible
from agent.cli.program import ANSWERED, INTERRUPTED
from agent.cli.streams import reader_left
from agent.remediation.terminal import TerminalApprover
from agent.report.console import Console
from tools.clock import SystemClock
from tools.errors import RediagnoseError
from tools.record.recorder import must_be_new


async def chat(inputs: ChatInputs) -> int:
    """Talk until the end of the input. Raises `UsageError` for input that can't be used."""
    target, symptom = inputs.target_and_symptom()
    setup = inputs.setup(target, symptom, SystemClock())
    if inputs.record:
        must_be_new(inputs.record)
    console, there = Console(), sys.stdin.isatty() and sys.stdout.isatty()
    approver = TerminalApprover(console) if there and inputs.approve == "ask" else None
    session = Session(setup, console, audit=inputs.audit, approver=approver)
    talk = Chat(session)
    lines = Terminal(COMMANDS, lambda name: words_for(talk, name)) if there else Pipe(console)
    use = setup.model.use
    how = "checks alone" if use.name == OFFLINE else f"model {use.name}"
    shown.say(console, f"rediagnose: {target.url}, {how} ({use.why}). /help lists the commands.")
    if target.tls and target.tls.insecure:
        shown.say(console, "warning: --insecure: the server's certificate isn't verified", "yellow")
    try:
        with interruptible() as interruption:
            if inputs.resume:
                await _work(talk, f"/resume {inputs.resume}")
            if interruption.has_come():
                return INTERRUPTED
            if symptom and session.incident is None:
                await _work(talk, symptom)
            elif not inputs.resume:
                shown.say(console, "What was reported? (the ticket's words, an error, a stack trace)")
            await _converse(talk, lines, interruption)
            if interruption.has_come():
                return INTERRUPTED
    except asyncio.CancelledError:
        # A signal. What is written down is closed as at any other end; the terminal may be gone.
        return INTERRUPTED
    finally:
        await session.close()
        if session.lost:
            shown.say(console, f"not recorded in full: {session.lost}", "red")
    if session.incident:
        shown.parting(console, [*session.incident.planned.steps, *session.incident.planned.done])
        ending = f"recorded: {session.file}" if session.is_kept else "not recorded; /record FILE would have kept it"
        shown.say(console, ending, "dim")
    return ANSWERED


async def _converse(talk: Chat, lines: Terminal | Pipe, interruption: Interruption) -> None:
    # A signal that came while work was done has ended that: the work itself rounds it off.
    while not (talk.over or interruption.has_come() or reader_left()) and (text := await lines.line()) is not None:
        await _work(talk, text)


async def _work(talk: Chat, text: str) -> None:
    """Do what a line asks for. Neither Ctrl-C nor a fault of ours ends the conversation; what can't be done is said."""
    try:
        await _interruptible(talk.take(text))
    except RediagnoseError as error:
        shown.say(talk.session.console, str(error), "red")
    except BrokenPipeError:
        raise
    except Exception:
        traceback.print_exc()
        shown.say(talk.session.console, "that is a bug; the conversation goes on", "red")


async def _interruptible(work: Coroutine[object, object, None]) -> None:
    task = asyncio.ensure_future(work)
    with interruptible(task, (signal.SIGINT,)):
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                # Not this work but the whole is to end.
                task.cancel()
                raise
