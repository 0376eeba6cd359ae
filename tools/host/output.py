"""Runs a program on this machine and returns its output: bounded in time and bytes, without a terminal."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process, SubprocessStreamProtocol
from collections.abc import Mapping

from tools.errors import Unanswered, UsageError
from tools.text import one_line

_MOST_SAID = 16 << 10
"""Bytes of what the program says on its standard error."""
_OWN = ("REDIS", "REDIAGNOSE_", "OPENAI_", "AZURE_OPENAI_", "GITHUB_", "JIRA_", "PAGERDUTY_")
"""Prefixes of this program's own variables: many are secrets, and neither ssh nor kubectl needs them."""


def without_own(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without the variables that are this program's own."""
    return {key: value for key, value in environ.items() if not key.startswith(_OWN)}


async def output(
    command: tuple[str, ...], given: bytes = b"", *, deadline: float, most: int,
    environ: Mapping[str, str] = os.environ,
) -> bytes:  # fmt: skip
    """The output of a program that is given these bytes, within `deadline` seconds and `most` bytes.

    Raises `Unanswered` if it fails, `UsageError` if the program isn't here.
    """
    name, loop = command[0], asyncio.get_running_loop()
    try:
        # A session of its own: it's ended as a whole, and asks nothing of the terminal.
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(1 << 16, loop), *command, env=dict(environ), start_new_session=True
        )
    except OSError as error:
        raise UsageError(f"{one_line(name, 60)} can't be run here: {error.strerror}") from None
    process = Process(transport, protocol, loop)
    try:
        async with asyncio.timeout(deadline):
            out, said = await _exchanged(process, given, most)
            status = await process.wait()
    except TimeoutError:
        raise Unanswered("timeout", f"{one_line(name, 60)} didn't finish within {deadline:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # Its end isn't told before its pipes have ended: of what nobody reads any more, or what left that session and
        # holds one open, that would be never.
        transport.close()
        await process.wait()
    if status:
        last = one_line(said.decode(errors="replace").strip().split("\n")[-1], 300)
        detail = f"{one_line(name, 60)} ended with status {status}{f': {last}' if last else ''}"
        raise Unanswered("not-local", detail)
    return out


async def _exchanged(process: Process, given: bytes, most: int) -> tuple[bytes, bytes]:
    """What the program printed. Raises `Unanswered` for more than that may be."""
    assert process.stdin and process.stdout and process.stderr
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_given(process.stdin, given))
            out = group.create_task(_read(process.stdout, most, whole=True))
            said = group.create_task(_read(process.stderr, _MOST_SAID, whole=False))
    except* Unanswered as failed:
        raise failed.exceptions[0] from None
    return out.result(), said.result()


async def _given(writer: asyncio.StreamWriter, given: bytes) -> None:
    # A program that doesn't get there reads nothing.
    with contextlib.suppress(ConnectionError):
        writer.write(given)
        await writer.drain()
    writer.close()


async def _read(reader: asyncio.StreamReader, most: int, *, whole: bool) -> bytes:
    """What comes, up to `most` bytes; the rest is an error where the `whole` is needed, else dropped."""
    read = bytearray()
    while chunk := await reader.read(1 << 16):
        read += chunk[: most - len(read)]
        if whole and len(read) >= most:
            raise Unanswered("malformed", f"it printed more than {most >> 20} MiB")
    return bytes(read)
