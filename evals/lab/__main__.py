"""The developer's way in: list the faults, or have one until Ctrl-C."""

import argparse
import asyncio
import random
import signal
import sys

from evals.lab.catalogue import FAULTS
from evals.lab.servers import LabError, ServerKind, installed, missing


def show() -> None:
    """Print the faults and on which servers they can be had."""
    kinds = installed()
    for fault in FAULTS.values():
        why = {reason for kind in kinds if (reason := fault.unavailable(kind))}
        causes = " + ".join((fault.cause, *fault.also))
        print(f"{fault.id:32} {causes:40} {'; '.join(sorted(why))}")
    print("\nservers:", ", ".join(f"{kind.name} ({kind.binary})" for kind in kinds))
    for line in missing():
        print("missing:", line)


async def hold(id: str, kind: ServerKind, seed: int) -> None:
    """Have a fault until this program is told to end."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with FAULTS[id].begin(kind, random.Random(seed)) as incident:
        print(f"{incident.url}\n{incident.ticket}", flush=True)
        if incident.own_url:
            print(f"(the lab's own way in: {incident.own_url})", flush=True)
        await ended.wait()


def main() -> int:
    """Parse the arguments and do it; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m evals.lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what there is")
    start = commands.add_parser("start", help="have one until Ctrl-C")
    start.add_argument("fault", choices=sorted(FAULTS), metavar="FAULT")
    start.add_argument("--kind", help="the server, such as redis-7.0 (the first that can)")
    start.add_argument("--seed", type=int, default=0, help="varies sizes, names and timing (0)")
    args = parser.parse_args()
    if args.command == "list":
        show()
        return 0
    fault = FAULTS[args.fault]
    kinds = [kind for kind in installed() if args.kind in (None, kind.name)]
    usable = [kind for kind in kinds if fault.unavailable(kind) is None]
    if not usable:
        why = {fault.unavailable(kind) for kind in kinds} or {f"no server {args.kind or 'at all'} here"}
        print(f"{fault.id}: {', '.join(map(str, why))}", file=sys.stderr)
        return 3
    try:
        asyncio.run(hold(fault.id, usable[0], args.seed))
    except LabError as error:
        print(f"{fault.id}: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
