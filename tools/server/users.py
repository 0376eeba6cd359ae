"""The least-privilege users: which ACL rules a given server accepts, and what the current user can't read."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from tools.connection.allowed import ON_SENTINEL, TABLE, Allowed
from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.records import Record, Values
from tools.server.info import parse_info

UserTier = Literal["reader", "key-reader", "writer"]
NAMES: dict[UserTier, str] = {
    "reader": "rediagnose", "key-reader": "rediagnose-keys", "writer": "rediagnose-writer",
}  # fmt: skip
"""The users' names, by what they may do."""
WRITES: dict[str, str | None] = {
    "config|set": None, "client|kill": None, "client|unpause": None, "memory|purge": None, "script|kill": None,
    "function|kill": "7.0", "bgsave": None,
}  # fmt: skip
"""What the gate's policy lets a person approve, as ACL rules, each with the version that introduced it."""
PASSWORD = "CHANGE-ME"
"""Printed in place of the password."""
HOLES: dict[str, str] = {
    "acl|log": "also allows ACL LOG RESET, which destroys evidence",
    "config|get": "shows requirepass and masterauth to anyone who has this user",
    "xinfo|stream": "shows a stream's first and last entry",
    "config|set": "allows every parameter, including those the policy forbids; only this program distinguishes them",
    "client|kill": "allows CLIENT KILL TYPE, which makes every application reconnect",
}
"""What a rule also allows, because an ACL can't be narrower."""


class LeftOut(Record):
    """A rule that this server wouldn't accept."""

    rule: str
    why: str


class User(Record):
    """One user, in the form that this server accepts."""

    tier: UserTier
    name: str
    rules: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    holes: dict[str, str]
    """By rule, what else it allows."""

    @property
    def command(self) -> str:
        """The ACL SETUSER that creates it."""
        return " ".join(("ACL SETUSER", self.name, *self.rules))


class About(Record):
    """What a server says about itself that its rules depend on."""

    product: Literal["redis", "valkey"]
    version: str | None
    """Null if neither INFO nor HELLO may be asked."""
    sentinel: bool
    known: frozenset[str] | None
    """What COMMAND INFO knows about the requested names; null if it may not be asked."""
    subcommands: bool
    """Whether COMMAND INFO reports subcommands (7.0 and later)."""
    has_acls: bool

    @property
    def source(self) -> str:
        """What the rules were chosen by."""
        if self.subcommands:
            return "COMMAND INFO"
        if self.version is None:
            return "what every version since 6.2 supports"
        return "COMMAND INFO and its version" if self.known is not None else "its version"

    def at_least(self, version: str) -> bool:
        """Whether it's this version or newer; False if its own is unknown."""
        return self.version is not None and _numbers(self.version) >= _numbers(version)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]{1,9}", version[:64])[:2])


async def about(node: Node) -> About:
    """Ask a server what it is, only by reading. Raises `Unanswered` if it says nothing at all."""
    commands = sorted({*TABLE, *WRITES})
    names = [*commands, *sorted({name.partition("|")[0] for name in commands if "|" in name})]
    info, hello, me, listed = await node.ask(
        ("INFO", "server"), ("HELLO",), ("ACL", "WHOAMI"), ("COMMAND", "INFO", *names)
    )
    for reply in (info, me):
        if isinstance(reply, ServerError) and reply.kind not in ("denied", "unknown-command"):
            node.value(reply)
    reported = _reported(node, info, hello)
    known = None
    if isinstance(listed, list) and len(listed) == len(names):
        known = frozenset(name for name, row in zip(names, listed, strict=True) if row)
    version = reported.get("valkey_version") or reported.get("redis_version")
    return About(
        product="valkey" if "valkey_version" in reported else "redis", version=str(version) if version else None,
        sentinel="sentinel" in (reported.get("server_mode"), reported.get("redis_mode")), known=known,
        subcommands=any("|" in name for name in known or ()),
        has_acls=not (isinstance(me, ServerError) and me.kind == "unknown-command"),
    )  # fmt: skip


def _reported(node: Node, info: object, hello: object) -> Values:
    """Version and mode under INFO's names, from HELLO if INFO may not be asked."""
    if isinstance(info, str):
        return parse_info(info, node.pseudonyms).get("server", {})
    if not isinstance(hello, list):
        return {}
    fields = {str(name): str(value) for name, value in zip(hello[::2], hello[1::2], strict=False)}
    product = "valkey" if fields.get("server") == "valkey" else "redis"
    return {f"{product}_version": fields.get("version"), "redis_mode": fields.get("mode")}


def user(server: About, tier: UserTier, db: int) -> User:
    """One user for one server. `db` is the URL's database; 0 needs no SELECT."""
    names, left_out = [], []
    for name, since in _required(server, tier, db):
        if why := missing(server, name, since):
            left_out.append(LeftOut(rule=f"+{name}", why=why))
        else:
            names.append(name)
    rules = ["reset", "on", f">{PASSWORD}", "resetkeys", "resetchannels"]
    if tier == "key-reader":
        # Before 7.0 a user can't be restricted to reading; its commands restrict it.
        rules.append("%R~*" if server.at_least("7.0") else "~*")
    if server.sentinel:
        # A Sentinel's channels are its events.
        rules.append("&*")
    granted = (*rules, "-@all", *(f"+{name}" for name in names))
    holes = {f"+{name}": hole for name, hole in HOLES.items() if name in names}
    return User(tier=tier, name=NAMES[tier], rules=granted, left_out=tuple(left_out), holes=holes)


def readable(server: About, db: int, *, keys: bool) -> list[Allowed]:
    """The rows of the table that a reader of this server is granted, with or without those for keys."""
    tiers = {"reader", "sentinel" if server.sentinel else "", "database" if db else "", "key-reader" if keys else ""}
    rows = [row for row in TABLE.values() if row.tier in tiers]
    if not server.sentinel:
        return rows
    # What the others hide is reported by a data node, not by a Sentinel.
    theirs = [row.model_copy(update={"causes": ()}) for row in rows if row.name in ON_SENTINEL]
    return [*theirs, *(row for row in rows if row.tier == "sentinel")]


def _required(server: About, tier: UserTier, db: int) -> Iterable[tuple[str, Mapping[str, str] | None]]:
    for row in readable(server, db, keys=tier == "key-reader"):
        yield row.name, row.since
    if tier == "writer":
        for name, since in WRITES.items():
            yield name, {"redis": since, "valkey": since} if since else None


def missing(server: About, name: str, since: Mapping[str, str] | None) -> str | None:
    """Why a server wouldn't accept the rule, or None if it does. `since` is by product, null for what 6.2 has."""
    new_enough = since is None or (server.product in since and server.at_least(since[server.product]))
    if server.known is None:
        there = new_enough
    elif server.subcommands:
        there = name in server.known
    else:
        there = new_enough and name.partition("|")[0] in server.known
    if there:
        return None
    if new_enough:
        return "this server doesn't have it, or has it under another name"
    own = {server.product: since[server.product]} if since and server.product in since else since or {}
    came = ", ".join(f"{product.capitalize()} {version}" for product, version in own.items())
    return f"it came with {came}" + (", but this server's version can't be read" if server.version is None else "")
