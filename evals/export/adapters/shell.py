"""A bare model with a shell as the agent of an exported task: nothing but the page, bash and redis-cli.

    OPENAI_BASE_URL=... OPENAI_API_KEY=... python -m evals.export.adapters.shell MODEL

It speaks OpenAI's chat completions, has one tool, and ends when the model stops calling it or a bound is reached.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from tools.records import Record

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "shell",
        "description": "Run a command with bash, in the folder of the task. The output is cut where it's long.",
        "parameters": {
            "type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"],
            "additionalProperties": False,
        },
    },
}  # fmt: skip
SYSTEM = "You work by calling the tool `shell`. When answer.json is written, say so and call it no more."


class Bounds(Record):
    """What a model may use up."""

    turns: int = 40
    seconds: float = 30.0
    """Of a command."""
    characters: int = 12_000
    """Of a command's output; the middle of a longer one is left out."""


async def solve(client: AsyncOpenAI, model: str, page: str, folder: Path, bounds: Bounds) -> int:
    """Let a model look; returns the number of its turns."""
    messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": page}]
    for turn in range(1, bounds.turns + 1):
        reply = await client.chat.completions.create(model=model, messages=messages, tools=[TOOL])
        message = reply.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        if not message.tool_calls:
            return turn
        for call in message.tool_calls:
            # Whatever kind of call it is, it has to be answered.
            arguments = call.function.arguments if call.type == "function" else ""
            output = await _called(arguments, folder, bounds)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": output})
    return bounds.turns


async def _called(arguments: str, folder: Path, bounds: Bounds) -> str:
    try:
        command = json.loads(arguments)["command"]
        assert isinstance(command, str)
    except (ValueError, KeyError, TypeError, AssertionError):
        return 'give one string: {"command": "..."}'
    return await run(command, folder, bounds)


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
    ended = "" if status == 0 else f"\n[ended after {bounds.seconds:g} s]" if status == -9 else f"\n[status {status}]"
    return f"{head.decode(errors='replace')}{left_out}{tail.decode(errors='replace')}{ended}" or "[no output]"


def main(argv: list[str], folder: Path) -> int:
    """Solve the task of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--turns", type=int, default=Bounds().turns)
    given = parser.parse_args(argv)
    page = (folder / "instruction.md").read_text(encoding="utf-8")

    async def once() -> int:
        async with AsyncOpenAI(max_retries=2) as client:
            return await solve(client, given.model, page, folder, Bounds(turns=given.turns))

    print(f"{asyncio.run(once())} turns")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
