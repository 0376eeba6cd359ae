"""The host script run on the server's machine, over the person's own ssh or kubectl: read-only, bounded, and said."""

import os
import re
from collections.abc import Mapping

from tools.errors import Unanswered, UsageError
from tools.host.facts import MOST, SCRIPT, HostFacts, parse_facts
from tools.host.output import output, without_own
from tools.text import one_line

DEADLINE = 30.0
"""Seconds for the whole: to get there, the script's own three, and its output."""
_HOST = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.+-]*@)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
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


async def gather(
    command: tuple[str, ...], *, deadline: float = DEADLINE, most: int = MOST, environ: Mapping[str, str] = os.environ
) -> HostFacts:
    """The facts that the script prints there, within `deadline` seconds and `most` bytes.

    Raises `Unanswered` saying why there are none, `UsageError` where the program isn't here.
    """
    out = await output(command, SCRIPT.read_bytes(), deadline=deadline, most=most, environ=without_own(environ))
    try:
        return parse_facts(f"the output of {command[0]}", out)
    except UsageError as error:
        raise Unanswered("malformed", str(error)) from None
