"""The program as a process that an attack does something to, with a state of its own and nothing of this user's."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ENTRY = Path(__file__).resolve().parent.parent.parent / "rediagnose.py"
DEAD = "redis://127.0.0.1:1"
"""Where nothing listens: the quickest diagnosis that there is."""
HARD = 90.0
"""Seconds after which a try hangs."""
_SETTINGS = ("REDIS", "REDIAGNOSE_", "OPENAI_", "AZURE_", "GITHUB_", "GH_", "JIRA_", "PAGERDUTY_", "XDG_", "COVERAGE_")
"""What coverage measures writes files: a process whose disk or files are taken away would fail by that."""


class Ran(NamedTuple):
    """What came of a process."""

    status: int | None
    """Null where it hung and was ended."""
    out: bytes
    err: bytes

    @property
    def traced(self) -> bool:
        """Whether it ended in a traceback."""
        return b"Traceback" in self.err or b"Exception ignored" in self.err or b"a bug of rediagnose" in self.err

    @property
    def story(self) -> str:
        """What happened, in a line."""
        return f"status {self.status}: {(self.err or self.out)[-300:]!r}"


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment with a home below the folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    return {**kept, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "TMPDIR": str(folder), **more}


def start(
    words: Sequence[str | bytes], folder: Path, *, before: Callable[[], None] | None = None, **more: str
) -> "subprocess.Popen[bytes]":
    """Start it in the folder; `before` runs in the new process before the program does."""
    return subprocess.Popen(
        [sys.executable, str(ENTRY), *words], cwd=folder, env=environment(folder, **more), preexec_fn=before,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def ended(process: "subprocess.Popen[bytes]") -> Ran:
    """What came of it."""
    try:
        out, err = process.communicate(timeout=HARD)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return Ran(None, out, err)
    return Ran(process.returncode, out, err)
