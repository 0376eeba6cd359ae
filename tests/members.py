"""Readings of a deployment's members, taken as the program takes them."""

from typing import Any

from evals.lab.topologies import Member
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.records import Values
from tools.redact import Pseudonyms
from tools.toolbox import ToolFunction


async def read(tool: ToolFunction, member: Member, *, user: str = "", **args: Any) -> Values:
    """One reading over a connection of its own; `user` is one whose password is pw."""
    url = member.server.url.replace("//", f"//{user}:pw@") if user else member.url
    node = Node(parse_target(url, environ={}), SystemClock(), Budget(), Pseudonyms())
    try:
        return await tool(node, **args)
    finally:
        node.close()
