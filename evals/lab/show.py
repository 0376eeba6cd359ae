"""`rediagnose lab list`: the faults, what they're about, and which can be had here."""

import json
from typing import Any

from agent.cli.program import ANSWERED
from evals.inputs import ListInputs
from evals.lab.catalogue import FAULTS
from evals.lab.fault import Fault
from evals.lab.servers import ServerKind, installed, missing


def show(inputs: ListInputs) -> int:
    """Print the faults, as text or JSON."""
    kinds = installed()
    if inputs.format == "json":
        print(json.dumps({"schema": 1, "servers": [_server(kind) for kind in kinds], "missing": missing(),
                          "faults": [fault_facts(fault, kinds) for fault in FAULTS.values()]}, indent=2))  # fmt: skip
        return ANSWERED
    family = ""
    for fault in FAULTS.values():
        if fault.family != family:
            family = fault.family
            print(f"\n{family}")
        print("\n".join(_lines(fault, kinds)))
    print(f"\nservers: {', '.join(f'{kind.name} ({kind.binary})' for kind in kinds) or 'none'}")
    for line in missing():
        print(f"missing: {line}")
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


def _lines(fault: Fault, kinds: list[ServerKind]) -> list[str]:
    causes = " + ".join((fault.cause, *fault.also))
    lines = [f"  {fault.id}" if causes == fault.id else f"  {fault.id}: {causes}"]
    lines += [f'    "{ticket}"' for ticket in fault.tickets]
    if fault.twin:
        lines.append(f"    twin: {fault.twin}")
    lines += [f"    not here: {reason}" for reason in reasons(fault, kinds)]
    return lines


def reasons(fault: Fault, kinds: list[ServerKind]) -> list[str]:
    """Why a fault can't be had on some of these servers, each reason once."""
    return list(dict.fromkeys(reason for kind in kinds if (reason := fault.unavailable(kind))))
