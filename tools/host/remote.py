"""Running the host script on the server's machine, over the user's own ssh or kubectl: read-only, bounded, and
announced."""

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import Process, SubprocessStreamProtocol
from collections.abc import Mapping

from tools.errors import Unanswered, UsageError
from tools.host.facts import MOST, SCRIPT, HostFacts, parse_facts
from tools.text import one_line

DEADLINE = 30.0
"""Seconds in total: to get there, the script's own three, and its output."""
_MOST_SAID = 16 << 10
"""Bytes of what the program says on its standard error."""
_HOST = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.+-]*@)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
_POD = re.compile(rf"({_NAME})/({_NAME})(/{_NAME})?")
_OWN = ("REDIS", "REDIAGNOSE_", "OPENAI_", "AZURE_OPENAI_", "GITHUB_", "JIRA_", "PAGERDUTY_")
"""Prefixes of this program's own variables: many of them are secrets, and ssh or kubectl needs none."""
_QUIET = (
    "-T", "-a", "-x", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ControlMaster=no",
    "-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes",
)  # fmt: skip
"""No terminal, no agent, no forwarding, no question, and nothing that stays behind."""


def over_ssh(host: str, port: int, program: str = "ssh") -> tuple[str, ...]:
    """The command that runs the script on a host of the person's ssh. Raises `UsageError` for no name of a host."""
    if len(host) > 255 or not _HOST.fullmatch(host):
        raise UsageError(
            f"--ssh {one_line(host, 60)!r}: give HOST or USER@HOST, as ssh knows it (a port: in its config)"
        )
    return (program, *_QUIET, "--", host, "sh", "-s", "--", str(port))


def in_pod(pod: str, port: int, program: str = "kubectl") -> tuple[str, ...]:
    """The command that runs the script in a pod. Raises `UsageError` for what names none."""
    match = _POD.fullmatch(pod)
    if len(pod) > 400 or match is None:
        raise UsageError(f"--pod {one_line(pod, 60)!r}: give NAMESPACE/POD, or NAMESPACE/POD/CONTAINER")
    namespace, name, container = pod.split("/") if match[5] else (*pod.split("/"), "")
    where = (f"--container={container}",) if container else ()
    return (program, "exec", "-i", f"--namespace={namespace}", *where, name, "--", "sh", "-s", "--", str(port))


async def gather(
    command: tuple[str, ...], *, deadline: float = DEADLINE, most: int = MOST, environ: Mapping[str, str] = os.environ
) -> HostFacts:
    """The facts that the script prints there, within `deadline` seconds and `most` bytes.

    Raises `Unanswered` saying why there are none, `UsageError` where the program isn't here.
    """
    name, loop = command[0], asyncio.get_running_loop()
    clean = {key: value for key, value in environ.items() if not key.startswith(_OWN)}
    try:
        # A session of its own: it is ended as a whole, and can't prompt on the terminal.
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(1 << 16, loop), *command, env=clean, start_new_session=True
        )
    except OSError as error:
        raise UsageError(f"{name} can't be run here: {error.strerror}") from None
    process = Process(transport, protocol, loop)
    try:
        async with asyncio.timeout(deadline):
            out, said = await _exchanged(process, most)
            status = await process.wait()
    except TimeoutError:
        raise Unanswered("timeout", f"{name} didn't finish within {deadline:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # Its end isn't told before its pipes have ended: of what nobody reads any more, or what left that session and
        # holds one open, that would be never.
        transport.close()
        await process.wait()
    if status:
        last = one_line(said.decode(errors="replace").strip().split("\n")[-1], 300)
        raise Unanswered("not-local", f"{name} ended with status {status}{f': {last}' if last else ''}")
    try:
        return parse_facts(f"the output of {name}", out)
    except UsageError as error:
        raise Unanswered("malformed", str(error)) from None


async def _exchanged(process: Process, most: int) -> tuple[bytes, bytes]:
    """What the program printed, given the script. Raises `Unanswered` for more than can be of it."""
    assert process.stdin and process.stdout and process.stderr
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_given(process.stdin))
            out = group.create_task(_read(process.stdout, most, whole=True))
            said = group.create_task(_read(process.stderr, _MOST_SAID, whole=False))
    except* Unanswered as failed:
        raise failed.exceptions[0] from None
    return out.result(), said.result()


async def _given(writer: asyncio.StreamWriter) -> None:
    # A program that doesn't get there reads nothing.
    with contextlib.suppress(ConnectionError):
        writer.write(SCRIPT.read_bytes())
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
