"""Whether an address belongs to one server: what several connections to it reach."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from tools.connection.node import PATIENCE, Node
from tools.connection.shapes import checked
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Scalar, Values
from tools.server.info import parse_info
from tools.toolbox import reads

_RUN = deferred("[0-9a-f]{40}")
_ROLES = ("master", "slave", "sentinel")


@reads
async def same_server(node: Node, connections: Annotated[int, Field(ge=1, le=4)] = 2) -> Values:
    """Open more connections to the address, and compare who answers.

    `runs` is how many different servers (run_ids) answered, `roles` what they are; `c1` is the held connection, each
    with `.run` (the first 8 digits), `.role`, `.port` of its own, and `.uptime` in seconds.
    """
    seen = [_who(node, str(await node.one("INFO")))]
    for _ in range(connections):
        if len({one["run"] for one in seen}) > 1 and any(one["role"] != "slave" for one in seen):
            # The address may lead only to replicas, or the primary's turn is yet to come.
            break
        link, _ = await node.dial(PATIENCE)
        if node.is_held(link):
            # The one before was lost.
            continue
        try:
            node.budget.spend(commands=1)
            (reply,) = await link.exchange([("INFO",)], PATIENCE)
            node.own.calls["info"] += 1
            seen.append(_who(node, str(node.value(checked(("INFO",), reply)))))
        except Unanswered:
            # One of several servers behind an address may be in trouble: what the others said still counts.
            continue
        finally:
            node.budget.spend(transferred=link.take_bytes())
            link.close()
    values: Values = {
        "connections": len(seen), "runs": len({one["run"] for one in seen if one["run"]}),
        "roles": ",".join(sorted({str(one["role"]) for one in seen if one["role"]})),
    }  # fmt: skip
    for number, one in enumerate(seen, 1):
        values |= {f"c{number}.{name}": value for name, value in one.items()}
    return values


def _who(node: Node, text: str) -> Mapping[str, Scalar]:
    flat = {name: value for section in parse_info(text, node.pseudonyms).values() for name, value in section.items()}
    run, role, port, uptime = (flat.get(name) for name in ("run_id", "role", "tcp_port", "uptime_in_seconds"))
    return {
        "run": str(run)[:8] if _RUN.fullmatch(str(run)) else None, "role": str(role) if role in _ROLES else None,
        "port": port if isinstance(port, int) else None, "uptime": uptime if isinstance(uptime, int) else None,
    }  # fmt: skip
