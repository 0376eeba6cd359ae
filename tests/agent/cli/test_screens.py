"""The answer in a real terminal: on one screen, once, with nothing of the progress left."""

import random
import shutil
import sys
from pathlib import Path

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from evals.terminal import terminal
from tests.program import ROOT

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux isn't installed"),
]
PROGRAM = (sys.executable, str(ROOT / "rediagnose.py"), "triage")
FULL = "Redis is full and turns new clients away."


async def test_a_small_terminal_holds_it_and_ctrl_c_prints_nothing_again(tmp_path: Path) -> None:
    given = {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm-256color"}
    async with (
        FAULTS["maxclients-exhausted"].begin(installed()[0], random.Random(3)) as incident,
        terminal((*PROGRAM, incident.url, "it's slow", "--model", "offline"), given, width=80, height=40) as at,
    ):
        shown = await at.until("Apply it?")
        assert shown.startswith(FULL)
        assert "readings;" not in shown and "checks alone" not in shown
        for _ in range(5):
            await at.press("C-c")
        await at.ended()
        assert (await at.screen()).count(FULL) == 1


async def test_more_than_the_terminal_holds_is_paged_and_one_line_is_one_line(tmp_path: Path) -> None:
    given = {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm-256color", "PAGER": "less"}
    dead = (*PROGRAM, "redis://127.0.0.1:1", "--model", "offline")
    async with terminal((*dead, "-vv"), given, width=80, height=20) as at:
        await at.until("\n:")
        await at.press("q")
        await at.ended()
    async with terminal((*dead, "-vv", "--no-pager"), given, width=80, height=20) as at:
        await at.ended()
        assert "Readings" in await at.screen()
    async with terminal((*dead, "-q"), given, width=200, height=20) as at:
        await at.ended()
        said = [line for line in (await at.screen()).splitlines() if line and "Pane is dead" not in line]
        assert said == ["Redis isn't running (97% sure: process-down at 127.0.0.1:1)."]
