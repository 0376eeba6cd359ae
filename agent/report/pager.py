"""Output that is longer than the terminal goes through a pager, as git's does."""

import io
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

from agent.report.console import Console
from agent.report.sections import Styled
from tools.terminal import paged

USUAL = "less"
LESS = "FRX"
"""Options for less: quit if everything fits on one screen, keep colours, don't clear the screen."""
Which = Callable[[str], str | None]
"""Finds a program by name."""
NONE = ("", "cat")
"""Values of PAGER that mean no pager."""


def pager_command(environ: Mapping[str, str], which: Which = shutil.which) -> tuple[str, ...]:
    """The pager's command line as words; empty if the environment disables it or none is installed."""
    named = environ.get("REDIAGNOSE_PAGER", environ.get("PAGER"))
    if named is None:
        return (USUAL,) if which(USUAL) else ()
    if named.strip() in NONE:
        return ()
    try:
        words = tuple(shlex.split(named))
    except ValueError:
        return ()
    return words if words and which(words[0]) else ()


def page(lines: Sequence[Styled], command: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Show lines in a pager; returns whether it could be started. The reader may quit it at any time."""
    text = io.StringIO()
    console = Console(cleaned=paged(text))
    for line in lines:
        console.say(line.text, line.style)
    given = {
        **environ, "LESS": environ.get("LESS", LESS), "LESSCHARSET": environ.get("LESSCHARSET", "utf-8"),
    }  # fmt: skip
    try:
        pager = subprocess.Popen(command, stdin=subprocess.PIPE, env=given, text=True, encoding="utf-8")
    except OSError:
        return False
    # Ctrl-C belongs to the pager: it ends a search, not this program.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pager.communicate(text.getvalue())
    finally:
        signal.signal(signal.SIGINT, before)
    return True
