"""What the readings say about a deployment's shape, as far as that definitely rules something out."""

from collections.abc import Collection, Iterable, Sequence

from tools.records import Reading

PROMPT = ("connect", "latency_sample")
"""Readings that a responsive server leaves."""
SILENT = frozenset(("timeout", "busy", "reset"))


def of_tool(readings: Iterable[Reading], tool: str) -> list[Reading]:
    """The readings of a tool."""
    return [one for one in readings if one.tool == tool]


def has_read(readings: Iterable[Reading], tool: str) -> bool:
    """Whether a tool got an answer every time."""
    return kinds(of_tool(readings, tool)) == {None}


def kinds(readings: Iterable[Reading]) -> set[str | None]:
    """The kinds of unavailability among readings; null for a successful one."""
    return {one.unavailable.kind if one.unavailable else None for one in readings}


def no_cluster(readings: Sequence[Reading]) -> bool:
    """Whether every node says that it isn't in a cluster."""
    return _each(of_tool(readings, "info"), ("server_mode", "redis_mode"), {"standalone", "sentinel"})


def alone(readings: Sequence[Reading]) -> bool:
    """Whether there is only one node, a primary without replicas and not in a cluster."""
    infos = of_tool(readings, "info")
    single = len({one.node for one in infos}) == 1 and no_cluster(readings) and no_sentinel(readings)
    return single and _each(infos, ("connected_slaves",), {0}) and _each(infos, ("role",), {"master"})


def no_sentinel(readings: Sequence[Reading]) -> bool:
    """Whether no sentinel is watching, as far as was checked."""
    told = of_tool(readings, "topology")
    watched = any(one.get("topology") == "sentinel" or one.get("sentinels") == "announced" for one in told)
    return bool(told) and not watched and not of_tool(readings, "sentinel")


def all_prompt(readings: Sequence[Reading]) -> bool:
    """Whether every node accepted a connection and answered, and no reading met with silence."""
    asked = [of_tool(readings, tool) for tool in PROMPT]
    return all(asked) and all(kinds(of) == {None} for of in asked) and not kinds(readings) & SILENT


def none_silent(readings: Sequence[Reading]) -> bool:
    """Whether every node was asked for PINGs or refused at once, and no reading met with silence."""
    asked = [of_tool(readings, tool) for tool in PROMPT]
    return all(asked) and kinds(one for of in asked for one in of) <= {None, "refused"} and not kinds(readings) & SILENT


def no_keys(readings: Sequence[Reading]) -> bool:
    """Whether every node that was asked is empty."""
    return _each(of_tool(readings, "keyspace"), ("keys",), {0})


def no_aof(readings: Sequence[Reading]) -> bool:
    """Whether no node that answers keeps an append-only file."""
    return all_prompt(readings) and _each(of_tool(readings, "persistence"), ("aof_enabled",), {0})


def _each(readings: Collection[Reading], fields: Sequence[str], wanted: Collection[object]) -> bool:
    """Whether there are readings and each has one of these values; one that lacks the field doesn't."""
    return bool(readings) and all(
        next((value for field in fields if (value := one.get(field)) is not None), None) in wanted for one in readings
    )
