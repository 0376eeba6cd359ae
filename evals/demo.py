"""`rediagnose demo`: one incident end to end, on a server of its own."""

import argparse
import random

from rich.console import Console

from agent.cli.investigate import investigate
from agent.cli.options import common
from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from tools.connection.target import parse_target
from tools.errors import UsageError

INCIDENT = "leak-until-refused"
TICKET = "checkout times out on Redis"
DEADLINE = "14"
"""Seconds: the whole is to be seen in a quarter of a minute."""


async def demo(args: argparse.Namespace) -> int:
    """Start a server whose clients leak until connections are refused, and triage it. Raises `UsageError`."""
    kinds = installed()
    if not kinds:
        raise UsageError("demo: no server is here; install one: pip install 'rediagnose[lab]', or redis-server")
    errors = Console(stderr=True)
    errors.print(f"starting {kinds[0].name} and an application that leaks its connections…", highlight=False)
    fault = FAULTS[INCIDENT]
    async with fault.begin(kinds[0], random.Random(1)) as incident:
        errors.print(f'$ rediagnose triage {incident.url} "{TICKET}"', highlight=False, soft_wrap=True)
        return await investigate(_options(args), parse_target(incident.url, environ={}), TICKET)


def _options(args: argparse.Namespace) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    common(parser)
    given = ["--model", "offline", "--deadline", DEADLINE, "--approve", args.approve, "--format", args.format]
    return parser.parse_args(given)
