"""Who the agent is to the server, and whom the server refused."""

from collections.abc import Mapping
from typing import Any

from tools.connection.node import CLIENT_NAME, Node
from tools.connection.protocol import ServerError
from tools.records import Values
from tools.server.doctor import unavailable
from tools.toolbox import reads

ENTRIES = 32
"""Most entries of ACL LOG that are read: a name in it can be 16 kB long."""
SHOWN = 6
"""Most entries that are shown individually."""


@reads
async def access(node: Node) -> Values:
    """Who the agent is to the server; ACL LOG: who was refused, how often, when.

    `user` is the agent's own, `user.default` whether it's the default one. Per reason (auth is WRONGPASS; command,
    key and channel are NOPERM) `<reason>.count`, `.newest_age` in seconds and `.users`, how many names were refused;
    `e1` to `e6` are the newest entries with `reason`, `count`, `age`, `user`, `object`, `context`, `client`,
    `address`. A name given with a wrong password is always a handle: it can be a password itself. A missing
    password isn't in the log (that is errorstat_NOAUTH). This program's own refusals are left out of `entries`;
    with `own.unavailable` it could recognise them only by its user, and left that user's other unnamed clients out too.
    """
    me, log = await node.ask(("ACL", "WHOAMI"), ("ACL", "LOG", ENTRIES))
    if isinstance(me, ServerError) and isinstance(log, ServerError):
        node.value(log)
    values: Values = {"user": None, "user.default": None, "entries": None}
    if isinstance(me, ServerError):
        values["user.unavailable"] = unavailable(node, me)
    else:
        values |= {"user": node.pseudonyms.plain("user", str(me)), "user.default": me == "default"}
    if isinstance(log, ServerError):
        values["log.unavailable"] = unavailable(node, log)
        return values
    known = node.client_id is not None or node.own.calls["client|setname"] > 0
    if not known:
        values["own.unavailable"] = "denied"
    entries = [_fields(row) for row in log[:ENTRIES]]
    others = sorted((one for one in entries if not _own(node, one, me if not known else None)), key=_age)
    values["entries"] = len(others)
    names: dict[str, set[str]] = {}
    for number, entry in enumerate(others, 1):
        reason = node.pseudonyms.plain("reason", str(entry.get("reason", "unknown")))
        names.setdefault(reason, set()).add(str(entry.get("username")))
        values[f"{reason}.count"] = int(values.get(f"{reason}.count") or 0) + _count(entry)
        # The newest comes first.
        values.setdefault(f"{reason}.newest_age", _age(entry))
        values[f"{reason}.users"] = len(names[reason])
        if number <= SHOWN:
            values |= {f"e{number}.{field}": value for field, value in _shown(node, reason, entry).items()}
    return values


def _fields(pairs: Any) -> dict[str, Any]:
    return {str(name): value for name, value in zip(pairs[::2], pairs[1::2], strict=False)}


def _count(entry: Mapping[str, Any]) -> int:
    return int(entry.get("count", 1))


def _age(entry: Mapping[str, Any]) -> float:
    return round(float(entry.get("age-seconds", 0)), 1)


def _client(entry: Mapping[str, Any]) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in str(entry.get("client-info", "")).split(" "))


def _own(node: Node, entry: Mapping[str, Any], user: str | None) -> bool:
    """Whether it's this program's. With a `user`, that user's unnamed clients count as this program."""
    client = _client(entry)
    if user is not None and not client.get("name") and entry.get("username") == user:
        return True
    return client.get("name") == CLIENT_NAME or client.get("id") == str(node.client_id)


def _shown(node: Node, reason: str, entry: Mapping[str, Any]) -> Values:
    client, user = _client(entry), str(entry.get("username", ""))
    plain = node.pseudonyms.plain
    if reason == "auth" and user != "default":
        # Swapping the two arguments of AUTH puts the password here, so not even a plain name passes.
        user = f"the name {user}"
    what = reason if reason in ("key", "channel") else "command"
    return {
        "reason": reason, "count": _count(entry), "age": _age(entry), "user": plain("user", user),
        "object": plain(what, str(entry.get("object", "")).replace("|", ":")),
        "context": plain("context", str(entry.get("context", ""))),
        "client": plain("client", client.get("name", "")),
        "address": plain("address", client.get("addr", "").rpartition(":")[0]),
    }  # fmt: skip
