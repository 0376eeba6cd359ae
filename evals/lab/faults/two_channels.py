"""Whole copies that take two channels: the replica keeps what is written meanwhile, if it has the room."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.replication import PROMOTED, RESYNCS, ballast
from evals.lab.pairs import Pair, linked, pair, write
from evals.lab.servers import ServerKind
from evals.lab.topologies import until
from evals.lab.wire import crew

FAULTS = Family("replication and failover")


SETTINGS = {"dual_channel_replication_enabled": "yes"}
"""At both ends."""


def has_two(kind: ServerKind) -> bool:
    """Whether copies of this server can take two channels, and its replica's buffer be filled here: on Valkey."""
    return kind.name.startswith("valkey") and kind.at_least(8)


async def _cut_off(both: Pair, seconds: float) -> None:
    """Break the link for longer than the backlog reaches back."""
    both.between.closed = True
    both.between.cut()
    await asyncio.sleep(seconds)
    both.between.closed = False


async def _copied(both: Pair, copies: int) -> bool:
    return int((await both.above.info("stats"))["sync_full"]) >= copies


@FAULTS.fault(
    "replica-output-loop-channels", *RESYNCS, cause="replica-output-loop", twin="healthy-channels",
    kinds=has_two, never=("restart", "repl-timeout", PROMOTED),
)  # fmt: skip
async def replica_output_loop_channels(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Neither the replica's own buffer nor its primary's holds what is written while a copy is on its way."""
    limit = f"replica {rng.choice(('1mb 1mb 60', '2mb 1mb 2', '1mb 512kb 2'))}"
    settings = SETTINGS | {"client_output_buffer_limit": limit, "repl_backlog_size": "256kb"}
    async with pair(kind, rng, keys=0, replica=settings, **settings) as both, crew() as hands:
        await ballast(both.above.url, rng, rng.randrange(35, 45))
        hands.spawn(write(both.above.url, Random(rng.random()), rng.uniform(2.5, 3.5) * 2**20))
        # Kernels' buffers would hold all of it for the length of a copy.
        both.between.rate, both.between.receive_buffer = rng.uniform(3, 4) * 2**20, 2**16
        await _cut_off(both, 1.5)
        await until(partial(_copied, both, 3), "a copy that was cut off", 40)
        yield both.either(rng, both.above)


@FAULTS.fault(
    "healthy-channels", *RESYNCS, cause=NO_FAULT, twin="replica-output-loop-channels", kinds=has_two,
)  # fmt: skip
async def healthy_channels(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """What was written while a copy was on its way went through the replica's own buffer, and it's in step again."""
    async with (
        pair(kind, rng, keys=0, replica=SETTINGS, repl_backlog_size="256kb", **SETTINGS) as both,
        crew() as hands,
    ):
        await ballast(both.above.url, rng, rng.randrange(8, 15))
        hands.spawn(write(both.above.url, Random(rng.random()), rng.uniform(0.5, 1) * 2**20))
        await _cut_off(both, 1.5)
        await until(partial(linked, both.below), "the replica's link up", 40)
        await asyncio.sleep(rng.uniform(3, 6))
        yield both.either(rng, both.above)
