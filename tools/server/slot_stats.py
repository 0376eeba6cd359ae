"""CLUSTER SLOT-STATS: the slots with the most keys, and those that took most of the CPU."""

from tools.connection.node import Node
from tools.connection.protocol import Reply, ServerError
from tools.records import Values


async def busiest(node: Node, *, by_cpu: bool) -> Values:
    """The slots with the most keys, and by CPU if the server counts that."""
    (reply,) = await node.ask(("CLUSTER", "SLOT-STATS", "ORDERBY", "KEY-COUNT", "LIMIT", 3, "DESC"))
    if isinstance(reply, ServerError):
        return {"slot_stats.unavailable": reply.kind or "unknown-command"}
    values = _slot_rows("slot", "key_count", reply)
    if by_cpu:
        (reply,) = await node.ask(("CLUSTER", "SLOT-STATS", "ORDERBY", "CPU-USEC", "LIMIT", 3, "DESC"))
        values |= {} if isinstance(reply, ServerError) else _slot_rows("hot", "cpu_usec", reply)
    return values


def _slot_rows(at: str, least: str, reply: Reply) -> Values:
    values: Values = {}
    for number, (slot, figures, *_) in enumerate(reply, 1):
        fields = {str(name).replace("-", "_"): value for name, value in zip(figures[::2], figures[1::2], strict=True)}
        if fields.get(least):
            values[f"{at}{number}.slot"] = slot
            values |= {f"{at}{number}.{name}": value for name, value in fields.items()}
    return values
