"""SLOWLOG, or COMMANDLOG where that replaced it: what ran long on the server."""

from typing import Annotated, Any

from pydantic import Field

from tools.records import Values
from tools.server.link import ServerError
from tools.server.node import Node
from tools.toolbox import reads


@reads
async def slowlog(
    node: Node,
    count: Annotated[int, Field(ge=1, le=64, description="Newest entries to read.")] = 32,
) -> Values:
    """The newest entries of the slow log by command; durations in microseconds, ages in seconds.

    `len` is the log's length. Per command: `<COMMAND>.count`, `.max_usec`, `.newest_age` and `.clients`; per entry
    `e1.command`, `.usec`, `.age`, `.args` (how many arguments; what they are stays on the server). The slow log counts
    wall-clock time, skips EXEC, and misses a process that was stopped.
    """
    name = "SLOWLOG"
    entries, length, now = await node.ask(("SLOWLOG", "GET", count), ("SLOWLOG", "LEN"), ("TIME",))
    if isinstance(entries, ServerError) and entries.kind == "unknown-command":
        name = "COMMANDLOG"
        entries, length = await node.ask(("COMMANDLOG", "GET", count, "slow"), ("COMMANDLOG", "LEN", "slow"))
    rows = node.value(entries)
    clock = int(now[0]) if isinstance(now, list) else int(node.clock.now().timestamp())
    values: Values = {
        "source": name, "len": None if isinstance(length, ServerError) else length, "entries": 0, "max_usec": 0,
    }  # fmt: skip
    slowest = newest = 0
    for row in rows:
        entry = _entry(row)
        if entry is None:
            continue
        at, usec, args, client, client_name = entry
        command = _command(node, args)
        if node.client_id is not None and client_name == "rediagnose":
            continue
        age = max(0, clock - at)
        number = int(values["entries"] or 0) + 1
        values["entries"] = number
        values[f"e{number}.command"] = command
        values[f"e{number}.usec"] = usec
        values[f"e{number}.age"] = age
        values[f"e{number}.args"] = len(args) - 1
        values[f"e{number}.client"] = node.handles.plain("address", client.rpartition(":")[0])
        _tally(values, command, usec, age)
        slowest, newest = max(slowest, usec), max(newest, at)
    values["max_usec"] = slowest
    values["newest_age"] = clock - newest if newest else None
    return values


def _tally(values: Values, command: str, usec: int, age: int) -> None:
    values[f"{command}.count"] = int(values.get(f"{command}.count") or 0) + 1
    values[f"{command}.max_usec"] = max(int(values.get(f"{command}.max_usec") or 0), usec)
    old = values.get(f"{command}.newest_age")
    values[f"{command}.newest_age"] = age if not isinstance(old, int) else min(old, age)


def _entry(row: Any) -> tuple[int, int, list[str], str, str] | None:
    if not isinstance(row, list) or len(row) < 4 or not isinstance(row[3], list) or not row[3]:
        return None
    client, name = (str(row[4]), str(row[5])) if len(row) > 5 else ("", "")
    return int(row[1]), int(row[2]), [str(arg) for arg in row[3]], client, name


def _command(node: Node, args: list[str]) -> str:
    return node.handles.plain("command", args[0].upper())


@reads
async def acl_log(node: Node) -> Values:
    """ACL LOG by reason: who was refused, how often and how long ago (seconds); names stay on the server.

    A missing password isn't in it (that is errorstat_NOAUTH); WRONGPASS is reason auth, NOPERM command, key or channel.
    """
    rows = await node.one("ACL", "LOG", 32)
    values: Values = {"entries": len(rows)}
    for row in rows:
        entry = {str(key): value for key, value in zip(row[::2], row[1::2], strict=False)}
        reason = str(entry.get("reason", "unknown"))
        count = f"{reason}.count"
        values[count] = int(values.get(count) or 0) + int(entry.get("count", 1))
        age = round(float(entry.get("age-seconds", 0)), 1)
        newest = values.get(f"{reason}.newest_age")
        values[f"{reason}.newest_age"] = age if not isinstance(newest, float) else min(newest, age)
    return values
