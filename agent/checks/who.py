"""Who a remedy is about: the client's name and address as read, or else how to see them."""

from collections.abc import Callable, Iterable, Mapping

from agent.checks.error_meanings import SCRIPTS
from agent.checks.errors import who
from agent.checks.senders import sender
from agent.checks.types import Placeholder
from agent.evidence.view import View
from tools.records import Scalar

_MIB = 1 << 20
YOUNG = 1
"""Highest age in seconds of all clients of an owner that opens a connection for each request."""
WRITES = ("set", "hset", "incr", "lpush", "rpush", "zadd", "sadd", "xadd", "del", "expire", "setex", "incrby")
FREES = ("del", "unlink", "rename", "hdel", "lrem", "zremrangebyrank", "zremrangebyscore")


def named(row: Mapping[str, Scalar]) -> str:
    """A client as "name at address"; empty where neither was read."""
    name, address = row.get("name"), row.get("address")
    return f"{name} at {address}" if name and address else str(name or address or "")


def _connections(row: Mapping[str, Scalar]) -> str:
    count = row.get("count")
    return named(row) + (f", {count} connection{'' if count == 1 else 's'}" if count else "")


def _or(found: str, how: str) -> tuple[str, ...]:
    return (found or how,)


def _owners(view: View) -> Iterable[Mapping[str, Scalar]]:
    return view.rows("clients", "o").values()


def _number(row: Mapping[str, Scalar], field: str) -> float:
    value = row.get(field)
    return float(value) if isinstance(value, int | float) else 0.0


def _owner(view: View) -> tuple[str, ...]:
    """Who holds most connections."""
    first = next(iter(_owners(view)), {})
    return _or(_connections(first) if named(first) else "", "the one with the most lines in CLIENT LIST")


def _leaking(view: View) -> Mapping[str, Scalar]:
    return max(_owners(view), key=lambda row: _number(row, "unused"), default={})


def _leaker(view: View) -> tuple[str, ...]:
    row = _leaking(view)
    unused = f", of which {row['unused']} have done nothing since they connected" if row.get("unused") else ""
    return _or(f"{_connections(row)}{unused}" if named(row) else "", "the one with the most idle lines in CLIENT LIST")


def _leaker_address(view: View) -> tuple[str, ...]:
    address = _leaking(view).get("address")
    return (str(address),) if address else ()


def _churner(view: View) -> tuple[str, ...]:
    young = [row for row in _owners(view) if named(row) and row.get("age_max") is not None]
    young = [row for row in young if _number(row, "age_max") <= YOUNG]
    most = max(young, key=lambda row: _number(row, "count"), default={})
    how = "the application that opens so many connections (its lines in CLIENT LIST have an age of 0 to 2 seconds)"
    return _or(named(most), how)


def _blocked(view: View) -> tuple[str, ...]:
    groups = [row for row in view.rows("clients", "g").values() if "b" in str(row.get("flags", "")) and named(row)]
    most = max(groups, key=lambda row: _number(row, "count"), default={})
    command = f" in {str(most['cmd']).upper()}" if most.get("cmd") else ""
    return _or(f"{_connections(most)}{command}" if most else "", "their lines in CLIENT LIST have flags=b")


def _last(*commands: str) -> Callable[[View], str]:
    """Whose clients' last command was one of these."""

    def found(view: View) -> str:
        for command in commands:
            if by := who(view, command)[0] or sender(view, command):
                return by
        return ""

    return found


def _logged(view: View, *commands: str) -> str:
    """Who sent one of these commands, and on which key, by the slow log's newest entry."""
    for row in view.rows("slowlog", "e").values():
        if str(row.get("command", "")).lower() in commands:
            by = named({"name": row.get("name"), "address": row.get("client")})
            key = f", on {row['key']}" if row.get("key") else ""
            return f"{by or 'a client'}{key}"
    return ""


def _refused(view: View) -> tuple[str, ...]:
    """The logins that were refused, as ACL LOG has them."""
    rows = [row for row in view.rows("access", "e").values() if row.get("reason") == "auth"]
    told = [f"{named({'name': row.get('client'), 'address': row.get('address')})} as user {row.get('user')}"
            for row in rows[:3] if row.get("address")]  # fmt: skip
    return _or(
        f"ACL LOG shows refused logins by {'; '.join(told)}." if told else "",
        "ACL LOG lists the user and address for a wrong password, but has "
        "nothing about clients that send none (NOAUTH).",
    )


def _wrong_reader(view: View) -> tuple[str, ...]:
    """Who reads in a database that has fewer keys than another one."""
    found = []
    for field, value in view.fields("clients").items():
        at, _, rest = field.partition(".")
        if rest == "readers" and value and at.startswith("db"):
            keys = view.number("keyspace", f"{at}.keys") or 0
            row = {name: view.get("clients", f"{at}.{name}") for name in ("name", "address")}
            found.append((keys, f"{named(row)}, now in database {at.removeprefix('db')}" if named(row) else ""))
    return _or(
        min(found, default=(0, ""))[1], "its line in CLIENT LIST has a different db from the keys in INFO keyspace"
    )


def _holding(view: View, *fields: str) -> tuple[float, str, str]:
    """The largest of these buffers: its bytes, its owner, and that client's id."""
    sizes = [(view.number("clients", f if f != "stalled" else "stalled.omem") or 0, f) for f in fields]
    size, field = max(sizes)
    names = ("address",) if field == "stalled" else ("name", "address")
    row = {name: view.get("clients", f"{field}.{name}") for name in names}
    known = view.text("clients", f"{field}.id")
    return size, named(row) if known else "", known


def _holder(what: str, how: str, *fields: str) -> Callable[[View], tuple[str, ...]]:
    def values(view: View) -> tuple[str, ...]:
        size, by, known = _holding(view, *fields)
        amount = f", {size / _MIB:.3g} MiB {what}" if size >= _MIB / 100 else ""
        return _or(f"{by} (client {known}{amount})" if by else "", how)

    return values


def _holder_id(*fields: str) -> Callable[[View], tuple[str, ...]]:
    return lambda view: (known,) if (known := _holding(view, *fields)[2]) else ()


def _largest_reply(view: View) -> tuple[str, ...]:
    row = {
        field: view.get("large_commands", f"reply.{field}") for field in ("command", "key", "bytes", "name", "client")
    }
    if not row["command"]:
        return ("COMMANDLOG GET 10 large-reply lists the largest replies on Valkey from 8.1",)
    by = named({"name": row["name"], "address": row["client"]})
    size = f", {_number(row, 'bytes') / _MIB:.3g} MiB" if row["bytes"] else ""
    of = f" of {row['key']}" if row["key"] else ""
    return (f"the largest is {row['command']}{of}{size}" + (f", by {by}" if by else ""),)


def _script(view: View) -> tuple[str, ...]:
    found = _last(*SCRIPTS)(view) or _logged(view, *SCRIPTS)
    command = view.text("script", "command")
    name = command if command.replace("_", "").isalnum() else ""
    return _or(" by ".join(filter(None, (name, found))), "CLIENT LIST shows its caller once the server answers again")


def _monitors(view: View) -> tuple[str, ...]:
    """Who runs MONITOR, and how many of them the plan ends."""
    count, ids = view.number("clients", "monitors") or 0, view.text("clients", "monitor.ids").split()
    rows = [row for row in view.rows("clients", "g").values() if row.get("cmd") == "monitor" and named(row)]
    by = ", ".join(dict.fromkeys(map(named, rows)))
    if not ids:
        return _or(by, "its lines in CLIENT LIST have flags=O")
    clients = f"{count:.0f} client{'s' if count > 1 else ''}"
    clients += f", of which this plan disconnects {MOST_MONITORS}" if count > MOST_MONITORS else ""
    return (f"{clients}: {by}" if by else clients,)


MOST_MONITORS = 4
"""The most monitors that a plan ends, each by a step of its own."""
READERS = ("omem_max", "stalled")
SENDERS = ("qbuf_max", "argv_mem_max")


def _monitor_ids(view: View) -> tuple[str, ...]:
    return tuple(view.text("clients", "monitor.ids").split()[:MOST_MONITORS])


PLACEHOLDERS = (
    Placeholder(name="owner", example="orders at 10.0.0.7, 111 connections", values=_owner),
    Placeholder(name="leaker", example="orders at 10.0.0.7, 111 connections", values=_leaker),
    Placeholder(name="leaker_address", example="10.0.0.7", values=_leaker_address),
    Placeholder(name="churner", example="orders at 10.0.0.7", values=_churner),
    Placeholder(name="blocked_who", example="mailer at 10.0.0.7, 20 connections in BLPOP", values=_blocked),
    Placeholder(name="moved_client", example="orders at 10.0.0.7", values=lambda view: _or(
        named(next(iter(_owners(view)), {})), "the application whose connections CLIENT LIST shows on this node")),
    Placeholder(name="writer", example="orders at 10.0.0.7", values=lambda view: _or(
        _last(*WRITES)(view), "CLIENT LIST here shows their last commands")),
    Placeholder(name="exec_caller", example="orders at 10.0.0.7", values=lambda view: _or(
        _last("exec")(view), "the one whose last command in CLIENT LIST is exec")),
    Placeholder(name="deleter", example="orders at 10.0.0.7, on cart:9", values=lambda view: _or(
        _logged(view, *FREES) or _last(*FREES)(view), "redis-cli --bigkeys -i 0.1 finds the key")),
    Placeholder(name="flusher", example="catalog-import at 10.0.0.7", values=lambda view: _or(
        _logged(view, "flushdb", "flushall") or _last("flushdb", "flushall")(view),
        "SLOWLOG GET names the client")),
    Placeholder(name="refused_logins", example="ACL LOG shows refused logins by orders at 10.0.0.7 as user app.",
                values=_refused),
    Placeholder(name="wrong_reader", example="orders at 10.0.0.7, now in database 1", values=_wrong_reader),
    Placeholder(name="reader", example="orders at 10.0.0.7 (client 7, 30 MiB unread)",
                values=_holder("unread", "with the largest omem in CLIENT LIST", *READERS)),
    Placeholder(name="reader_id", example="7", values=_holder_id(*READERS)),
    Placeholder(name="sender", example="orders at 10.0.0.7 (client 7, 30 MiB sent so far)",
                values=_holder("sent so far", "with the largest qbuf in CLIENT LIST", *SENDERS)),
    Placeholder(name="sender_id", example="7", values=_holder_id(*SENDERS)),
    Placeholder(name="largest_reply", example="the largest is HGETALL of catalog:all, 17 MiB, by orders at 10.0.0.7",
                values=_largest_reply),
    Placeholder(name="script_running", example="EVAL by orders at 10.0.0.7", values=_script),
    Placeholder(name="monitors", example="3 clients: ops at 10.0.0.9", values=_monitors),
    Placeholder(name="monitor_id", example="7", values=_monitor_ids),
)  # fmt: skip
