"""A model with the Redis tools of redis-sre-agent as the agent of an exported task.

    OPENAI_BASE_URL=... OPENAI_API_KEY=... python -m evals.export.adapters.sre_agent MODEL

The tools have the names and the arguments that version 0.6 of that project documents, and send the same commands; its
prompts, its knowledge base and its code aren't here. It wants Python 3.12 and services of its own, so it was never run
on these incidents: tests hold this adapter with a scripted model.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from openai import AsyncOpenAI
from redis.asyncio import Redis
from redis.exceptions import RedisError

from evals.export.adapters.loop import MOST_TURNS, Tool, solve
from evals.export.answer import write

SYSTEM = "You investigate a Redis deployment with the tools given. Your last message is the content of answer.json."
MOST = 12_000
"""Characters of a reply."""
SECONDS = 5.0
"""For a command's reply."""
Given = Mapping[str, Any]


class Operation(NamedTuple):
    """One of its tools."""

    about: str
    commands: Callable[[Given], Sequence[Sequence[str]]]
    arguments: Mapping[str, str] = {}
    needs: tuple[str, ...] = ()


COUNT = {"count": "integer"}
OPERATIONS: Mapping[str, Operation] = {
    "info": Operation(
        "INFO, or one section of it", lambda given: [["INFO", *given.values()]], {"section": "string"}),
    "slowlog": Operation("SLOWLOG GET", lambda given: [["SLOWLOG", "GET", str(given.get("count", 10))]], COUNT),
    "acl_log": Operation("ACL LOG", lambda given: [["ACL", "LOG", str(given.get("count", 10))]], COUNT),
    "config_get": Operation(
        "CONFIG GET", lambda given: [["CONFIG", "GET", given["pattern"]]], {"pattern": "string"}, ("pattern",)),
    "client_list": Operation(
        "CLIENT LIST, or those of one type",
        lambda given: [["CLIENT", "LIST", *(["TYPE", *given.values()] if given else [])]], {"client_type": "string"}),
    "cluster_info": Operation("CLUSTER INFO", lambda _: [["CLUSTER", "INFO"]]),
    "replication_info": Operation("INFO replication and ROLE", lambda _: [["INFO", "replication"], ["ROLE"]]),
    "memory_stats": Operation("MEMORY STATS", lambda _: [["MEMORY", "STATS"]]),
    "search_indexes": Operation("FT._LIST", lambda _: [["FT._LIST"]]),
    "search_index_info": Operation(
        "FT.INFO", lambda given: [["FT.INFO", given["index_name"]]], {"index_name": "string"}, ("index_name",)),
}  # fmt: skip
"""By name. The one that samples keys isn't among them: no recording has their values."""


def operations(url: str) -> dict[str, Tool]:
    """The tools on a server. A URL of Sentinel is asked as the sentinel that it is."""

    def tool(name: str) -> Tool:
        of = OPERATIONS[name]

        async def call(given: Given) -> str:
            return "\n".join([await asked(url, command) for command in of.commands(given)])

        return Tool(of.about, of.arguments, call, of.needs)

    return {f"redis_command_{name}": tool(name) for name in OPERATIONS}


async def asked(url: str, command: Sequence[str]) -> str:
    """A reply as text; why there is none."""
    plain = url.replace("redis+sentinel://", "redis://").rpartition("/")[0] if "+sentinel" in url else url
    # Some of its methods have no types.
    client: Any = Redis.from_url(
        plain, decode_responses=True, protocol=2, retry=None, socket_timeout=SECONDS, socket_connect_timeout=SECONDS
    )
    try:
        # Not by name: redis-py's own parsers would change what the server said.
        connection = await client.connection_pool.get_connection()
        await connection.send_command(*command)
        reply = await connection.read_response()
        text = reply if isinstance(reply, str) else json.dumps(reply, default=str)
    except (RedisError, OSError) as error:
        text = f"{type(error).__name__}: {error}"
    finally:
        await client.aclose()
    return text if len(text) <= MOST else f"{text[:MOST]}\n[{len(text) - MOST} characters are left out]"


def said(text: str) -> dict[str, Any] | None:
    """The answer in a model's last message, whatever stands around it."""
    for at, char in enumerate(text):
        if char == "{":
            try:
                found, _ = json.JSONDecoder().raw_decode(text[at:])
            except ValueError:
                continue
            if isinstance(found, dict) and "outcome" in found:
                return found
    return None


def main(argv: list[str], folder: Path) -> int:
    """Solve the task of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--turns", type=int, default=MOST_TURNS)
    given = parser.parse_args(argv)
    page = (folder / "instruction.md").read_text(encoding="utf-8")
    known = (folder / "causes.json").read_text(encoding="utf-8")

    async def once() -> str:
        async with AsyncOpenAI() as client:
            tools = operations(os.environ["REDIS_URL"])
            return await solve(client, given.model, SYSTEM, f"{page}\ncauses.json:\n{known}", tools, given.turns)

    text = asyncio.run(once())
    print(text)
    if (answer := said(text)) is not None:
        write(folder, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
