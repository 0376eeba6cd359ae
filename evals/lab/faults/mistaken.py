"""Faults of one client: what it sends is refused, and what it looks for isn't where it looks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, fill, key_prefix
from evals.lab.wire import Argument, crew, dial

FAULTS = Family("addresses and clients")
_RESTARTED = (
    "Since Redis was failed over last night the rate limiter throws errors on every request. PING is fine.",
    "One service gets errors from Redis since the restart of this morning, all others work.",
    "Locks can't be taken any more since the maintenance; Redis itself answers.",
)
_DEPLOYED = (
    "One service fails on Redis since its deploy, all others are fine.",
    "Recommendations are broken since the release; their log is full of errors from Redis.",
    "Every tenth request of one service ends in a Redis error, nothing else is slow.",
)
SCRIPT = "return redis.call('INCR', KEYS[1]) -- limit"
FUNCTIONS = """#!lua name=limits
redis.register_function('limit', function(keys) return redis.call('INCR', keys[1]) end)
"""
KEY = "(key)"
"""In place of the key that a command goes to, which is another one each time."""
_NO_RESETS = (r"SCRIPT FLUSH(?! on a test)", r"CONFIG SET", r"FLUSH(ALL|DB)", r"\brestart Redis")


async def _sends(url: str, rng: Random, name: str, pause: float, *command: Argument) -> None:
    """An application that sends a command again and again, whatever the answer."""
    wire = await dial(url, name=name)
    try:
        while True:
            with suppress(ReplyError):
                await wire.ask(*command)
            await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)
    finally:
        await wire.close()


@FAULTS.fault("script-missing", *_RESTARTED, twin="healthy-script-again", never=_NO_RESETS)
async def script_missing(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A rate limiter calls its script by a hash that this server never heard of, and doesn't load it."""
    name, at = application_name(rng), f"{key_prefix(rng)}:user:7"
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        sha = "".join(rng.choices("0123456789abcdef", k=40))
        for _ in range(rng.randrange(2, 5)):
            pause = rng.uniform(0.05, 0.3)
            work = _sends(server.url, Random(rng.random()), name, pause, "EVALSHA", sha, 1, at)
            hands.spawn(work)
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("script-missing-flushed", *_RESTARTED[1:], cause="script-missing", twin="healthy-script-again",
              never=_NO_RESETS)  # fmt: skip
async def script_missing_flushed(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody emptied the cache of scripts under an application that loaded its own once."""
    name, at = application_name(rng), f"{key_prefix(rng)}:user:7"
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        wire = await hands.dial(server.url)
        sha = await wire.ask("SCRIPT", "LOAD", SCRIPT)
        for _ in range(rng.randrange(2, 5)):
            pause = rng.uniform(0.05, 0.3)
            work = _sends(server.url, Random(rng.random()), name, pause, "EVALSHA", sha, 1, at)
            hands.spawn(work)
        await asyncio.sleep(0.7)
        await wire.ask("SCRIPT", "FLUSH")
        await asyncio.sleep(0.7)
        yield Incident(url=server.url, pid=server.pid)


def _has_functions(kind: ServerKind) -> bool:
    return kind.at_least(7)


@FAULTS.fault("script-missing-functions", *_RESTARTED, cause="script-missing", twin="healthy-functions",
              never=(*_NO_RESETS, r"FUNCTION FLUSH"), kinds=_has_functions)  # fmt: skip
async def functions_missing(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A node that began empty: the library of functions that the service calls was never loaded here."""
    name, at = application_name(rng), f"{key_prefix(rng)}:user:7"
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        for _ in range(rng.randrange(2, 5)):
            pause, one = rng.uniform(0.05, 0.3), Random(rng.random())
            hands.spawn(_sends(server.url, one, name, pause, "FCALL", "limit", 1, at))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-functions", *_RESTARTED, cause=NO_FAULT, twin="script-missing-functions", kinds=_has_functions)
async def healthy_functions(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A library that is loaded, and functions that are called all the time."""
    name, at = application_name(rng), f"{key_prefix(rng)}:user:7"
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        wire = await hands.dial(server.url)
        await wire.ask("FUNCTION", "LOAD", FUNCTIONS)
        for _ in range(rng.randrange(2, 5)):
            pause, one = rng.uniform(0.05, 0.3), Random(rng.random())
            hands.spawn(_sends(server.url, one, name, pause, "FCALL", "limit", 1, at))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-script-again", *_RESTARTED, cause=NO_FAULT, twin="script-missing")
async def healthy_script_again(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """One NOSCRIPT, and the client loaded its script again."""
    name, at = application_name(rng), f"{key_prefix(rng)}:user:7"
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        wire = await hands.dial(server.url)
        sha = "".join(rng.choices("0123456789abcdef", k=40))
        with suppress(ReplyError):
            await wire.ask("EVALSHA", sha, 1, at)
        sha = await wire.ask("SCRIPT", "LOAD", SCRIPT)
        hands.spawn(_sends(server.url, Random(rng.random()), name, 0.1, "EVALSHA", sha, 1, at))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@asynccontextmanager
async def _failing(kind: ServerKind, rng: Random, command: tuple[Argument, ...]) -> AsyncIterator[Incident]:
    name, at = application_name(rng), f"{key_prefix(rng)}:42"
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        wire = await hands.dial(server.url)
        await wire.ask("SET", at, "text")
        for _ in range(rng.randrange(1, 4)):
            pause = rng.uniform(0.1, 0.4)
            hands.spawn(
                _sends(server.url, Random(rng.random()), name, pause, *(str(word).replace(KEY, at) for word in command))
            )
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


def _errors(id: str, *command: Argument) -> None:
    @FAULTS.fault(id, *_DEPLOYED, cause="client-errors", twin="healthy-wrongtype-now-and-then", never=_NO_RESETS)
    async def make(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
        async with _failing(kind, rng, command) as incident:
            yield incident


_errors("client-errors-wrongtype", "ZADD", KEY, 1, "item")
_errors("client-errors-unknown", "JSON.MERGE", KEY, "$", "{}")
_errors("client-errors-arguments", "SETEX", KEY, 60)
_errors("client-errors-value", "INCR", KEY)
_errors("client-errors-nogroup", "XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", f"{KEY}:events", ">")


@FAULTS.fault("healthy-wrongtype-now-and-then", *_DEPLOYED, cause=NO_FAULT, twin="client-errors-wrongtype")
async def healthy_wrongtype(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A WRONGTYPE and a wrong argument long ago; today nobody sends them."""
    async with running(kind) as server, crew() as hands, application(server.url, rng):
        wire, at = await hands.dial(server.url, name=application_name(rng)), f"{key_prefix(rng)}:42"
        await wire.ask("SET", at, "text")
        for _ in range(rng.randrange(1, 8)):
            for command in (("ZADD", at, 1, "x"), ("SETEX", at, 60)):
                with suppress(ReplyError):
                    await wire.ask(*command)
        await asyncio.sleep(3)
        yield Incident(url=server.url, pid=server.pid)
