"""Where the things are that a remedy is about: addresses, processes, files, as read, or else how to find them."""

from collections.abc import Callable
from pathlib import PurePosixPath

from agent.checks.elections import SHOWN, heir, lost_primaries
from agent.checks.types import Placeholder
from agent.evidence.view import View

Values = Callable[[View], tuple[str, ...]]
_SYSTEM = frozenset(
    ("/", one)
    for one in (
        "bin",
        "boot",
        "dev",
        "etc",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "proc",
        "root",
        "run",
        "sbin",
        "sys",
        "usr",
    )
)
_SHARED = frozenset(
    ("/", "/home", "/media", "/mnt", "/opt", "/srv", "/tmp", "/var", "/var/cache", "/var/lib", "/var/log", "/var/run",
     "/var/spool", "/var/tmp")
)  # fmt: skip
"""Folders that must never be given to a server's user, and the system's own, including everything below."""


def _some(value: str) -> tuple[str, ...]:
    return (value,) if value else ()


def _split(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), port


def _own(part: int | None) -> Values:
    def values(view: View) -> tuple[str, ...]:
        node = view.node or ""
        if node.startswith("unix:") or ":" not in node:
            return ()
        return _some(node if part is None else _split(node)[part])

    return values


def primary_address(view: View) -> str:
    """For a replica, its primary's address."""
    host, port = view.text("replication", "master_host"), view.text("replication", "master_port")
    host, port = host or view.text("info", "master_host"), port or view.text("info", "master_port")
    if not host or not port:
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _primary(part: int | None) -> Values:
    def values(view: View) -> tuple[str, ...]:
        address = primary_address(view)
        return _some(address if part is None or not address else _split(address)[part])

    return values


def _roles(view: View) -> list[tuple[str, str, str]]:
    """Address, role and how its peers see it, of each node of the topology."""
    at = [field.removesuffix(".node") for field in view.fields("topology") if field.endswith(".node")]
    return [
        (view.text("topology", f"{n}.node"), view.text("topology", f"{n}.role"), view.text("topology", f"{n}.seen"))
        for n in at
    ]


def _peer(view: View) -> tuple[str, ...]:
    """Who knows more while this node doesn't answer: the primary of a replica, a replica of a primary."""
    mine = view.in_topology.get("role")
    wanted = "primary" if mine == "replica" else "replica"
    others = [address for address, role, seen in _roles(view) if role == wanted and address != view.node]
    return tuple(others[:1])


def _missing(view: View) -> tuple[str, ...]:
    attached = {str(row.get("address")) for row in view.rows("replication", "r").values()}
    gone = [
        address for address, role, seen in _roles(view)
        if role == "replica" and (seen == "down" or _is_silent(view.peer(address))) and address not in attached
    ]  # fmt: skip
    return (", ".join(gone[:3]) or "none is attached now",)


def _is_silent(peer: View | None) -> bool:
    return peer is not None and (peer.unavailable("connect") is not None or peer.unavailable("info") is not None)


def _lags(view: View) -> tuple[str, float]:
    """The replica that is furthest behind, and by how many bytes; for a replica, itself."""
    if view.text("replication", "role") == "slave":
        return view.node or "", 0.0
    found = []
    for number in range(1, SHOWN + 1):
        at = f"replica{number}"
        if address := view.text("replication", f"{at}.address"):
            found.append((view.number("replication", f"{at}.lag_bytes") or 0.0, address))
    size, address = max(found, default=(0.0, ""))
    return address, size


def _lagging(view: View) -> tuple[str, ...]:
    address, size = _lags(view)
    behind = f"{address}, {size / (1 << 20):.3g} MiB behind" if size >= 1 << 14 else address
    return (behind or "whose offset in INFO replication is the smallest",)


def _heirs(view: View) -> tuple[str, ...]:
    found = (heir(view, one.address) for one in list(lost_primaries(view))[:3])
    return tuple(one.node for one in found if one is not None and one.node)


def _sentinel(view: View) -> View | None:
    """A sentinel that was read."""
    if view.text("sentinel", "m1.name"):
        return view
    return next((peer for peer in view.peers_with("sentinel") if peer.text("sentinel", "m1.name")), None)


def _of_sentinel(get: Callable[[View], str], how: str = "") -> Values:
    def values(view: View) -> tuple[str, ...]:
        watching = _sentinel(view)
        return _some((get(watching) if watching else "") or how)

    return values


def _lost_sentinels(view: View) -> str:
    rows = [field.removesuffix(".reachable") for field, value in view.fields("sentinel").items()
            if field.startswith("m1.s") and field.endswith(".reachable") and value is False]  # fmt: skip
    return ", ".join(view.text("sentinel", f"{at}.address") for at in rows[:4])


def _barred_by_state(watching: View) -> str:
    """The replicas that a sentinel can't currently promote, and why, except those barred by their priority."""
    rows = [field.removesuffix(".barred") for field, value in watching.fields("sentinel").items()
            if field.startswith("m1.r") and field.endswith(".barred") and value and value != "priority-0"]  # fmt: skip
    told = [(watching.text("sentinel", f"{at}.address"), watching.text("sentinel", f"{at}.barred")) for at in rows[:3]]
    return ", ".join(f"{address}, {why}" if address else why for address, why in told)


def _barred(view: View) -> tuple[str, ...]:
    """The replicas whose priority of 0 bars them, as a sentinel lists them."""
    if not view.is_sentinel:
        return ()
    rows = [field.removesuffix(".slave-priority") for field, value in view.fields("sentinel").items()
            if field.startswith("m1.r") and field.endswith(".slave-priority") and value == 0]  # fmt: skip
    return tuple(address for at in rows[:2] if (address := view.text("sentinel", f"{at}.address")))


def _down_after(view: View) -> str:
    value = view.number("sentinel", "m1.down-after-milliseconds")
    return f"{value:.0f} ms" if value is not None else ""


def _pid(view: View) -> tuple[str, ...]:
    pid = view.number("process", "pid")
    return (f"{pid:.0f}",) if pid and view.get("process", "listening") is not False else ()


def _child(view: View) -> tuple[str, ...]:
    pid = view.number("process", "child_pid")
    return (f"{pid:.0f}",) if pid else ()


def data_folder(view: View) -> str:
    """The folder of the server's files; empty if it wasn't read."""
    return view.text("disk", "dir") or view.text("persistence", "config.dir")


def _absolute(path: str) -> tuple[str, ...]:
    return (path,) if PurePosixPath(path).is_absolute() else ()


def _own_folder(view: View) -> tuple[str, ...]:
    """Its folder, unless it's a system or shared folder: a server may be started in /, or claim that it was."""
    path = PurePosixPath(data_folder(view))
    is_shared = str(path) in _SHARED or path.parts[:2] in _SYSTEM or ".." in path.parts or str(path).startswith("//")
    return () if is_shared else _absolute(str(path))


def _dump(view: View) -> str:
    folder, name = data_folder(view), view.text("persistence", "config.dbfilename")
    return f"{folder.rstrip('/')}/{name}" if folder and name else ""


def _log(view: View) -> tuple[str, ...]:
    file, folder = view.text("log", "file") or view.text("config_get", "logfile"), data_folder(view)
    return _absolute(file) or (_absolute(f"{folder}/{file}") if file and folder and "/" not in file else ())


def _config(view: View) -> tuple[str, ...]:
    files = (view.text("config_drift", "config_file"), view.text("info", "config_file"),
             view.text("process", "argument_config"))  # fmt: skip
    return next((found for file in files if (found := _absolute(file))), ())


def _start_path(view: View) -> tuple[str, ...]:
    return _absolute(view.text("log", "start_failed.file"))


def _prefix(view: View) -> tuple[str, ...]:
    return _some(view.text("prefixes", "p1.prefix"))


PLACEHOLDERS = (
    Placeholder(name="address", example="10.0.0.7:6379", values=_own(None)),
    Placeholder(name="host", example="10.0.0.7", values=_own(0)),
    Placeholder(name="port", example="6379", values=_own(1)),
    Placeholder(name="primary", example="10.0.0.1:6379", values=_primary(None)),
    Placeholder(name="primary_host", example="10.0.0.1", values=_primary(0)),
    Placeholder(name="primary_port", example="6379", values=_primary(1)),
    Placeholder(name="peer", example="10.0.0.2:6379", values=_peer),
    Placeholder(name="missing_replicas", example="10.0.0.2:6379", values=_missing),
    Placeholder(name="lagging", example="10.0.0.2:6379, 35 MiB behind", values=_lagging),
    Placeholder(name="lagging_node", example="10.0.0.2:6379", values=lambda view: _some(_lags(view)[0])),
    Placeholder(name="heir", example="10.0.0.5:6379", values=_heirs),
    Placeholder(name="sentinel", example="10.0.0.9:26379", values=_of_sentinel(lambda one: one.node or "")),
    Placeholder(name="master_name", example="mymaster",
                values=_of_sentinel(lambda one: one.text("sentinel", "m1.name"))),
    Placeholder(name="named_primary", example="10.0.0.1:6379", values=_of_sentinel(
        lambda one: one.text("sentinel", "m1.address"), "the one that SENTINEL MASTERS shows")),
    Placeholder(name="lost_sentinels", example="10.0.0.9:26379",
                values=_of_sentinel(_lost_sentinels, "SENTINEL SENTINELS lists them with the flag s_down")),
    Placeholder(name="barred", example="10.0.0.2:6379, s_down",
                values=_of_sentinel(_barred_by_state, "SENTINEL REPLICAS shows such flags")),
    Placeholder(name="barred_replica", example="10.0.0.2:6379", values=_barred),
    Placeholder(name="down_after", example="1000 ms",
                values=_of_sentinel(_down_after, "shown by SENTINEL MASTERS")),
    Placeholder(name="pid", example="4711", values=_pid),
    Placeholder(name="child_pid", example="4712", values=_child),
    Placeholder(name="folder", example="/var/lib/redis",
                values=lambda view: (data_folder(view) or "the data folder (dir in the configuration file)",)),
    Placeholder(name="data_path", example="/var/lib/redis", values=lambda view: _absolute(data_folder(view))),
    Placeholder(name="own_folder", example="/var/lib/redis", values=_own_folder),
    Placeholder(name="dump", example="/var/lib/redis/dump.rdb",
                values=lambda view: (_dump(view) or "(dir and dbfilename in the configuration file)",)),
    Placeholder(name="dump_path", example="/var/lib/redis/dump.rdb", values=lambda view: _absolute(_dump(view))),
    Placeholder(name="server_uid", example="999", values=lambda view: _some(view.text("disk", "server_user"))),
    Placeholder(name="log_path", example="/var/log/redis/redis.log", values=_log),
    Placeholder(name="config_path", example="/etc/redis/redis.conf", values=_config),
    Placeholder(name="start_path", example="/var/lib/redis/dump.rdb", values=_start_path),
    Placeholder(name="key_prefix", example="order:", values=_prefix),
)  # fmt: skip
