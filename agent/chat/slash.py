"""The commands of a conversation; anything else is said to the model or added to the report."""

import os
import re
from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from agent.answer.diagnosis import OFFLINE
from agent.chat import shown
from agent.chat.asking import ask
from agent.chat.deciding import Deciding
from agent.chat.fixed import fixed_answer
from agent.chat.resumed import past
from agent.chat.session import Session
from agent.evidence.fields import FIGURES
from tools.errors import UsageError
from tools.patterns import deferred
from tools.records import Reading

NOTHING = "nothing has been read yet: say what was reported, or use /recheck to look without a report"
ALIKE, MEANT = 0.5, 0.8
"""Similarity at which a word is taken for a misspelt command, with and without a slash."""
_COMMAND = deferred(r"/([a-z]+)(?:\s+(.*))?", re.DOTALL)


class Slash(NamedTuple):
    """A command."""

    usage: str
    help: str
    run: Callable[["Chat", str], Awaitable[None]]


class Chat:
    """A conversation that interprets what is typed."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.decisions = Deciding(session)
        self.over = False

    async def take(self, text: str) -> None:
        """Handle what a person typed or pasted: a one-line command, or text."""
        text = text.strip()
        if text in GOODBYE:
            self.over = True
        if not text or self.over:
            return
        found = _COMMAND.fullmatch(text)
        if found is None or "\n" in text:
            # Pasted text may begin with a slash, as a path or a trap. Only a single line is a command.
            await self._say(text)
        elif found[1] not in COMMANDS:
            near = nearest(found[1]) or "help"
            shown.say(self.session.console, f"there is no /{found[1]}; did you mean /{near}? /help lists all", "yellow")
        else:
            await COMMANDS[found[1]].run(self, (found[2] or "").strip())

    async def _say(self, text: str) -> None:
        session = self.session
        if "\n" in text:
            # It imports the replaying of recordings.
            from agent.chat.pasted import add_text

            if await add_text(session, text):
                return
        if session.incident is None:
            await session.look(text)
            return
        pasted = "\n" in text
        if session.use.name != OFFLINE:
            if pasted:
                await session.reported(text)
            await ask(session, text)
        elif not pasted and (told := fixed_answer(text, session.incident.answer())) is not None:
            for line in told:
                shown.say(session.console, line)
        elif text.endswith("?") and not pasted:
            shown.say(
                session.console,
                "Without a model only these questions are answered: who? since when? why? where? what now? is it safe? "
                "what is the evidence? what wasn't seen? The rest is in /plan, /readings, /reading r1, /runbook CAUSE "
                "and /recheck. Any other words are added to the report.",
                "yellow",
            )
        elif not pasted and (near := meant_command(text)):
            shown.say(session.console, f"did you mean /{near}? Text without a slash is added to the report", "yellow")
        else:
            await session.reported(text)


def nearest(word: str) -> str | None:
    """The command most similar to a word."""
    begun = next((name for name in COMMANDS if name.startswith(word)), None)
    return begun or next(iter(get_close_matches(word, COMMANDS, 1, ALIKE)), None)


def meant_command(text: str) -> str | None:
    """The command that a few words may have meant: its name, or nearly, and at most one word after it."""
    name, *rest = text.lower().split()
    return next(iter(get_close_matches(name, COMMANDS, 1, MEANT)), None) if len(rest) <= 1 else None


async def _help(chat: Chat, _: str) -> None:
    for name, one in COMMANDS.items():
        shown.say(chat.session.console, f"  {f'/{name} {one.usage}'.strip():<24} {one.help}")
    if chat.session.use.name == OFFLINE:
        shown.say(
            chat.session.console,
            "  who? since when? why? where? what now? is it safe? what is the evidence? what wasn't seen? are answered "
            "from the readings.",
        )
    words = "is added to the report" if chat.session.use.name == OFFLINE else "goes to the model"
    shown.say(chat.session.console, f"  Anything else: the first text you type is the report; later text {words}.")
    shown.say(
        chat.session.console,
        "  You can paste several lines. Alt-Enter starts a new line, Ctrl-C interrupts, Ctrl-D ends.",
    )


async def _readings(chat: Chat, words: str) -> None:
    taken = _taken(chat)
    terms = words.split()
    found = [one for one in taken if not terms or any(word in (one.id, one.tool, one.node) for word in terms)]
    if not found:
        tools = ", ".join(dict.fromkeys(one.tool for one in taken))
        shown.say(chat.session.console, f"no reading of {words}; there are {tools}" if taken else NOTHING, "yellow")
    shown.readings(chat.session.console, found)


async def _reading(chat: Chat, words: str) -> None:
    console, taken = chat.session.console, _taken(chat)
    name, *fields = words.split() or [""]
    # A tool's name means its newest reading.
    found = next((one for one in reversed(taken) if name in (one.id, one.tool)), None)
    incident = chat.session.incident
    if found is None and name == "r0" and incident:
        shown.say(console, f"r0 symptom: {incident.symptom or '(none given)'}")
    elif found is None:
        there = f"{taken[0].id} to {taken[-1].id}" if taken else NOTHING
        shown.say(console, f"there is no reading {name!r}; there are {there}" if taken else NOTHING, "yellow")
    else:
        causes = incident.verdict.causes if incident and incident.verdict else ()
        shown.reading(console, found, fields, causes)


def _taken(chat: Chat) -> list[Reading]:
    incident = chat.session.incident
    return [one for one in incident.readings() if one.tool != "symptom"] if incident else []


async def _plan(chat: Chat, _: str) -> None:
    planned = chat.session.incident.planned if chat.session.incident else None
    steps = [*planned.steps, *planned.done] if planned else []
    if not steps:
        shown.say(chat.session.console, "there is no plan" if planned else NOTHING, "yellow")
    shown.steps(chat.session.console, steps, chat.session.several)


async def _approve(chat: Chat, words: str) -> None:
    await (chat.decisions.approve(words) if words else _plan(chat, ""))


async def _rollback(chat: Chat, words: str) -> None:
    await (chat.decisions.rollback(words) if words else _plan(chat, ""))


async def _recheck(chat: Chat, _: str) -> None:
    await chat.session.recheck()


async def _runbook(chat: Chat, words: str) -> None:
    session = chat.session
    verdict = session.incident.verdict if session.incident else None
    found = [cause.id for cause in verdict.causes] if verdict else []
    if not words:
        shown.runbooks(session.console, session.library, found)
    elif (text := session.library.text(words)) is None:
        shown.say(session.console, f"there is no runbook and no cause named {words!r}; /runbook lists them", "yellow")
    else:
        shown.runbook(session.console, text)


async def _record(chat: Chat, words: str) -> None:
    session = chat.session
    if session.is_named:
        shown.say(session.console, f"this conversation is already being recorded to {session.file}", "yellow")
    elif not words:
        shown.say(session.console, "give a new file: /record incident.rec", "yellow")
    elif session.keep_paste:
        session.keep_paste(Path(os.path.expanduser(words)))
        shown.say(session.console, f"the paste is recorded in {words}; what is said here isn't kept")
    else:
        session.keep(Path(os.path.expanduser(words)))
        shown.say(session.console, f"recording to {words}, from the beginning; /resume {words} continues it later")


async def _paste(chat: Chat, words: str) -> None:
    if not words:
        shown.say(chat.session.console, "give a file, a folder or an archive: /paste info.txt", "yellow")
        return
    # It imports the replaying of recordings.
    from agent.chat.pasted import add_files

    await add_files(chat.session, [os.path.expanduser(words)])


async def _resume(chat: Chat, words: str) -> None:
    session = chat.session
    if session.incident is not None:
        raise UsageError("an incident is already open here; start another conversation for the recorded one")
    if not words:
        raise UsageError("give a recording: /resume incident.rec")
    recorded = past(Path(os.path.expanduser(words)))
    session.resume(recorded)
    answer = recorded.answer
    report = next(iter(answer.symptom.splitlines()), "") or "(no report)"
    shown.say(session.console, f"{words}: {report} ({answer.target.url}, {_day(answer.readings)})", "bold")
    if _place(answer.target.url) != _place(session.target.url):
        shown.say(session.console, f"recorded from {answer.target.url}, but this is {session.target.url}", "yellow")
    shown.answer(session.console, answer)
    if recorded.turns:
        shown.say(session.console, f"{len(recorded.turns)} questions and answers were restored", "dim")
    shown.say(session.console, "These readings are from then. /recheck looks at the server as it is now.", "yellow")


def _place(url: str) -> str:
    return url.partition("://")[2].rpartition("@")[2].rstrip("/")


def _day(readings: tuple[Reading, ...]) -> str:
    return min((one.at for one in readings), default="no reading")


async def _reveal(chat: Chat, words: str) -> None:
    incident = chat.session.incident
    found = incident.pseudonyms.revealed() if incident else {}
    for handle, text in found.items():
        if not words or handle == words:
            shown.say(chat.session.console, f"  {handle} = {text!r}")
    if words not in ("", *found) or not found:
        shown.say(chat.session.console, f"no handle {words}".rstrip(), "yellow")


async def _quit(chat: Chat, _: str) -> None:
    chat.over = True


COMMANDS: dict[str, Slash] = {
    "help": Slash("", "these commands", _help),
    "plan": Slash("", "the steps in full: why, how to undo, how to tell that it worked", _plan),
    "approve": Slash("s1", "ask about one step; if you approve, apply and measure it", _approve),
    "rollback": Slash("s1", "undo a step that was applied here", _rollback),
    "readings": Slash("[TOOL]", "all readings, one line each", _readings),
    "reading": Slash("r4 [FIELD]", "one reading in full, or some of its fields", _reading),
    "recheck": Slash("", "read the vital signs again and show what changed", _recheck),
    "runbook": Slash("[NAME]", "show a runbook, by its name or a cause", _runbook),
    "paste": Slash("FILE", "take output that was copied from a server: INFO, SLOWLOG, a log ...", _paste),
    "record": Slash("FILE", "save this conversation, from its beginning", _record),
    "resume": Slash("FILE", "continue a recorded conversation", _resume),
    "reveal": Slash("[client#1]", "show the name behind a handle", _reveal),
    "quit": Slash("", "end (Ctrl-D)", _quit),
}
GOODBYE = ("quit", "exit", ":q", "/exit", "/q")
"""Words that also end a conversation: nobody would report them."""


def words_for(chat: Chat, name: str) -> list[str]:
    """What may follow a command, for completion; files are completed elsewhere."""
    session = chat.session
    incident = session.incident
    if name in ("approve", "rollback") and incident:
        states = ("proposed", "refused") if name == "approve" else ("applied", "verified")
        steps = (*incident.planned.steps, *incident.planned.done)
        return [step.id for step in steps if step.needs_approval and step.state in states]
    if name == "reading":
        return [one.id for one in _taken(chat)]
    if name == "readings":
        return [tool for tool in FIGURES if any(one.tool == tool for one in _taken(chat))]
    if name == "runbook":
        verdict = incident.verdict if incident else None
        causes = [cause.id for cause in verdict.causes] if verdict else []
        return [*causes, *(book.name for book in session.library.runbooks)]
    return []
