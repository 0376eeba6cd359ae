"""`python -m evals.command_table`: what each installed server's COMMAND says, as a replay repeats it."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from redis.asyncio import Connection
from redis.exceptions import ResponseError

from evals.lab.servers import ServerKind, installed, running
from tools.record.command_table import TABLE

HEAD = "# What COMMAND and COMMAND DOCS say of each command: `python -m evals.command_table` asks what is installed.\n"
COLUMNS = "# name, words, flags, first key, last key, step, categories, servers or *, since, group, summary\n"


class Said(NamedTuple):
    """One server's."""

    rows: list[tuple[str, ...]]
    docs: dict[str, dict[str, str]]
    """By command; empty before version 7.0."""


async def said_by(kind: ServerKind) -> Said:
    """What a server says, without the commands of modules that not each of its kind has."""
    async with running(kind) as server:
        connection = Connection(port=server.port, decode_responses=True, protocol=2)
        try:
            await connection.send_command("COMMAND")
            rows = [_row(entry) for entry in await connection.read_response()]
            docs: dict[str, dict[str, str]] = {}
            with contextlib.suppress(ResponseError):
                await connection.send_command("COMMAND", "DOCS")
                flat = await connection.read_response()
                docs = {name: dict(zip(one[::2], one[1::2], strict=True)) for name, one in _pairs(flat)}
            # A module's commands depend on what else was loaded.
            return Said([row for row in rows if "." not in row[0]], docs)
        finally:
            await connection.disconnect()


def _pairs(flat: list[Any]) -> Iterator[tuple[str, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _row(entry: list[Any]) -> tuple[str, ...]:
    name, words, flags, first, last, step, *rest = entry
    categories = ",".join(sorted(one.removeprefix("@") for one in rest[0])) if rest else ""
    return str(name), str(words), ",".join(sorted(flags)) or "-", str(first), str(last), str(step), categories or "-"


def table(said: dict[str, Said]) -> str:
    """The file's text, from what each server said."""
    having: dict[tuple[str, ...], list[str]] = {}
    docs: dict[str, dict[str, str]] = {}
    for kind, one in said.items():
        docs |= one.docs
        for row in one.rows:
            having.setdefault(row, []).append(kind)
    lines = []
    for row, kinds in having.items():
        about = docs.get(row[0], {})
        words = (about.get(name, "") for name in ("since", "group", "summary"))
        lines.append("\t".join((*row, "*" if len(kinds) == len(said) else ",".join(kinds), *words)))
    servers = f"# servers: {' '.join(said)}\n"
    return HEAD + COLUMNS + servers + "".join(f"{line}\n" for line in sorted(lines))


async def _every(kinds: Iterable[ServerKind]) -> dict[str, Said]:
    return {kind.name: await said_by(kind) for kind in sorted(kinds, key=lambda kind: kind.name)}


def main() -> None:
    """Write the table in its place."""
    Path(TABLE).write_text(table(asyncio.run(_every(installed()))), encoding="utf-8")


if __name__ == "__main__":
    main()
