"""A fault in a process of its own, so that its traffic and whoever looks at it don't hold each other up.

The process prints the incident as one line of JSON, then answers each line of its stdin with whether the symptom is
gone. It ends with its stdin, so nothing is left of it when the one that began it dies.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import IO

from evals.lab.catalogue import EVERY
from evals.lab.fault import Incident
from evals.lab.servers import LabError, ServerKind, installed
from evals.lab.worlds import surrounded
from tools.records import Record

THERE_WITHIN, GONE_WITHIN, SAYS_WITHIN = 120.0, 30.0, 60.0
"""Seconds for a fault to come up, to be torn down, and to say whether its symptom is gone."""
ROOMS = Path(__file__).resolve().parents[2]


class IncidentFacts(Record):
    """What the process says of its incident."""

    url: str
    ticket: str
    server_log: Path | None = None
    fixable: bool
    """Whether it can say that the symptom is gone."""
    gone_within: float


class Apart:
    """An incident in another process."""

    def __init__(self, process: asyncio.subprocess.Process, facts: IncidentFacts) -> None:
        self.facts = facts
        self._process = process

    async def fixed(self) -> bool:
        """Whether the application sees the symptom gone. Raises `LabError` if the fault's process is gone."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(b"fixed?\n")
        try:
            async with asyncio.timeout(SAYS_WITHIN):
                return bool(json.loads(await self._process.stdout.readline()))
        except (OSError, ValueError):
            raise LabError("the fault's process didn't say whether the symptom is gone") from None


@asynccontextmanager
async def apart(id: str, kind: str, seed: int, worlds: Sequence[str] = ()) -> AsyncIterator[Apart]:
    """A fault on a server in a process of its own, with what is around it, for as long as the block runs.

    Raises `LabError`.
    """
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "evals.lab.apart", id, kind, str(seed), *worlds, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=errors, env={**os.environ, "PYTHONPATH": str(ROOMS)},
            # Ctrl-C is for the one that began it: that one tidies up.
            start_new_session=True,
        )  # fmt: skip
        try:
            yield Apart(process, await _facts(process, errors))
        finally:
            await _end(process)
        if process.returncode:
            raise LabError(f"it couldn't be torn down: {_last(errors)}")


async def _facts(process: asyncio.subprocess.Process, errors: IO[bytes]) -> IncidentFacts:
    assert process.stdout
    try:
        async with asyncio.timeout(THERE_WITHIN):
            line = await process.stdout.readline()
    except TimeoutError:
        raise LabError(f"it wasn't ready after {THERE_WITHIN:.0f} s") from None
    if not line:
        await process.wait()
        raise LabError(_last(errors))
    return IncidentFacts.model_validate_json(line)


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin
    process.stdin.close()
    try:
        async with asyncio.timeout(GONE_WITHIN):
            await process.wait()
    except TimeoutError:
        # Its servers go with it.
        process.kill()
        await process.wait()


def _last(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "its process ended without a message"


@asynccontextmanager
async def begun(id: str, kind: ServerKind, seed: int, worlds: Sequence[str]) -> AsyncIterator[Incident]:
    """A fault with what is around it, as whoever looks is given it. Raises `LabError`."""
    async with surrounded(kind, worlds, seed) as inside, EVERY[id].begin(inside, random.Random(seed)) as incident:
        yield incident.model_copy(update={"url": inside.seen(incident.url)})


async def _hold(id: str, kind: str, seed: int, worlds: Sequence[str]) -> None:
    (server,) = (one for one in installed() if one.name == kind)
    questions: asyncio.Queue[None] = asyncio.Queue()
    holding = asyncio.create_task(_answer(begun(id, server, seed, worlds), questions))
    reader = asyncio.StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )

    async def listen() -> None:
        while await reader.readline():
            questions.put_nowait(None)
        holding.cancel()

    listening = asyncio.create_task(listen())
    try:
        await holding
    except asyncio.CancelledError:
        # Its stdin ended, and everything is gone.
        return
    finally:
        listening.cancel()
        pipe.close()


async def _answer(beginning: AbstractAsyncContextManager[Incident], questions: asyncio.Queue[None]) -> None:
    async with beginning as incident:
        facts = IncidentFacts(
            url=incident.url,
            ticket=incident.ticket,
            server_log=incident.server_log,
            fixable=incident.fixed is not None,
            gone_within=incident.gone_within,
        )
        print(facts.model_dump_json(), flush=True)
        while True:
            await questions.get()
            print(json.dumps(incident.fixed is not None and await incident.fixed()), flush=True)


def main(id: str, kind: str, seed: str, *worlds: str) -> int:
    """Have the fault until stdin ends; what failed is the last line of stderr."""
    try:
        asyncio.run(_hold(id, kind, int(seed), worlds))
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
