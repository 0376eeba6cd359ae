"""Changes that are decided about over HTTP: a server that needs one, and what became of it."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from evals.lab.servers import Server, installed, running
from tests.served import Desk, Served


async def full(redis: "Redis") -> None:
    """A server that refuses writes because memory is full."""
    used = (await redis.info("memory"))["used_memory"]
    await redis.config_set("maxmemory", used + 2_000_000)
    refused = 0
    while refused < 50:
        try:
            await redis.set(f"order:{random.random()}", "x" * 10_000)
        except Exception:
            refused += 1


@asynccontextmanager
async def filled() -> AsyncIterator[tuple[Server, "Redis"]]:
    """A server that is full, and a client of it."""
    kind = next(kind for kind in installed() if kind.at_least(7))
    async with running(kind) as server, Redis.from_url(server.url) as redis:
        await full(redis)
        yield server, redis


async def planned(served: Served, url: str) -> tuple[str, dict[str, Any]]:
    """An incident whose plan has a change, and that step."""
    id = await served.opened(title="OOM command not allowed when used memory > 'maxmemory'", target=url)
    found = await served.until(id, "answered")
    step = next(one for one in found["diagnosis"]["plan"] if one["action"].startswith("CONFIG SET maxmemory "))
    return id, step


def decision(step: dict[str, Any], verb: str = "approve") -> dict[str, Any]:
    """A decision about a step as it's shown."""
    action = step["rollback"] if verb == "roll-back" else step["action"]
    return {"step": step["id"], "verb": verb, "action": action, "before": step["before"]}


async def sets(redis: "Redis") -> int:
    """How many times the server was asked to change its settings."""
    stats = await redis.info("commandstats")
    return sum(one["calls"] for name, one in stats.items() if name == "cmdstat_config|set")


async def said(place: Desk, id: str, words: str = "") -> str:
    """What was said of a step that changed, once it has these words."""
    async with asyncio.timeout(240):
        while True:
            for one in place.events(id):
                if "detail" in one and words in one["detail"]:
                    return str(one["detail"])
            await asyncio.sleep(0.2)
