"""The program in a pseudo-terminal, and what of its bytes a terminal would obey."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent.parent / "rediagnose.py"
SEQUENCES = re.compile(
    r"\x1b\[(?:(?:[0-9]{1,2}|[34]8;5;[0-9]{1,3})?(?:;(?:[0-9]{1,2}|[34]8;5;[0-9]{1,3}))*m|[0-9;]*[A-DGHJK]"
    r"|\?(?:1|7|12|25|2004)[hl]|6n|[0-6] q)"
)
"""What the program's own libraries send."""
UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
CONCEALED = "\x1b[8m"
MARKS = (
    CONCEALED, "\x1b[30;40m", "\x1b]0;title\x07", "\x1b]8;;https://evil.example\x1b\\", "\x1b[2J", "\x1b[1A", "\x1bc",
    "\x1bP1$q\x1b\\", "\x9b8m", "\x9d0;t\x9c", "\x85", "\r", "\x08\x08", "\x07",
    "\x0b", "\x0c", "\x00", "\x7f", "\x0e",
    "\u2028", "\u2029", "\u202e", "\u202a", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c", 
    "\u200b", "\u200c", "\u200d",
    "\u2060", "\ufeff", "\U000e0041", "\U000e0101", "\ufe0f", "\u00ad", "\u3164", "\u115f", "\uffa0",
    "\u2800", "\ufff9",
    "\u034f", "\u180e", "o" + "\u0336\u0301\u0489" * 20, "[/bold]", "[link=https://evil.example]x[/link]", "[red",
    ":x:",
)  # fmt: skip
"""Every kind of mark, and the markup of the library that styles."""


def steering(printed: bytes) -> str:
    """What of the bytes a terminal would obey or not show, though it's none of ours; empty for nothing."""
    text = printed.decode(errors="backslashreplace")
    if CONCEALED in text:
        return "concealed text"
    text = SEQUENCES.sub("", text.replace("\r\n", "\n"))
    marks = 0
    for letter in text:
        kind = unicodedata.category(letter)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if (kind in ("Cc", "Cf", "Zl", "Zp") and letter not in "\n\t\r\x08") or UNSEEN.match(letter) or marks > 4:
            at = text.index(letter)
            return repr(text[max(0, at - 60) : at + 30])
    return ""


async def in_terminal(
    args: Sequence[str], environ: Mapping[str, str], cwd: Path, typed: str = "", *, seconds: float = 60,
    ends: bytes | None = None, asks: bytes | None = None,
) -> tuple[int, bytes]:  # fmt: skip
    """The status and all bytes of one run; at `ends` it's ended.

    `typed` is typed when something was printed; where `asks` is given, each time that it was.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
    words = [os.fsencode(word.replace("\0", "")) for word in (sys.executable, str(PROGRAM), *args)]
    process = await asyncio.create_subprocess_exec(
        *words, stdin=slave, stdout=slave, stderr=slave, cwd=cwd,
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(cwd), "XDG_STATE_HOME": str(cwd / "state"),
             "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environ},
    )  # fmt: skip
    os.close(slave)
    printed = bytearray()
    loop, over, answered = asyncio.get_running_loop(), asyncio.Event(), 0

    def read() -> None:
        nonlocal typed, answered
        try:
            piece = os.read(master, 65536)
        except OSError:
            piece = b""
        if not piece:
            loop.remove_reader(master)
            over.set()
            return
        printed.extend(piece)
        if asks:
            while printed.count(asks) > answered:
                os.write(master, typed.encode())
                answered += 1
        elif typed:
            os.write(master, typed.encode())
            typed = ""
        if ends and ends in printed:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()

    loop.add_reader(master, read)
    try:
        async with asyncio.timeout(seconds):
            await over.wait()
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    finally:
        loop.remove_reader(master)
        os.close(master)
    return process.returncode or 0, bytes(printed)
