"""Faults of being let in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

from redis.exceptions import RedisError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, connect, fill, key
from evals.lab.wire import crew, dial

FAULTS = Family("configuration and access")


def _secret(rng: Random) -> str:
    return "".join(rng.choices("abcdefghjkmnpqrstuvwxyz23456789", k=20))


def _with(url: str, password: str, user: str = "") -> str:
    return url.replace("redis://", f"redis://{user}:{password}@")


async def _try_in_vain(url: str, rng: Random, name: str | None, pause: float) -> None:
    """An application that is refused and tries again, each time on a new connection."""
    while True:
        client = connect(url, name=name)
        try:
            with suppress(RedisError, OSError):
                await client.set(f"{key(rng)}:s", "1")
        finally:
            await client.aclose()
        await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)


@asynccontextmanager
async def _locked(
    kind: ServerKind, rng: Random, given: str, shown: str, *, ticket: str = ""
) -> AsyncIterator[Incident]:
    """A server with a password; `given` and `shown` are {right}, {old} or {none}: the application's, the agent's."""
    right, old = _secret(rng), _secret(rng)
    async with running(kind, requirepass=right) as server, crew() as hands:
        urls = {"right": _with(server.url, right), "old": _with(server.url, old), "none": server.url}
        await fill(urls["right"], rng, rng.randrange(500, 3000))
        async with application(urls["right"], rng):
            for _ in range(rng.randrange(2, 5)):
                hands.spawn(_try_in_vain(urls[given], Random(rng.random()), None, rng.uniform(0.3, 0.7)))
            await asyncio.sleep(0.5)
            yield Incident(url=urls[shown], pid=server.pid, own_url=urls["right"])


@FAULTS.fault(
    "auth-failure-password-lost",
    "ERR AUTH <password> called without any password configured for the default user, in all our services.",
    "Since Redis was restarted no service gets in: Client sent AUTH, but no password is set.",
    cause="auth-failure", twin="healthy-load",
)  # fmt: skip
async def password_lost(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The password was only set at run time, and a restart lost it: clients that send one are refused, others not."""
    async with running(kind) as server, crew() as hands:
        await fill(server.url, rng, rng.randrange(500, 3000))
        for _ in range(rng.randrange(2, 5)):
            url = _with(server.url, _secret(rng))
            hands.spawn(_try_in_vain(url, Random(rng.random()), None, rng.uniform(0.3, 0.7)))
        await asyncio.sleep(0.5)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "auth-failure",
    "After the rotation of the secrets checkout fails on Redis: invalid username-password pair or user is disabled.",
    "redis.exceptions.AuthenticationError on all pods that were restarted this morning.",
    "WRONGPASS from Redis in the logs of checkout since the deploy.",
)
async def auth_failure(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The password that was given is the old one, the agent's as well."""
    async with _locked(kind, rng, "old", "old") as incident:
        yield incident


@FAULTS.fault(
    "auth-failure-no-password",
    "NOAUTH Authentication required, on every Redis call of the new service.",
    "redis.exceptions.AuthenticationError: Authentication required.",
    cause="auth-failure",
)
async def auth_failure_no_password(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """No password was given, nor to the agent."""
    async with _locked(kind, rng, "none", "none") as incident:
        yield incident


@FAULTS.fault(
    "auth-failure-application",
    "Half of the pods can't use Redis since the last deploy, the other half is fine.",
    "One service can't write its sessions to Redis any more. All others can.",
    cause="auth-failure",
)
async def auth_failure_application(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The agent is let in, and some of the application isn't: an old password."""
    async with _locked(kind, rng, "old", "right") as incident:
        yield incident


@FAULTS.fault(
    "auth-failure-permissions",
    "The new reporting service can't store its results in Redis. Reading works.",
    "redis.exceptions.NoPermissionError in one service since the ACLs were tidied up.",
    cause="auth-failure",
)
async def auth_failure_permissions(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An application's user may read, and tries to write."""
    user, secret, right = rng.choice(("reporting", "search", "mailer")), _secret(rng), _secret(rng)
    async with running(kind, requirepass=right) as server, crew() as hands:
        url = _with(server.url, right)
        await fill(url, rng, rng.randrange(500, 3000))
        wire = await dial(url)
        try:
            await wire.ask("ACL", "SETUSER", user, "on", f">{secret}", "~*", "-@all", "+@read", "+client", "+ping")
        finally:
            await wire.close()
        async with application(url, rng):
            for _ in range(rng.randrange(2, 5)):
                theirs = _with(server.url, secret, user)
                hands.spawn(_try_in_vain(theirs, Random(rng.random()), application_name(rng), rng.uniform(0.3, 0.7)))
            await asyncio.sleep(0.5)
            yield Incident(url=url, pid=server.pid, own_url=url)


async def _speaks_http(host: str, port: int) -> None:
    """One request such as a scanner or a health check makes; the server logs it and hangs up."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"POST /status HTTP/1.1\r\nHost: cache.internal\r\nConnection: close\r\n\r\n")
        # What a server hadn't read yet when it hung up comes back as a reset; before Redis 7 it asks for the password.
        with suppress(ConnectionError, TimeoutError):
            await asyncio.wait_for(reader.read(), 1)
    finally:
        writer.close()


@FAULTS.fault(
    "healthy-scanned", "Checkout times out now and then, and the security scan of last night touched Redis.",
    "Is Redis all right? The page loads slowly.", cause=NO_FAULT, twin="auth-failure",
)  # fmt: skip
async def healthy_scanned(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A server behind a password that a scanner speaks HTTP to: it hangs up, and nothing comes of it."""
    right = _secret(rng)
    async with running(kind, requirepass=right) as server:
        url = _with(server.url, right)
        await fill(url, rng, rng.randrange(500, 3000))
        async with application(url, rng):
            for _ in range(rng.randrange(1, 4)):
                await _speaks_http("127.0.0.1", server.port)
            await asyncio.sleep(1)
            yield Incident(url=url, pid=server.pid, own_url=url)
