"""Clients grouped by what they have in common: their name, their address, their last command."""

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Literal

from tools.connection.node import CLIENT_NAME, Node
from tools.patterns import deferred
from tools.records import Values
from tools.redact import PLAIN
from tools.server.client_list import Client
from tools.server.client_sample import listed
from tools.server.keyspace import share
from tools.toolbox import reads

By = Literal["name", "address", "command", "user"]
SHOWN = 10
"""The most groups that are shown, largest first."""
COMMANDS = 3
"""The most last commands shown of a group, most frequent first."""
LONGEST = 256
"""Characters of a name that are examined."""
_UUID = deferred(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = deferred(r"(?=[a-f]*[0-9])[0-9a-f]{8,}", re.IGNORECASE)
_WORD = deferred(r"[A-Za-z0-9]+")
_NUMBERED = deferred(r"([A-Za-z]+)[0-9]+")
_STARS = deferred(r"\*(?:[.:_/-]?\*)+")


@reads
async def client_groups(node: Node, by: By = "name") -> Values:
    """Clients grouped by name pattern (numbers and ids as *), address, last command or user, largest first.

    `g1.name`, or what they were grouped by, with `.count` and `.share` of those seen; `.names` and `.addresses` are how
    many different ones there are, `.cmds` their last commands, `.id` the one connected longest. Idle in seconds; memory
    and buffers in bytes, if the server reports them. `unnamed` have no name. `listed` of `connected` clients were seen
    (`share_seen`): of many it's a sample by ID.
    """
    every, connected = await listed(node)
    seen = [client for client in every if client.id != node.client_id and client.name != CLIENT_NAME]
    # This program's own entries aren't the application's.
    connected -= len(every) - len(seen)
    groups: defaultdict[str, list[Client]] = defaultdict(list)
    for client in seen:
        groups[_KEYS[by](client)].append(client)
    ranked = sorted(groups, key=lambda key: (-len(groups[key]), key))
    values: Values = {
        "connected": connected, "listed": len(seen),
        "share_seen": round(min(1.0, len(seen) / connected), 3) if connected > 0 else 1.0,
        "by": by, "groups": len(groups), "unnamed": sum(not client.name for client in seen),
    }  # fmt: skip
    for number, key in enumerate(ranked[:SHOWN], 1):
        values |= _described(node, f"g{number}", by, key, groups[key])
        values[f"g{number}.share"] = share(len(groups[key]), len(seen))
    return values


def name_pattern(name: str) -> str:
    """A client's name with the varying parts as `*`: numbers, ids, hexadecimal digests."""

    def general(word: re.Match[str]) -> str:
        if not any(map(str.isdigit, word[0])):
            return word[0]
        numbered = _NUMBERED.fullmatch(word[0])
        return f"{numbered[1]}*" if numbered and not _HEX.fullmatch(word[0]) else "*"

    return _STARS.sub("*", _WORD.sub(general, _UUID.sub("*", name[:LONGEST])))


_KEYS: Mapping[By, Callable[[Client], str]] = {
    "name": lambda client: name_pattern(client.name), "address": lambda client: client.host,
    "command": lambda client: client.cmd.replace("|", ":"), "user": lambda client: client.user,
}  # fmt: skip


def _described(node: Node, at: str, by: By, key: str, members: list[Client]) -> Values:
    idle = [client.idle for client in members]
    last = Counter(client.cmd for client in members).most_common(COMMANDS)
    values: Values = {
        f"{at}.{by}": _shown_name(node, key, members) if by == "name" else node.pseudonyms.plain(by, key),
        f"{at}.count": len(members),
        f"{at}.cmds": " ".join(node.pseudonyms.plain("command", cmd.replace("|", ":")) for cmd, _ in last),
        f"{at}.names": len({client.name for client in members}),
        f"{at}.addresses": len({client.host for client in members}),
        f"{at}.idle_median": statistics.median_low(idle), f"{at}.idle_max": max(idle),
        f"{at}.id": max(members, key=lambda client: client.age).id,
        f"{at}.blocked": sum("b" in client.flags for client in members),
    }  # fmt: skip
    for field, name in (("tot_mem", "memory"), ("omem", "omem"), ("qbuf", "qbuf")):
        if total := sum(getattr(client, field) for client in members):
            values[f"{at}.{name}_sum"] = total
    return values


def _shown_name(node: Node, pattern: str, members: list[Client]) -> str:
    """The pattern if it's plain apart from its stars, else a handle; that of the name if it contains a secret."""
    secret = next((client.name for client in members if node.pseudonyms.knows(client.name)), None)
    if secret is not None:
        return node.pseudonyms.plain("client", secret)
    rest = pattern.replace("*", "")
    if "*" in pattern and len(pattern) <= 32 and (not rest or PLAIN.fullmatch(rest)):
        return pattern
    return node.pseudonyms.plain("client", pattern)
