"""`rediagnose demo`: one incident end to end, on a server of its own."""

import random

from agent.cli.inputs import TriageInputs
from agent.cli.investigate import Presenter, investigate
from agent.report.console import Console
from evals.inputs import DemoInputs
from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.errors import UsageError

INCIDENT = "leak-until-refused"
TICKET = "checkout times out on Redis"
DEADLINE = 14.0
"""Seconds: the whole is to be seen in a quarter of a minute."""


async def demo(inputs: DemoInputs) -> int:
    """Start a server whose clients leak until connections are refused, and triage it. Raises `UsageError`."""
    kinds = installed()
    if not kinds:
        raise UsageError(
            "demo: no server is installed here; install one with pip install 'rediagnose[lab]', or install redis-server"
        )
    errors = Console(stderr=True)
    errors.say(f"starting {kinds[0].name} and an application that leaks its connections…")
    fault = FAULTS[INCIDENT]
    async with fault.begin(kinds[0], random.Random(1)) as incident:
        errors.say(f'$ rediagnose triage {incident.url} "{TICKET}"')
        clock = SystemClock()
        how = TriageInputs(model="offline", deadline=DEADLINE, approve=inputs.approve, format=inputs.format)
        presenter = Presenter(how)
        setup = how.setup(parse_target(incident.url, environ={}), TICKET, clock)
        return await investigate(setup, clock, presenter.finish, presenter.print)
