"""Faults of the append-only log's folder: its files belong together."""

from collections.abc import AsyncIterator
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.faults.appendonly import GONE, NO_AOF, attempt, written
from evals.lab.machine import place
from evals.lab.servers import LabError, ServerKind, free_port
from evals.lab.traffic import application

FAULTS = Family("persistence")


@FAULTS.fault(
    "aof-corrupt-start-missing", *GONE, "Redis won't start since the disk was cleaned up.", cause="aof-corrupt-start",
    also=("process-down",), kinds=lambda kind: kind.at_least(7), twin="process-down",
    never=(*NO_AOF, r"manifest\b.*\b(edit|remove)"),
)  # fmt: skip
async def aof_corrupt_start_missing(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody took the base file of the append-only folder for an old dump and deleted it."""
    with place() as here:
        await written(kind, rng, here)
        bases = [*here.data.rglob("*.base.*")]
        for base in bases:
            base.unlink()
        if not bases:
            raise LabError("the append-only folder has no base file")
        port, pid = free_port(), 0
        for _ in range(rng.randrange(1, 4)):
            pid, status = attempt(kind, here, port)
            if status != 1:
                raise LabError(f"the server ended with {status}")
        async with application(f"redis://127.0.0.1:{port}", rng):
            yield Incident(url=f"redis://127.0.0.1:{port}", pid=pid, server_log=here.log)
