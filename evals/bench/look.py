"""One look at servers by the whole program, as a row of the growth table."""

import json
import shutil
from collections.abc import Sequence
from typing import Any

from evals.bench.page import Page
from evals.bench.records import Gate, Row
from evals.bench.spent import Run, forget, program, run, served
from evals.lab.servers import Server
from evals.lab.wire import Wire

SYMPTOM = "requests time out"
TYPED = (("INFO",), ("SLOWLOG", "GET", "128"), ("CLIENT", "LIST"), ("LATENCY", "LATEST"),
         ("LATENCY", "HISTORY", "command"))  # fmt: skip
"""What a person asks a server first."""


async def cost(size: str, way: str, commands: Sequence[Sequence[str]], wires: Sequence[Wire]) -> tuple[Row, list[Run]]:
    """What commands cost, one after the other, themselves and the servers behind the wires. Raises `OSError`."""
    await forget(wires)
    done = [await run(*command) for command in commands]
    theirs = await served(wires)
    row = Row(
        size=size, way=way, cpu=sum(one.cpu for one in done), wall=sum(one.wall for one in done),
        waited=sum(one.waited for one in done), memory=max((one.memory for one in done if one.memory), default=None),
        commands=theirs.commands, served=theirs.ms, longest=theirs.longest, cycle=theirs.cycle,
    )  # fmt: skip
    return row, done


async def add_by_hand(page: Page, size: str, servers: Sequence[Server], wires: Sequence[Wire]) -> None:
    """The row of what a person types at each of the servers, where redis-cli is here. Raises `OSError`."""
    row = await by_hand(size, servers, wires)
    if row:
        page.row(row)
    else:
        page.note(f"{size} by hand: not measured: there is no redis-cli here")


async def by_hand(size: str, servers: Sequence[Server], wires: Sequence[Wire]) -> Row | None:
    """What a person types at each of the servers costs; null where there is no redis-cli. Raises `OSError`."""
    client = shutil.which("redis-cli") or shutil.which("valkey-cli")
    if client is None:
        return None
    commands = [(client, "-h", one.host, "-p", str(one.port), *words) for one in servers for words in TYPED]
    row, _ = await cost(size, "redis-cli", commands, wires)
    return row.model_copy(update={"answer": f"{len(commands)} outputs to read"})


async def triage(size: str, url: str, wires: Sequence[Wire]) -> tuple[Row, dict[str, Any]]:
    """What one triage costs, and its answer; empty where it gave none. Raises `OSError`."""
    command = (*program(), "triage", url, SYMPTOM, "--model", "offline", "--format", "json", "--approve", "never")
    row, (done,) = await cost(size, "triage", [command], wires)
    try:
        answer = json.loads(done.out)
    except ValueError:
        return row, {}
    first = [cause["id"] for cause in answer["causes"][:1]]
    return row.model_copy(update={"answer": first[0] if first else answer["outcome"]}), answer


def best(rows: Sequence[Row]) -> Row:
    """The least of each figure among those that gave an answer: what else runs only adds. All their answers."""
    said = [row.answer or "no answer" for row in rows]
    counts = {one: said.count(one) for one in dict.fromkeys(said)}
    told = said[0] if len(counts) == 1 else ", ".join(f"{one} {count} of {len(said)}" for one, count in counts.items())
    good = [row for row in rows if row.answer] or rows
    least = {
        name: min((one for row in good if (one := getattr(row, name)) is not None), default=None)
        for name in ("wall", "served", "longest", "cycle")
    }
    return min(good, key=lambda row: row.cpu).model_copy(update={"answer": told, **least})


def measured(name: str, values: Sequence[float], limit: float, unit: str, waited: Sequence[float] = ()) -> Gate:
    """A cost of several runs against its limit, `waited` of each of which may be what else ran on the machine.

    That only adds: it's broken where the least of them is above the limit, held where half of them are inside.
    """
    if not values:
        return Gate(name=name, limit=limit, unit=unit, why="no run gave it")
    middle = sorted(values)[(len(values) - 1) // 2]
    least = min(value - delay for value, delay in zip(values, waited or [0.0] * len(values), strict=True))
    return Gate(name=name, limit=limit, unit=unit, value=middle, low=min(middle, max(0.0, least)), high=middle)


def calm(name: str, rows: Sequence[Row]) -> Gate:
    """Whether servers that are well are called well; a run without an answer leaves it open."""
    wrong = sum(row.answer not in ("", "no-fault") for row in rows)
    none = sum(not row.answer for row in rows)
    return Gate(name=f"answers other than no-fault for {name} that are healthy", limit=0, exact=True, value=wrong,
                low=wrong, high=wrong + none, why=f"{none} runs gave no answer" if none else "")  # fmt: skip
