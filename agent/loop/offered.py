"""The tools offered to a model: those that, given the readings so far, could tell it something."""

from collections.abc import Sequence

from agent.loop import shape
from agent.loop.digest import HOPELESS
from agent.loop.submission_schema import schema
from agent.model.request import Wire
from tools.records import Reading
from tools.toolbox import Toolbox

READ_RUNBOOK, OPEN_READING = "read_runbook", "reading"
FOLDED = frozenset(
    ("connect", "commandstats", "latencystats", "latency_events", "clients", "memory", "persistence", "keyspace",
     "access", "replication", "cluster", "process", "sockets", "machine", "disk", "log", "kernel_log", "config_drift")
)  # fmt: skip
"""Tools whose arguments hardly matter: `reading` takes one that was read again, in place of a tool of its own."""
MACHINES = ("process", "sockets", "machine")
"""Tools that every look asks about the machine."""
OF_MACHINES = ("disk", "log", "kernel_log", "config_drift")
"""Tools that see nothing of a machine that those can't see, unless a look already read them."""
_TEXT: Wire = {"type": "string"}


def offered_tools(toolbox: Toolbox, *, runbooks: bool = True, concludes: bool = True) -> list[Wire]:
    """The tools given to the model, in a fixed order: those that, given the readings so far, could tell it something.

    A description is cut to its first paragraph; the rest, on the meaning of fields, comes with a tool's first answer.
    A model that doesn't conclude has no way to submit a diagnosis.
    """
    spared = _pointless(toolbox.readings)
    tools = [tool for tool in toolbox.schemas() if tool["function"]["name"] not in spared]
    for tool in tools:
        function = tool["function"]
        # An unknown argument is refused at the call, whether or not the schema says so.
        parameters = {name: part for name, part in function["parameters"].items() if name != "additionalProperties"}
        description = paragraphs(function["description"])[0]
        tool["function"] = {**function, "description": description, "parameters": parameters}
    again: Wire = {"type": "boolean", "description": "Take it anew, and say what changed"}
    fields: Wire = {**_TEXT, "description": "Glob: only these"}
    elsewhere = {"node": {**_TEXT, "description": "With `again`: another node"}} if len(toolbox.nodes) > 1 else {}
    # Where no tool is, nothing can be taken again.
    anew = {"again": again, **elsewhere} if toolbox.tools else {}
    own = [_tool(OPEN_READING, "Open an earlier reading whole; costs the server nothing unless taken again.", "id",
                 fields=fields, **anew)]  # fmt: skip
    if runbooks:
        own.append(
            _tool(
                READ_RUNBOOK,
                "Part of a runbook: that of a cause, by its id; otherwise the start.",
                "name",
                section=_TEXT,
            )
        )
    return [*tools, *own, *([schema()] if concludes else [])]


def paragraphs(description: str) -> tuple[str, str]:
    """What a tool does, and what its fields mean."""
    first, _, rest = description.partition("\n\n")
    return " ".join(first.split()), " ".join(rest.split())


def _tool(name: str, description: str, required: str, **optional: Wire) -> Wire:
    parameters = {"type": "object", "properties": {required: _TEXT, **optional}, "required": [required]}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _pointless(readings: Sequence[Reading]) -> set[str]:
    """Tools that have nothing to report here, such as for a machine that can't be seen or without a cluster.

    Each takes room in every request; one that is called anyway still answers.
    """
    read = {one.tool for one in readings}
    # If the URL's port may be wrong, the others were tried before the model is asked.
    pointless = {"other_ports", *(tool for tool in read if shape.kinds(shape.of_tool(readings, tool)) <= HOPELESS)}
    if all(shape.kinds(shape.of_tool(readings, tool)) == {"not-local"} for tool in MACHINES):
        pointless |= {*OF_MACHINES} - read
    if "log" in pointless:
        pointless.add("log_events")
    pointless |= {tool for tool in FOLDED & read if None in shape.kinds(shape.of_tool(readings, tool))}
    if "info" in read and "history" not in read:
        # If there is a history, it's read along with INFO.
        pointless.add("history")
    if shape.no_cluster(readings):
        pointless.add("cluster")
    if shape.has_read(readings, "topology"):
        # Every look asks all known nodes.
        pointless.add("topology")
    if shape.alone(readings):
        # There is nobody at the other end, and its own state is in the reading already taken.
        pointless |= {"replication"} & read
    if shape.alone(readings) or not shape.no_cluster(readings):
        # There is no balancer in front of a lone primary, or of nodes that clients distinguish.
        pointless |= {"same_server"} - read if shape.has_read(readings, "info") else set()
    if shape.none_silent(readings):
        pointless |= {"ping", "silence", "script"} - read
    if shape.no_keys(readings):
        pointless |= {"big_keys", "prefixes", "lists", "streams"} - read
    infos = shape.of_tool(readings, "info")
    if "large_commands" in read or (infos and all(map(_keeps_no_sizes, infos))):
        # The reading covers ten minutes; slowlog reads the same logs.
        pointless.add("large_commands")
    return pointless


def _keeps_no_sizes(info: Reading) -> bool:
    """Whether a server isn't Valkey 8.1 or later, which has a log of large commands."""
    told = str(info.get("valkey_version") or "0.0").split(".")
    numbers = [int(part) for part in told[:2] if part.isdecimal()]
    return info.get("redis_version") is not None and numbers < [8, 1]
