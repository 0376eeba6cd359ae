"""Looks at a machine that its servers share."""

import asyncio

from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.host.local import Host
from tools.host.moments import Moments
from tools.host.proc import Files


class Looks:
    """A look at a machine that counts how often it was taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __call__(self, files: Files) -> int:
        self.taken += 1
        return self.taken


async def test_servers_that_are_looked_at_together_share_the_looks_at_their_machine() -> None:
    look, moments = Looks(), Moments()
    hosts = [
        Host(parse_target(f"redis://127.0.0.1:{port}", environ={}), SystemClock(), moments=moments)
        for port in range(6380, 6400)
    ]
    seen = await asyncio.gather(*(host.machine_twice(look, 1.0) for host in hosts))
    assert look.taken < len(hosts)
    assert all(first < last and seconds > 0.5 for first, last, seconds in seen)


async def test_a_look_that_is_older_than_a_part_of_the_window_is_taken_anew() -> None:
    look, now = Looks(), [100.0]
    moments, files = Moments(lambda: now[0]), Files()
    first = moments.take(look, files, age=0.25)
    now[0] += 0.25
    assert moments.take(look, files, age=0.25) == first == (1, 100.0)
    now[0] += 0.01
    assert moments.known(look, age=0.25) is None
    assert moments.take(look, files, age=0.25) == (2, 100.26)
