"""A server that names neighbours: this machine's ports, clouds' metadata, far hosts, spelled in every way.

It's looked at as an investigation does, with a password in the URL. Every connect of this process is watched. Where
network namespaces can be made, the server and a host of another network are in two of them, as far hosts would be.
"""

import asyncio
import ctypes
import os
import random
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from evals.attacks._primary import Hostile, Named, canary, serving
from evals.attacks.attempt import Attempt
from evals.lab.netns import Namespace, available, namespace
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.target import parse_target
from tools.connection.trust import plain
from tools.errors import RediagnoseError, Unanswered
from tools.redact import Pseudonyms
from tools.server.connect import connect, silence
from tools.server.deployment import Deployment
from tools.server.topology import topology

HOLDS = "no credentials and no connection go to an address that wasn't allowed"
PASSWORD = "a-password-that-nobody-else-gets"
NEVER = (
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe", "169.254.170.2", "fe80::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "224.0.0.1",
    "ff02::1", "255.255.255.255", "0.0.0.0", "0", "::", "240.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
    "::169.254.169.254", "fec0::1", "192.0.0.192",
)  # fmt: skip
FOREIGN = ("10.99.98.97", "192.168.77.3", "172.20.1.1", "198.51.100.7", "2001:db8::7", "fd12:3456::7", "167772421")
LOOPBACK = (
    "127.0.0.1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f.1",
    "::1",
    "::ffff:127.0.0.1",
    "127.9.9.9",
    "0177.0.0.1",
)
WAYS = ("replica", "primary", "cluster", "sentinel")
CLONE_NEWNET = 0x40000000
_connects: list[str] = []
"""Addresses that this process connected to."""


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and isinstance(address := arguments[1], tuple):
        _connects.append(str(address[0]))


_watching = False


def _listener(host: str, inside: Namespace | None = None) -> socket.socket:
    """A listening socket, of a namespace's network where one is given."""
    listeners: list[socket.socket] = []

    def make() -> None:
        if inside is not None:
            handle = os.open(f"/var/run/netns/{inside.name}", os.O_RDONLY)
            try:
                # Of this thread alone: the socket stays in that network, wherever it's used.
                if ctypes.CDLL(None, use_errno=True).setns(handle, CLONE_NEWNET):
                    return
            finally:
                os.close(handle)
        listeners.append(socket.create_server((host, 0)))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not listeners:
        raise OSError(f"no socket in {inside}")
    return listeners[0]


async def _look(url: str) -> list[str]:
    """Look at a deployment and at each node that it names; the kinds of what was not answered."""
    target = parse_target(url, environ={})
    deployment = Deployment(target, SystemClock(), Budget(), Pseudonyms())
    kinds: list[str] = []
    try:
        try:
            await topology(deployment)
        except RediagnoseError as error:
            kinds.append(type(error).__name__)
        for node in list(deployment.nodes.values()):
            for look in (connect(node, 0.3), silence(node, 1.0)):
                try:
                    await asyncio.wait_for(look, 2)
                except Unanswered as error:
                    kinds.append(error.kind)
                except (RediagnoseError, TimeoutError) as error:
                    kinds.append(type(error).__name__)
    finally:
        deployment.close()
    return kinds


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Each address in each role, from a server on loopback and, where that can be made, from one that is remote."""
    global _watching
    if not _watching:
        sys.addaudithook(_watch)
        _watching = True
    async with AsyncExitStack() as stack:
        near, far = Hostile(), None
        first = _listener("127.0.0.1")
        await stack.enter_async_context(serving(near, first))
        places: list[tuple[Hostile, str, bool]] = [(near, "127.0.0.1", True)]
        stolen: list[bytes] = []
        # A service of this machine's own, which a remote server may not have dialled.
        own = _listener("127.0.0.1")
        await stack.enter_async_context(canary(own, stolen))
        foreign: list[str] = list(FOREIGN)
        if available() is None:
            one, other = await stack.enter_async_context(namespace()), await stack.enter_async_context(namespace())
            far, elsewhere = Hostile(), _listener(other.inside, other)
            await stack.enter_async_context(serving(far, _listener(one.inside, one)))
            await stack.enter_async_context(canary(elsewhere, stolen))
            places.append((far, one.inside, False))
            foreign.append(other.inside)
            ports = {other.inside: elsewhere.getsockname()[1]}
        else:
            ports = {}
        cases = [
            (hostile, host, here, how, address)
            for hostile, host, here in places for how in WAYS
            for address in (*NEVER, *foreign, *(LOOPBACK if not here else ()))
        ]  # fmt: skip
        rng.shuffle(cases)
        for hostile, host, here, how, address in cases[:tries]:
            port = ports.get(address, own.getsockname()[1])
            others: list[Named] = [(address, rng.choice((0, 65536, 99999)))] if rng.random() < 0.1 else []
            hostile.how, hostile.neighbours = how, [(address, port), *others]
            _connects.clear()
            stolen.clear()
            scheme, path = ("redis+sentinel", "/mymaster") if how == "sentinel" else ("redis", "")
            kinds = await _look(f"{scheme}://:{PASSWORD}@{host}:{hostile.place[1]}{path}")
            asked = {plain(one) for one in _connects}
            wrong = {one for one in asked if one != plain(host) and not (here and one.is_loopback)}
            leaked = any(PASSWORD.encode() in data for data in stolen)
            held = not wrong and not stolen and not leaked and "untrusted" in kinds
            what = f"connects {sorted(map(str, wrong))}, arrived {stolen[:3]}, {kinds}"
            yield Attempt(f"{how} {address} named by {'a near' if here else 'a far'} server", held, what)
