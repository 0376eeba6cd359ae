"""Which run of a server it is."""

import re

from tools.connection.node import Node
from tools.errors import BudgetSpent, Unanswered


async def run_id(node: Node) -> str | None:
    """The run that the server reports; null if it says nothing."""
    try:
        (reply,) = await node.ask(("INFO", "server"))
    except (Unanswered, BudgetSpent):
        # A silent server still has a past.
        return None
    match = re.search(r"^run_id:([0-9a-f]{8,64})\s*$", str(reply), re.MULTILINE)
    return match[1] if match else None
