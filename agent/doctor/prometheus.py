"""Whether Prometheus answers, and whether it has this server."""

import asyncio
from datetime import timedelta

from agent.doctor.check import Check, State
from tools.connection.node import Node
from tools.errors import Unanswered
from tools.past.history import History
from tools.text import one_line

RECENT = timedelta(hours=1)
"""The range of the query: a server that was scraped within it is known."""


async def checked_prometheus(past: History, node: Node | None) -> Check:
    """Whether it answers, and under which name it knows the node; without a node, whether it knows any server."""
    if past.url is None:
        line = (
            "none is configured; with --prometheus URL, or prometheus= in rediagnose.toml, "
            "an answer shows what changed and since when"
        )
        return Check(name="prometheus", state="unset", line=line)
    from tools.past.instance import find_instance
    from tools.past.prometheus import Prometheus

    now = past.clock.now()
    try:
        async with asyncio.timeout(past.deadline), Prometheus(past.url, past.deadline) as prometheus:
            if node is None:
                found = await prometheus.query("count(redis_up)", now.timestamp())
                count = int(found[0].points[-1][1]) if found and found[0].points else 0
                state: State = "ok" if count else "warning"
                return Check(name="prometheus", state=state, line=f"{prometheus.name} has {count} Redis instances")
            began = (now - RECENT).timestamp()
            values = (await find_instance(prometheus, node, began, now.timestamp())).values
    except TimeoutError:
        return Check(name="prometheus", state="failed", line=f"it didn't answer within {past.deadline:g} s")
    except Unanswered as error:
        line = f"it can't be used ({error.kind}): {one_line(error.detail, 300)}"
        return Check(name="prometheus", state="failed", line=line, facts={"kind": error.kind})
    where = f"instance {values.get('instance') or 'without a label'}, job {values.get('job') or 'without a label'}"
    line = f"{prometheus.name} has this server: {where}, found by its {values['matched_by']}"
    return Check(name="prometheus", state="ok", line=line, facts=values)
