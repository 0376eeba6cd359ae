"""The program as a user runs it: in a process of its own."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from functools import cache
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, NamedTuple

import jsonschema

from tests.warm import Warm

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = json.loads((ROOT / "agent" / "answer" / "triage.schema.json").read_text())
STATE = tempfile.TemporaryDirectory(prefix="rediagnose-state-")
"""In place of this user's own state, such as the audit log."""
SETTINGS = (
    "REDIS_URL", "REDISCLI_AUTH", "OPENAI_API_KEY", "OPENAI_BASE_URL", "REDIAGNOSE_MODEL", "NO_COLOR",
    "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "OPENAI_API_VERSION",
)  # fmt: skip


COLD = ("PYTHON", "LC_", "LANG")
"""Variables that Python itself reads at its start."""


class Done(NamedTuple):
    """What came of a run."""

    status: int
    out: str
    err: str

    def answer(self) -> dict[str, Any]:
        """The JSON on stdout, valid by the contract's schema."""
        assert self.status == 0, self.err
        parsed: dict[str, Any] = json.loads(self.out)
        jsonschema.validate(parsed, SCHEMA)
        return parsed


async def rediagnose(*args: str, said: str | None = None, **environ: str) -> Done:
    """Run it without a terminal and without this environment's own settings; `said` is what it reads."""
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    clean["XDG_STATE_HOME"] = STATE.name
    if not any(name.startswith(COLD) for name in environ):
        return await _warm(args, {**clean, **environ}, said)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "rediagnose.py"), *args, env={**clean, **environ},
        stdin=DEVNULL if said is None else PIPE, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        out, err = await process.communicate(said.encode() if said is not None else None)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


@cache
def warm() -> Warm:
    """The process that forks for each run of this test process."""
    return Warm()


async def _warm(args: tuple[str, ...], environ: dict[str, str], said: str | None) -> Done:
    read, written = zip(*(os.pipe() for _ in range(3)), strict=True)
    streams = (read[0], written[1], written[2])
    try:
        connection = warm().run(list(args), environ, streams)
    finally:
        for number in streams:
            os.close(number)
    pid: int | None = None
    try:
        tell, writer = await asyncio.open_unix_connection(sock=connection)
        pid = int(await tell.readline())
        out, err, _ = await asyncio.gather(_read(read[1]), _read(read[2]), _write(written[0], said or ""))
        status = int(await tell.readline())
        pid = None
        writer.close()
    finally:
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return Done(status, out.decode(), err.decode())


async def _read(number: int) -> bytes:
    """What comes out of a pipe until its end."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(number, "rb"))
    try:
        return await reader.read()
    finally:
        transport.close()


async def _write(number: int, said: str) -> None:
    """Write into a pipe and close it; who doesn't read it to the end has ended."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(), os.fdopen(number, "wb")
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        writer.write(said.encode())
        await writer.drain()
    writer.close()


async def until(stream: asyncio.StreamReader | None, word: bytes) -> bytes:
    """What a program printed up to the line with this word. Fails where it ends without it."""
    assert stream is not None
    printed = b""
    async with asyncio.timeout(60):
        while word not in printed:
            line = await stream.readline()
            assert line, f"it ended without {word!r}: {printed.decode(errors='replace')}"
            printed += line
    return printed


async def triage(url: str, symptom: str, *args: str, **environ: str) -> dict[str, Any]:
    """The answer of the checks alone."""
    return (
        await rediagnose("triage", url, symptom, "--model", "offline", "--format", "json", *args, **environ)
    ).answer()


def checked(answer: dict[str, Any]) -> None:
    """What holds of every answer: each citation is verified and stands in its reading, literally."""
    readings = {reading["id"]: reading for reading in answer["readings"]}
    claims = [*answer["causes"], *answer["findings"], *answer["ruled_out"]]
    for claim in claims:
        for cited in claim["evidence"]:
            assert cited["verified"], cited
            reading = readings[cited["reading"]]
            if cited["field"] == "unavailable":
                assert reading["unavailable"]["kind"] == cited["value"]
            else:
                assert reading["values"][cited["field"]] == cited["value"]
    assert (answer["outcome"] == "diagnosed") == bool(answer["causes"])
    for cause in answer["causes"]:
        assert cause["evidence"], cause
    for step in answer["plan"]:
        assert step["needs_approval"] == (step["kind"] != "outside")
        assert step["state"] == "proposed"
