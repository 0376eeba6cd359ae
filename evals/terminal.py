"""A program in a real terminal, driven as a person does it: typed to, looked at. Needs tmux."""

import asyncio
import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from tools.errors import UsageError

PROMPT = ">"
"""What stands in the last line when the program waits for a person."""
POLL = 0.1
"""Seconds between two looks at the screen."""


class Terminal:
    """A terminal with one program in it."""

    def __init__(self, socket: str, environ: Mapping[str, str]) -> None:
        self._socket = socket
        self._environ = environ

    async def tmux(self, *args: str) -> str:
        """What a command of tmux prints. Raises `UsageError` where it fails."""
        process = await asyncio.create_subprocess_exec(
            "tmux", "-L", self._socket, *args, env=self._environ, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode:
            raise UsageError(f"tmux {args[0]}: {err.decode().strip()}")
        return out.decode()

    async def write(self, text: str) -> None:
        """Type text."""
        await self.tmux("send-keys", "-l", text)

    async def type(self, text: str) -> None:
        """Type a line and press Enter."""
        await self.write(text)
        await self.press("Enter")

    async def say(self, line: str) -> None:
        """Type a line at the prompt, once it's there: what is typed before may be dropped. Raises `TimeoutError`."""
        await self.ready()
        await self.type(line)

    async def press(self, *keys: str) -> None:
        """Press keys, such as C-c."""
        await self.tmux("send-keys", *keys)

    async def paste(self, text: str) -> None:
        """Paste text, as a terminal that brackets what is pasted does."""
        await self.tmux("set-buffer", text)
        await self.tmux("paste-buffer", "-p")

    async def screen(self) -> str:
        """All that was printed so far, lines that the terminal wrapped joined."""
        return await self.tmux("capture-pane", "-p", "-J", "-S", "-")

    async def until(self, text: str, *, times: int = 1, seconds: float = 30) -> str:
        """Wait until a text stands on the screen so often; the screen. Raises `TimeoutError` with what is there."""
        shown = ""
        try:
            async with asyncio.timeout(seconds):
                while (shown := await self.screen()).count(text) < times:
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise TimeoutError(f"{text!r} didn't appear {times} times within {seconds:g} s:\n{shown}") from None
        return shown

    async def ready(self, seconds: float = 30) -> None:
        """Wait until it waits for a line. Raises `TimeoutError`."""
        lines: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                while not lines or lines[-1] != PROMPT:
                    await asyncio.sleep(POLL)
                    lines = (await self.screen()).rstrip().splitlines()
        except TimeoutError:
            raise TimeoutError(f"no prompt appeared within {seconds:g} s:\n" + "\n".join(lines)) from None

    async def ended(self, seconds: float = 30) -> None:
        """Wait until the program has ended. Raises `TimeoutError`; tmux doesn't always draw that it has."""
        try:
            async with asyncio.timeout(seconds):
                while (await self.tmux("display-message", "-p", "#{pane_dead}")).strip() != "1":
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise TimeoutError(f"it didn't end within {seconds:g} s:\n{await self.screen()}") from None

    async def after(self, typed: str, seconds: float = 60) -> str:
        """Type a line and wait until it was dealt with: what was printed for it. Raises `TimeoutError`."""
        begun = len((await self.screen()).rstrip().splitlines())
        await self.type(typed)
        lines: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                while len(lines) <= begun or lines[-1] != PROMPT:
                    await asyncio.sleep(POLL)
                    lines = (await self.screen()).rstrip().splitlines()
        except TimeoutError:
            raise TimeoutError(f"{typed!r} didn't finish within {seconds:g} s:\n" + "\n".join(lines)) from None
        return "\n".join(lines[begun - 1 :])


@contextlib.asynccontextmanager
async def terminal(
    command: Sequence[str], environ: Mapping[str, str], *, width: int = 118, height: int = 50
) -> AsyncIterator[Terminal]:
    """Run a command in a terminal of its own. Raises `UsageError` where there is no tmux."""
    if shutil.which("tmux") is None:
        raise UsageError("tmux isn't installed; apt-get install tmux")
    with tempfile.TemporaryDirectory(prefix="rediagnose-tmux-") as folder:
        settings = Path(folder) / "tmux.conf"
        settings.write_text("set -g history-limit 20000\nset -g remain-on-exit on\nset -g status off\n")
        names = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
        one = Terminal(f"rediagnose-{uuid4().hex[:8]}", {**names, "TMUX_TMPDIR": folder, "LC_ALL": "C.UTF-8"})
        given = [f"{name}={value}" for name, value in environ.items()]
        size = ("-x", str(width), "-y", str(height))
        await one.tmux("-f", str(settings), "new-session", "-d", *size, shlex.join(["env", *given, *command]))
        try:
            yield one
        finally:
            with contextlib.suppress(UsageError):
                await one.tmux("kill-server")
