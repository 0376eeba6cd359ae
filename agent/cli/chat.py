"""`rediagnose chat`: an incident as a conversation."""

import argparse
import asyncio
import contextlib
import signal
import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path

from rich.console import Console

from agent.answer.diagnosis import OFFLINE
from agent.chat import shown
from agent.chat.line import Pipe, Terminal
from agent.chat.session import Session
from agent.chat.slash import COMMANDS, Chat, words_for
from agent.cli.inputs import asking_of, options_of, outside_of, path_of, target_of
from agent.cli.investigate import ended_by
from agent.cli.program import ANSWERED, INTERRUPTED
from agent.model.selection import choose
from agent.runbooks.library import load
from tools.clock import SystemClock
from tools.errors import RediagnoseError
from tools.record.recorder import must_be_new


async def chat(args: argparse.Namespace) -> int:
    """Talk until the end of the input. Raises `UsageError` for input that can't be used."""
    target, symptom = target_of(args)
    use = choose(args.model)
    console, there = Console(), sys.stdin.isatty() and sys.stdout.isatty()
    outside = outside_of(args, target, SystemClock())
    if args.record:
        must_be_new(Path(args.record))
    library = load(path_of(args.runbooks))
    session = Session(args, target, use, asking_of(args), options_of(args, use), outside, library, console, None)
    talk = Chat(session)
    lines = Terminal(COMMANDS, lambda name: words_for(talk, name)) if there else Pipe(console)
    session.yes = lines.yes if args.approve == "ask" else None
    how = "checks alone" if use.name == OFFLINE else f"model {use.name}"
    shown.say(console, f"rediagnose: {target.url}, {how} ({use.why}). /help lists the commands.")
    if target.tls and target.tls.insecure:
        shown.say(console, "warning: --insecure: the server's certificate isn't verified", "yellow")
    try:
        with ended_by(signal.SIGTERM), ended_by(signal.SIGHUP):
            if args.resume:
                await _work(talk, f"/resume {args.resume}")
            if symptom and session.incident is None:
                await _work(talk, symptom)
            elif not args.resume:
                shown.say(console, "What was reported? (the ticket's words, an error, a stack trace)")
            await _converse(talk, lines)
    except asyncio.CancelledError:
        # A signal. What is written down is closed as at any other end; the terminal may be gone.
        return INTERRUPTED
    finally:
        await session.close()
    if session.incident:
        shown.parting(console, [*session.incident.planned.steps, *session.incident.planned.done])
        kept = f"recorded: {session.file}" if session.kept else "not recorded; /record FILE would have kept it"
        shown.say(console, kept, "dim")
    return ANSWERED


async def _converse(talk: Chat, lines: Terminal | Pipe) -> None:
    while not talk.over and (text := await lines.line()) is not None:
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
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            # Not this work but the whole is to end.
            task.cancel()
            raise
    finally:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
