"""What a node says of itself, asked for in one round trip."""

from tools.connection.node import Node
from tools.connection.shapes import whole_number
from tools.errors import RediagnoseError, Unanswered
from tools.records import Kind, Values
from tools.server.info import note_version, parse_info


async def own_facts(node: Node) -> Values:
    """INFO's sections server and replication. Raises `Unanswered` where they aren't answered, or say neither."""
    server, replication = await node.ask(("INFO", "server"), ("INFO", "replication"))
    facts: Values = {
        field: value
        for text in (server, replication)
        for fields in parse_info(str(node.value(text)), node.pseudonyms).values()
        for field, value in fields.items()
    }
    if not {"role", "redis_mode", "server_mode"} & set(facts):
        kind: Kind = "not-pasted" if node.network.pasted else "malformed"
        raise Unanswered(kind, f"{node.name}: INFO has neither a role nor a mode")
    note_version(node, facts)
    node.process_id = whole_number(str(facts.get("process_id", "")))
    return facts


async def facts_or_failure(node: Node) -> Values | RediagnoseError:
    """The same, or why there is nothing."""
    try:
        return await own_facts(node)
    except RediagnoseError as error:
        return error
