"""`rediagnose lab list`: the faults, what they're about, and which can be had here."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from agent.cli.program import ANSWERED
from evals.inputs import ListInputs
from evals.lab.catalogue import FAULTS
from evals.lab.fault import Fault
from evals.lab.hold import known
from evals.lab.servers import ServerKind, installed, missing
from evals.lab.worlds import WORLDS


def show(inputs: ListInputs) -> int:
    """Print the faults, a line each, or one in full; as text or JSON. Raises `UsageError` for a fault there isn't."""
    kinds, families = installed(), {fault.family for fault in FAULTS.values()}
    chosen = list(FAULTS.values())
    if inputs.fault in families:
        chosen = [fault for fault in chosen if fault.family == inputs.fault]
    elif inputs.fault is not None:
        chosen = [known(inputs.fault, families)]
    if inputs.format == "json":
        print(json.dumps({"schema": 1, "servers": [_server(kind) for kind in kinds], "missing": missing(),
                          "faults": [fault_facts(fault, kinds) for fault in chosen]}, indent=2))  # fmt: skip
        return ANSWERED
    if inputs.fault is not None and inputs.fault not in families:
        print("\n".join(_in_full(chosen[0], kinds)))
        return ANSWERED
    print("\n".join(_overview(chosen, kinds)))
    return ANSWERED


def fault_facts(fault: Fault, kinds: list[ServerKind]) -> dict[str, Any]:
    """A fault as JSON: `unavailable` says of each server why the fault can't be had on it, null where it can."""
    return {
        "id": fault.id, "family": fault.family, "cause": fault.cause, "also": list(fault.also),
        "tickets": list(fault.tickets), "twin": fault.twin or None, "never": list(fault.never),
        "unavailable": {kind.name: fault.unavailable(kind) for kind in kinds},
    }  # fmt: skip


def _server(kind: ServerKind) -> dict[str, str]:
    return {"name": kind.name, "version": kind.version, "binary": str(kind.binary)}


def _overview(faults: Sequence[Fault], kinds: Sequence[ServerKind]) -> Iterator[str]:
    width = max(len(fault.id) for fault in faults)
    for family in dict.fromkeys(fault.family for fault in faults):
        yield family
        for fault in faults:
            if fault.family == family:
                where = [kind for kind in kinds if fault.unavailable(kind) is None]
                causes = " + ".join((fault.cause, *fault.also))
                notes = ["" if causes == fault.id else causes, "" if where else "not here"]
                yield f"  {fault.id:<{width}}  {'; '.join(note for note in notes if note)}".rstrip()
        yield ""
    yield f"{len(faults)} faults; the cause is given where its name differs."
    yield "rediagnose lab list FAULT shows its tickets, rediagnose lab start FAULT starts a server that has it."
    yield f"servers: {', '.join(kind.name for kind in kinds) or 'none'}"
    for line in missing():
        yield f"missing: {line}"
    for name, world in WORLDS.items():
        yield f"--world {name}: {world.what}"


def _in_full(fault: Fault, kinds: Sequence[ServerKind]) -> Iterator[str]:
    yield f"{fault.id} ({fault.family})"
    yield f"  cause: {' + '.join((fault.cause, *fault.also))}"
    yield from (f'  ticket: "{ticket}"' for ticket in fault.tickets)
    if fault.twin:
        yield f"  the same ticket could be about: {fault.twin}"
    where = [kind.name for kind in kinds if fault.unavailable(kind) is None]
    yield f"  servers: {', '.join(where) or 'none here'}"
    yield from (f"  not here: {reason}" for reason in reasons(fault, kinds))
    if where:
        yield f"rediagnose lab start {fault.id}"


def reasons(fault: Fault, kinds: Sequence[ServerKind]) -> list[str]:
    """Why a fault can't be had on some of these servers, each reason once."""
    return list(dict.fromkeys(reason for kind in kinds if (reason := fault.unavailable(kind))))
