"""Where a person types: a terminal with history, completion and pasting, or a pipe without any of that."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output

from agent.chat.shown import say
from agent.report.console import Console
from tools.files import must_be_regular, state_folder
from tools.redact import hide_secrets
from tools.terminal import styled

FILES = ("paste", "record", "resume")
"""Commands that take a file."""
PROMPT, MORE = "> ", "  "


class Terminal:
    """A line editor on the terminal."""

    def __init__(self, names: Iterable[str], words: Callable[[str], list[str]]) -> None:
        keys = KeyBindings()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.validate_and_handle()

        @keys.add("escape", "enter")
        @keys.add("c-j")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        self._lines: PromptSession[str] = PromptSession(
            output=create_output(styled(sys.stdout)), history=_history(), completer=_Commands(tuple(names), words),
            complete_while_typing=False, multiline=True, key_bindings=keys, prompt_continuation=MORE,
            enable_history_search=True,
        )  # fmt: skip

    async def line(self) -> str | None:
        """What a person entered, several lines if pasted; null at the end."""
        try:
            text: str = await self._lines.prompt_async(PROMPT)
        except KeyboardInterrupt:
            print("Ctrl-D or /quit ends the conversation")
            return ""
        except EOFError:
            return None
        return text


class Pipe:
    """Lines from a pipe or a file, each echoed as it's read; there is nobody to approve anything."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        # Nothing waits for this thread at the end: it may be blocked on input that never comes.
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                text = sys.stdin.readline()
            except (OSError, ValueError):
                # The terminal is gone or stdin can't be read: treat that as the end.
                text = ""
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._lines.put_nowait, text)
            if not text:
                return

    async def line(self) -> str | None:
        """The next line; null at the end."""
        if not (text := await self._lines.get()):
            return None
        say(self._console, f"{PROMPT}{text.rstrip()}")
        return text.rstrip("\n")


class _Commands(Completer):
    """Completes commands and what may follow them."""

    def __init__(self, names: tuple[str, ...], words: Callable[[str], list[str]]) -> None:
        self._names = names
        self._words = words
        self._files = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        name, space, rest = text[1:].partition(" ")
        if not space:
            yield from (Completion(f"/{one} ", -len(text)) for one in self._names if one.startswith(name))
        elif name in FILES:
            yield from self._files.get_completions(Document(rest, len(rest)), complete_event)
        else:
            yield from (Completion(one, -len(rest)) for one in self._words(name) if one.startswith(rest))


class _SafeHistory(FileHistory):
    """A file of what was typed, without anything that looks like a credential."""

    def store_string(self, string: str) -> None:
        # A full disk keeps no history, but doesn't end the conversation.
        with contextlib.suppress(OSError, ValueError):
            super().store_string(hide_secrets(string))


def _history() -> History:
    try:
        folder = state_folder()
        file = folder / "chat-history"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        must_be_regular(file)
    except OSError:
        # A conversation continues without it.
        return InMemoryHistory()
    return _SafeHistory(str(file))
