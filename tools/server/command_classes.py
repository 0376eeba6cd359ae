"""What a command does: whether it writes, waits by design, or belongs to a module.

The server is asked if we don't know.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Record

MOST_ASKED = 32
"""Most names in one COMMAND INFO: a server with every module has some hundreds, and few are in use."""
_NAME = deferred(r"[a-z0-9_.-]{1,64}")

_KNOWN: dict[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in tomllib.loads(Path(__file__).with_name("commands.toml").read_text("utf-8")).items()
}

_MODULE = deferred(
    r"[a-z0-9_-]+\.[a-z0-9_.-]+|v(add|sim|rem|card|dim|emb|links|info|ismember|getattr|setattr|randmember|range)"
)
"""Names of module commands: those with a dot, and those of vector sets."""
_MODULE_WRITES = deferred(
    r"json\.(set|mset|merge|del|forget|num\w+|str(append)|arr(append|insert|pop|trim)|toggle|clear)|"
    r"ts\.(add|madd|create|createrule|alter|del|deleterule|incrby|decrby)|v(add|rem|setattr)|"
    r"ft\.(create|alter|drop\w*|add|del|alias\w+|sug(add|del)|dict(add|del)|syn\w*update)|"
    r"(bf|cf|cms|topk|tdigest)\.(reserve|add|addnx|madd|insert|insertnx|del|init\w+|incrby|merge|create|reset|loadchunk)"
)
"""Which of them write, if the server doesn't say."""


class CommandClass(Record):
    """What one command does."""

    writes: bool
    may_replicate: bool = False
    """Whether a pause of writes holds it back although it isn't a write."""
    blocks: bool = False
    """Whether it may keep its client waiting by design."""
    module: bool = False
    needs_memory: bool = False
    """Whether it's refused at maxmemory if nothing may be evicted."""


def known_class(name: str) -> CommandClass | None:
    """What a core command does, by its name in lower case; None for any other."""
    first = name.partition("|")[0]
    kinds = {kind for kind, names in _KNOWN.items() if first in names}
    if not kinds:
        return None
    return CommandClass(
        writes="writes" in kinds, may_replicate="may_replicate" in kinds, blocks="blocks" in kinds,
        needs_memory="needs_memory" in kinds,
    )  # fmt: skip


def guessed_class(name: str) -> CommandClass | None:
    """What a module command does, judged only by its name in lower case; None if that says nothing."""
    if _MODULE.fullmatch(name) is None:
        return None
    return CommandClass(writes=_MODULE_WRITES.fullmatch(name) is not None, module=True)


async def command_classes(node: Node, names: Iterable[str]) -> dict[str, CommandClass]:
    """What these commands do, by their names in lower case, where known.

    COMMAND INFO is asked once for names that aren't the core's, and its answer is kept; if it's refused, what a name
    implies is used. Raises `Unanswered` if the server doesn't answer.
    """
    wanted = list(dict.fromkeys(name.lower() for name in names))
    unknown = [name for name in wanted if known_class(name) is None and _NAME.fullmatch(name)]
    new = [name for name in unknown if name not in node.classes][:MOST_ASKED]
    if new:
        # Before it's answered, so that concurrent readings don't ask again.
        node.classes.update({name: _flags(guessed_class(name)) for name in new})
        (reply,) = await node.ask(("COMMAND", "INFO", *new))
        if not isinstance(reply, ServerError) and isinstance(reply, list):
            for name, row in zip(new, reply, strict=False):
                if isinstance(row, list) and len(row) > 2 and isinstance(row[2], list):
                    node.classes[name] = frozenset(str(flag) for flag in row[2][:64])
    found = {}
    for name in wanted:
        if one := known_class(name) or _of_flags(node.classes.get(name)):
            found[name] = one
    return found


async def known_classes(node: Node, names: Iterable[str]) -> dict[str, CommandClass]:
    """The same, only from what is known if the server can't be asked."""
    try:
        return await command_classes(node, names)
    except Unanswered:
        return {name: one for name in names if (one := known_class(name) or guessed_class(name))}


def _flags(one: CommandClass | None) -> frozenset[str]:
    return (
        frozenset(flag for flag, said in (("write", one.writes), ("module", one.module)) if said)
        if one
        else frozenset()
    )


def _of_flags(flags: frozenset[str] | None) -> CommandClass | None:
    if not flags:
        return None
    return CommandClass(
        writes="write" in flags, may_replicate="may_replicate" in flags, blocks="blocking" in flags,
        module="module" in flags, needs_memory="denyoom" in flags,
    )  # fmt: skip
