"""Whether a verdict stays the same: `python -m evals.steady healthy|faulty [--times 20] [--nodes N] [--load N]`.

`healthy` is a cluster that is well, looked at again and again, with busy processes beside it. `faulty` is a cluster of
which one node is out of memory, one slow and one dead, at positions drawn anew for each time.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from itertools import islice
from typing import Any

import hiredis
from redis.crc import key_slot

from evals.bench.spent import Run, program, run
from evals.lab.hold import servers
from evals.lab.servers import LabError, ServerKind
from evals.lab.topologies import SLOTS, Deployment, Member, clustered
from evals.lab.wire import LOST, Crew, crew
from tools.errors import UsageError

FAULTS = ("process-down", "oom-noeviction", "slow-on-command")
SYMPTOM = "requests to the cluster fail or time out"
LOAD, NODES = 4, {"healthy": 24, "faulty": 48}
BUSY = "while True: pass"
ITEMS, PAUSE = 600_000, 0.02
"""Items of the list that the slow node is asked for as a whole, and seconds between two requests of an application."""
MAXMEMORY_MB = 32
"""Of each node, without eviction."""
READERS = 3
"""Connections that ask for the list."""
SETTLES = 4.0
"""Seconds until a dead node is marked as failed by the others."""


@contextmanager
def beside(load: int) -> Iterator[None]:
    """So many processes that never wait."""
    busy = [subprocess.Popen((sys.executable, "-c", BUSY)) for _ in range(load)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


async def looked_at(url: str, symptom: str) -> tuple[Run, dict[str, Any]]:
    """One triage in a process of its own. Raises `LabError` for one that doesn't answer."""
    one = await run(*program(), "triage", url, symptom, "--model", "offline", "--format", "json")
    try:
        answer: dict[str, Any] = json.loads(one.out)
    except ValueError:
        raise LabError(f"no answer: exit status {one.status}: {one.out[-500:]}") from None
    return one, answer


async def healthy(kind: ServerKind, times: int, nodes: int, load: int) -> int:
    """How often a healthy cluster isn't called healthy."""
    wrong = 0
    async with clustered(kind, nodes) as deployment:
        with beside(load):
            for number in range(1, times + 1):
                one, answer = await looked_at(deployment.url, SYMPTOM)
                found = answer["outcome"]
                wrong += found != "no-fault"
                _say(number, times, found, one, "" if found == "no-fault" else _why(answer))
    return wrong


async def faulty(kind: ServerKind, times: int, nodes: int, load: int, seed: int) -> int:
    """How often the three faults aren't the three causes, each at its own node."""
    wrong, rng = 0, random.Random(seed)
    for number in range(1, times + 1):
        async with AsyncExitStack() as stack:
            deployment = await stack.enter_async_context(
                clustered(kind, nodes, cluster_require_full_coverage="no", maxmemory=f"{MAXMEMORY_MB}mb")
            )
            places = rng.sample(range(nodes), len(FAULTS))
            url = deployment.members[rng.choice([one for one in range(nodes) if one != places[0]])].url
            stack.enter_context(beside(load))
            await stack.enter_async_context(_broken(deployment, places))
            one, answer = await looked_at(url, SYMPTOM)
            expected = {(cause, deployment.members[place].name) for cause, place in zip(FAULTS, places, strict=True)}
            found = _named(answer)
            wrong += found != expected
            missed = f"expected {sorted(expected)}, answered {sorted(found)}" if found != expected else ""
            _say(number, times, "right" if found == expected else "WRONG", one, missed)
    return wrong


def _why(answer: dict[str, Any]) -> str:
    """What stood against no-fault."""
    open_points = [f"complaint: {one['what']}" for one in answer["complaints"]]
    open_points += [f"blind: {one}" for one in answer["blind"]]
    return f"{answer['summary']} {'; '.join(open_points)}"[:1000]


def _named(answer: dict[str, Any]) -> set[tuple[str, str]]:
    """The causes with their nodes; of slots without a primary the dead one that is named."""
    named = set()
    for cause in answer["causes"]:
        if cause["id"] == "cluster-slots-down":
            dead = {str(one["value"]) for one in cause["evidence"] if one["field"].endswith(".address")}
            named |= {("process-down", one) for one in dead}
        else:
            named.add((cause["id"], cause["where"]))
    return named


@asynccontextmanager
async def _broken(deployment: Deployment, places: Sequence[int]) -> AsyncIterator[None]:
    dead, full, slow = (deployment.members[place] for place in places)
    async with crew() as hands:
        keys = {place: _keys(place, len(deployment.members)) for place in places}
        for start in range(0, ITEMS, 10_000):
            items = [f"item:{number}" for number in range(start, start + 10_000)]
            await slow.ask("RPUSH", keys[places[2]][0], *items)
        with suppress(hiredis.ReplyError):
            for _ in range(2 * MAXMEMORY_MB):
                await full.ask("APPEND", keys[places[1]][0], "x" * 2**20)
        await _application(hands, full, ("SET", keys[places[1]][1], "x" * 2**20))
        for _ in range(READERS):
            await _application(hands, slow, ("LRANGE", keys[places[2]][0], "0", "-1"))
        dead.server.signal(signal.SIGKILL)
        await asyncio.sleep(SETTLES)
        yield


async def _application(hands: Crew, member: Member, command: Sequence[str]) -> None:
    wire = await hands.dial(member.url, name="shop-web")

    async def ask() -> None:
        while True:
            with suppress(*LOST):
                await wire.ask(*command)
            await asyncio.sleep(PAUSE)

    hands.spawn(ask())


def _keys(place: int, nodes: int) -> tuple[str, str]:
    """Two keys of the slots that the node at this place has."""
    low, high = SLOTS * place // nodes, SLOTS * (place + 1) // nodes
    names = (f"k:{number}" for number in range(10**6))
    first, second = islice((name for name in names if low <= key_slot(name.encode()) < high), 2)
    return first, second


def _say(number: int, times: int, found: str, one: Run, detail: str) -> None:
    print(f"{number} of {times}: {found} in {one.wall:.1f} s, {one.cpu:.2f} CPU s {detail}".rstrip(), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line for each time; 1 if any differs from what is right, 2 for what can't be had here."""
    parser = argparse.ArgumentParser(prog="python -m evals.steady", description=__doc__)
    parser.add_argument("what", choices=("healthy", "faulty"))
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--kind", help="a server of the lab (the first that is here)")
    parser.add_argument("--nodes", type=int, help="primaries of the cluster (24, or 48 with faults)")
    parser.add_argument("--load", type=int, help="busy processes beside it (4, or none with faults)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    nodes = args.nodes or NODES[args.what]
    try:
        kind = servers(args.kind)[0]
        if args.what == "healthy":
            wrong = asyncio.run(healthy(kind, args.times, nodes, LOAD if args.load is None else args.load))
        else:
            wrong = asyncio.run(faulty(kind, args.times, nodes, args.load or 0, args.seed))
    except (LabError, UsageError) as error:
        print(f"steady: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"{wrong} of {args.times} differ from what is right")
    return 1 if wrong else 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
