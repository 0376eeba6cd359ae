"""Reaching the node of a recorded step, in another process than the one that recorded it."""

import argparse
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.investigation.toolset import tools_of
from agent.remediation.carry_out import Site
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import Target, Tls, parse_target
from tools.errors import GateError, Unanswered, UsageError
from tools.gate.ledger import Log
from tools.gate.proposals import Proposals
from tools.host.local import Host
from tools.past.history import History
from tools.redact import Pseudonyms
from tools.server.deployment import Deployment, topology
from tools.toolbox import Toolbox, bind

HUNTS = 20.0
"""Seconds in which a full server is tried for a slot."""


def target_of(args: argparse.Namespace) -> Target:
    """The deployment that the command names. Raises `UsageError`."""
    url = args.url or os.environ.get("REDIS_URL")
    if not url:
        raise UsageError("REDIS_URL isn't set; give --url, such as redis://host:6379")
    tls = Tls.model_validate({name: getattr(args, name) for name in ("cacert", "cert", "key", "insecure")})
    target = parse_target(url, tls=tls, password_file=Path(args.password_file) if args.password_file else None)
    if target.tls:
        target.tls.context()
    return target


@asynccontextmanager
async def reached(target: Target, name: str, log: Log, window: float) -> AsyncIterator[Site]:
    """The node of a name, if the deployment has it. Raises `GateError` where not, `Unanswered` without an answer."""
    clock, pseudonyms = SystemClock(), Pseudonyms()
    deployment = Deployment(target, clock, Budget(), pseudonyms, None)
    toolbox = Toolbox([bind(topology, deployment)], clock, lambda what: None)
    toolbox.note_symptom("")
    try:
        if target.watched or target.node != name:
            found = await toolbox.call("topology")
            if found.unavailable:
                raise Unanswered(found.unavailable.kind, found.unavailable.detail)
        if (node := deployment.nodes.get(name)) is None:
            known = ", ".join(deployment.nodes)
            raise GateError(f"the step is for {name}, and {target.url} is no deployment of it (it has {known})")
        host = Host(node.target, clock, pseudonyms=pseudonyms)
        proposals, past = Proposals(lambda action, why: None), History(None, clock)
        toolbox.add(tools_of(node, host, proposals, past, sentinel=False))
        await _let_in(node)
        host.confirm(await _process(node))
        yield Site(toolbox, {name: node}, clock, log, window)
    finally:
        deployment.close()


async def _let_in(node: Node) -> None:
    """Get the connection that the change goes through, on a full server too."""
    try:
        await node.connection()
    except Unanswered as error:
        if error.kind != "maxclients" or not await node.hunt(node.clock.monotonic() + HUNTS):
            raise


async def _process(node: Node) -> int | None:
    """The process that INFO reports; null where a script runs, or the user may not ask."""
    (text,) = await node.ask(("INFO", "server"))
    match = re.search(r"^process_id:([0-9]{1,10})\r?$", str(text), re.MULTILINE)
    return int(match[1]) if match else None
