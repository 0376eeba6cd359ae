"""Faults of a cluster whose nodes came back at other addresses."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.servers import Server, ServerKind, start
from evals.lab.topologies import _bus_port, clustered

FAULTS = Family("cluster")


def _put(file: Path, folder: Path) -> None:
    shutil.copy(file, folder / "nodes.conf")


@FAULTS.fault(
    "cluster-slots-down-elsewhere",
    "Our Redis cluster doesn't survive a restart of all its pods: cluster_state:fail, and it never heals.",
    "CLUSTERDOWN since the Kubernetes upgrade. All pods of the Redis cluster are running.",
    cause="cluster-slots-down", twin="healthy-cluster", never=(r"FLUSHSLOTS",),
)  # fmt: skip
async def elsewhere(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """All nodes came back at once with their nodes.conf, and each at a new address."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        kept = []
        async with clustered(kind, 3, 1) as nodes:
            for number, member in enumerate(nodes.members):
                kept.append(Path(folder) / f"{number}.conf")
                shutil.copy(member.server.folder / "nodes.conf", kept[-1])
        config = {"cluster-enabled": "yes", "cluster-config-file": "nodes.conf", "cluster-node-timeout": "2000"}
        async with AsyncExitStack() as stack:
            servers: list[Server] = []
            for file in kept:
                servers.append(await start(kind, config=config, port=_bus_port(), prepare=partial(_put, file)))
                stack.push_async_callback(servers[-1].stop)
            await asyncio.sleep(rng.uniform(4, 6))
            one = rng.choice(servers)
            yield Incident(url=one.url, pid=one.pid)
