"""A bare model with a shell as the agent of an exported task: nothing but the page, bash and redis-cli.

    OPENAI_BASE_URL=... OPENAI_API_KEY=... python -m evals.export.adapters.shell MODEL

It speaks OpenAI's chat completions, has one tool, and ends when the model stops calling it or a bound is reached.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from evals.export.adapters.loop import MOST_TURNS, Tool, solve
from tools.records import Record

SYSTEM = "You work by calling the tool `shell`. When answer.json is written, say so and call it no more."


class Bounds(Record):
    """What a command may use up."""

    seconds: float = 30.0
    characters: int = 12_000
    """Of its output; the middle of a longer one is left out."""


def shell(folder: Path, bounds: Bounds) -> Tool:
    """A shell in a folder."""

    async def call(given: Mapping[str, Any]) -> str:
        return await run(given["command"], folder, bounds)

    about = "Run a command with bash, in the folder of the task. Long output is cut in its middle."
    return Tool(about, {"command": "string"}, call, needs=("command",))


async def run(command: str, folder: Path, bounds: Bounds) -> str:
    """The output of a command, its errors among it, and how it ended."""
    process = await asyncio.create_subprocess_exec(
        "timeout", "--signal=KILL", f"{bounds.seconds}", "bash", "-c", command, cwd=folder,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    head, tail, dropped = b"", b"", 0
    half = bounds.characters // 2
    while chunk := await process.stdout.read(65536):
        head, rest = (head + chunk)[:half], (head + chunk)[half:]
        dropped += max(0, len(tail) + len(rest) - half)
        tail = (tail + rest)[-half:]
    status = await process.wait()
    left_out = f"\n[{dropped} bytes are left out]\n" if dropped else ""
    killed = status in (-9, 137)
    ended = "" if status == 0 else f"\n[ended after {bounds.seconds:g} s]" if killed else f"\n[status {status}]"
    return f"{head.decode(errors='replace')}{left_out}{tail.decode(errors='replace')}{ended}" or "[no output]"


def main(argv: list[str], folder: Path) -> int:
    """Solve the task of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--turns", type=int, default=MOST_TURNS)
    given = parser.parse_args(argv)
    page = (folder / "instruction.md").read_text(encoding="utf-8")

    async def once() -> str:
        async with AsyncOpenAI() as client:
            return await solve(client, given.model, SYSTEM, page, {"shell": shell(folder, Bounds())}, given.turns)

    print(asyncio.run(once()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
