"""The conversation in the docs, had on a real fault in a real terminal: `python -m evals.transcript` rewrites it."""

import asyncio
import random
import re
import sys
import tempfile
from itertools import groupby

from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from evals.readme import DOCS, between
from evals.terminal import terminal

INCIDENT = "lua-busy"
READING = re.compile(r"r\d+ +\w+ +[\d.]+ ms")
SHOWN = 3
"""Readings in a row that are shown as they come by."""
WIDTH = 118


async def conversation() -> str:
    """What the terminal shows of an incident that is found, fixed and looked at again."""
    program = (sys.executable, "-m", "rediagnose", "chat")
    async with FAULTS[INCIDENT].begin(installed()[0], random.Random(7)) as incident:
        with tempfile.TemporaryDirectory() as state:
            given = {"XDG_STATE_HOME": state, "TERM": "xterm-256color"}
            async with terminal((*program, incident.url, "--model", "offline"), given, width=WIDTH) as at:
                await at.until("What was reported?")
                await at.after("Every request to Redis times out; it began all at once.")
                await at.after("/reading script")
                await at.say("/approve s1")
                await at.until("Apply it?")
                await at.after("yes")
                await at.after("/recheck")
                await at.say("/quit")
                shown = await at.until("kept in")
    # A person's own state folder is there.
    shown = shown.replace(state, "~/.local/state")
    return f"$ rediagnose chat {incident.url}\n{shown}"


def shortened(text: str) -> str:
    """The text with long runs of readings cut, and without what the terminal leaves empty."""
    lines: list[str] = []
    for is_reading, run in groupby(text.rstrip().splitlines(), key=lambda line: bool(READING.match(line))):
        rows = [row.rstrip() for row in run]
        cut = len(rows) - SHOWN if is_reading and len(rows) > SHOWN + 1 else 0
        lines += [*rows[: len(rows) - cut], *([f"… {cut} more readings"] if cut else [])]
    return "\n".join(line for line in lines if not line.startswith("Pane is dead"))


if __name__ == "__main__":
    page = DOCS / "chat.md"
    text = page.read_text(encoding="utf-8")
    block = f"```\n{shortened(asyncio.run(conversation()))}\n```"
    page.write_text(between(text, "chat", block), encoding="utf-8")
