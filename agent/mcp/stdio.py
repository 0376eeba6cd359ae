"""The server over the standard streams of this process, which then belong to the protocol alone."""

import os
import sys
from io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper

import anyio
from mcp.server.stdio import stdio_server

from agent.mcp.callers import this_user
from agent.mcp.detached import all_ended
from agent.mcp.means import Means
from agent.mcp.memory import InMemory
from agent.mcp.server import server_of


async def serve(means: Means) -> None:
    """Answer until the client closes its end."""
    incidents = InMemory(means)
    try:
        server = server_of(incidents, means, this_user())
        lines, answers = _pipes()
        async with stdio_server(lines, answers) as (read, written):
            low = server._lowlevel_server
            await low.run(read, written, low.create_initialization_options())
    finally:
        await all_ended()
        await incidents.close()


def _pipes() -> tuple[anyio.AsyncFile[str], anyio.AsyncFile[str]]:
    """The client's ends. Whatever else is printed from now on goes to stderr, and a child reads nothing."""
    read, written = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout.flush()
    os.dup2(2, 1)
    # Never closed: a thread may still wait for a line when everything is over.
    lines = TextIOWrapper(BufferedReader(FileIO(read, closefd=False)), encoding="utf-8", errors="replace", newline="\n")
    answers = TextIOWrapper(BufferedWriter(FileIO(written, "w", closefd=False)), encoding="utf-8", newline="\n")
    return anyio.wrap_file(lines), anyio.wrap_file(answers)
