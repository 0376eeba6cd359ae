"""Where a step is carried out: an incident's nodes, or the node of a recorded step, reached from another process."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent.investigation.equipment import Equipment
from agent.investigation.investigation import Investigation
from agent.remediation.carry_out import Site
from tools.clock import SystemClock
from tools.connection.node import Node
from tools.connection.target import Target
from tools.errors import GateError, Unanswered
from tools.gate.apply import Stood, never_stood
from tools.gate.ledger import Log

HUNTS = 20.0
"""Seconds for which a full server is tried for a slot."""


def site_of(incident: Investigation, log: Log) -> Site:
    """Where an incident's steps are carried out."""
    return Site(incident.toolbox, incident.nodes, incident.clock, log, incident.options.window)


@asynccontextmanager
async def reached(
    target: Target, name: str, log: Log, window: float, stood: Stood = never_stood
) -> AsyncIterator[Site]:
    """The node with this name, if the deployment has it.

    Raises `GateError` if not, `Unanswered` if it doesn't answer.
    """
    equipment = Equipment(target, SystemClock(), lambda call: None)
    equipment.toolbox.note_symptom("")
    try:
        if target.watched or target.node != name:
            topology = await equipment.toolbox.call("topology")
            if topology.unavailable:
                raise Unanswered(topology.unavailable.kind, topology.unavailable.detail)
        if (node := equipment.deployment.nodes.get(name)) is None:
            known = ", ".join(equipment.deployment.nodes)
            raise GateError(f"the step is for {name}, which isn't part of {target.url} (it has {known})")
        equipment.equip_node(node)
        await _let_in(node)
        equipment.hosts[name].confirm(await _process(node))
        yield Site(equipment.toolbox, {name: node}, equipment.clock, log, window, stood)
    finally:
        equipment.close()


async def _let_in(node: Node) -> None:
    """Get the connection for the change, even on a full server."""
    try:
        await node.connection()
    except Unanswered as error:
        if error.kind != "maxclients" or not await node.hunt(node.clock.monotonic() + HUNTS):
            raise


async def _process(node: Node) -> int | None:
    """The process that INFO reports; null if a script is running or the user isn't allowed to ask."""
    (text,) = await node.ask(("INFO", "server"))
    match = re.search(r"^process_id:([0-9]{1,10})\r?$", str(text), re.MULTILINE)
    return int(match[1]) if match else None
