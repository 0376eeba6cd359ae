"""What the readings say of a deployment's shape, as far as it rules something out for good."""

from collections.abc import Collection, Iterable, Sequence

from tools.records import Reading

PROMPT = ("connect", "latency_sample")
"""Readings that a server which answers at once leaves."""
SILENT = frozenset(("timeout", "busy", "reset"))


def of_tool(readings: Iterable[Reading], tool: str) -> list[Reading]:
    """The readings of a tool."""
    return [one for one in readings if one.tool == tool]


def has_read(readings: Iterable[Reading], tool: str) -> bool:
    """Whether a tool was answered each time."""
    return kinds(of_tool(readings, tool)) == {None}


def kinds(readings: Iterable[Reading]) -> set[str | None]:
    """The kinds of unavailable among readings; null for one that was had."""
    return {one.unavailable.kind if one.unavailable else None for one in readings}


def no_cluster(readings: Sequence[Reading]) -> bool:
    """Whether each node says that it's in no cluster."""
    return _each(of_tool(readings, "info"), ("server_mode", "redis_mode"), {"standalone", "sentinel"})


def alone(readings: Sequence[Reading]) -> bool:
    """Whether there is one node, a primary without replicas and outside of a cluster."""
    infos = of_tool(readings, "info")
    single = len({one.node for one in infos}) == 1 and no_cluster(readings) and no_sentinel(readings)
    return single and _each(infos, ("connected_slaves",), {0}) and _each(infos, ("role",), {"master"})


def no_sentinel(readings: Sequence[Reading]) -> bool:
    """Whether no sentinel watches, as far as it was looked for."""
    told = of_tool(readings, "topology")
    watched = any(one.get("topology") == "sentinel" or one.get("sentinels") == "announced" for one in told)
    return bool(told) and not watched and not of_tool(readings, "sentinel")


def all_prompt(readings: Sequence[Reading]) -> bool:
    """Whether each node took a connection and answered, and no reading met with silence."""
    asked = [of_tool(readings, tool) for tool in PROMPT]
    return all(asked) and all(kinds(of) == {None} for of in asked) and not kinds(readings) & SILENT


def no_keys(readings: Sequence[Reading]) -> bool:
    """Whether each node that was asked holds nothing."""
    return _each(of_tool(readings, "keyspace"), ("keys",), {0})


def no_aof(readings: Sequence[Reading]) -> bool:
    """Whether no node that answers keeps an append-only file."""
    return all_prompt(readings) and _each(of_tool(readings, "persistence"), ("aof_enabled",), {0})


def _each(readings: Collection[Reading], fields: Sequence[str], wanted: Collection[object]) -> bool:
    """Whether there are readings, and each has one of these values; one that doesn't tell has none."""
    return bool(readings) and all(
        next((value for field in fields if (value := one.get(field)) is not None), None) in wanted for one in readings
    )
