"""A server that is gone because it failed to start, for the reason that its log ends with."""

from collections.abc import Callable

from agent.checks.appendonly import ended
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.evidence.view import Cited, View

START = "start_failed"
FORMATS = {
    8: "Redis 4.0", 9: "Redis 5.0 to 6.2", 10: "Redis 7.0", 11: "Redis 7.2 or Valkey 7.2 to 8.1",
    12: "Redis 7.4 to 8.2", 80: "Valkey 9.0 or newer",
}  # fmt: skip
"""The releases that write each version of a dump's format (RDB_VERSION in their rdb.h)."""
_ERRNOS = {
    "permission": "permission denied", "missing": "it doesn't exist", "read-only": "the file system is read-only",
    "not-a-directory": "part of its path isn't a folder", "is-a-directory": "it's a folder", "no-space": "disk full",
    "not-a-module": "it isn't a module for this machine", "other-version": "it's built for another release",
    "other-machine": "it's built for another machine", "no-such-address": "this machine doesn't have that address",
    "in-use": "it's in use", "no-memory": "out of memory", "limit": "a limit on processes or threads is reached",
    "busy": "the file itself is a mount, and can't be replaced",
}  # fmt: skip
LOOSE = frozenset({"timeout", "dns", "reset"})
"""How a missing server looks from behind a service or a load balancer."""


def _field(view: View, name: str) -> str:
    return view.text("log", f"{START}.{name}")


def _because(view: View) -> str:
    told = _ERRNOS.get(_field(view, "errno"))
    return f" ({told})" if told else ""


def _line(view: View) -> str:
    """The line and the directive of the configuration, as far as known."""
    line, directive, like = (_field(view, name) for name in ("line", "directive", "like"))
    file, address = _field(view, "file"), _field(view, "address")
    what = f"line {line} of the configuration" if line else ""
    if directive:
        what = f"{what}, {directive}" if what else f"the directive {directive}"
    if address:
        what = f"{what or 'the directive bind'}, which says {address}"
    if not what and file:
        what = f"the file {file}"
    elif not directive and file:
        what += f", which names {file}"
    return (what or "the line that the log names") + (f" (is {like} meant?)" if like else "")


def _config(view: View) -> str:
    problem, version = _field(view, "problem"), _field(view, "version")
    of = f" by {version}" if version else ""
    if _field(view, "directive") == "tls-port" and problem != "value":
        return f"its binary was built without TLS{of and f' ({version})'}, but {_line(view)} asks for it"
    if problem == "unknown":
        return f"{_line(view)}, isn't understood{of}: the directive is unknown, or its arguments are wrong"
    if problem == "value":
        return f"{_line(view)}, has a value that isn't accepted{of}"
    return f"{_line(view)} can't be used{_because(view)}"


def _dump_version(view: View) -> str:
    number, version = view.number("log", f"{START}.format"), _field(view, "version")
    why = f"its dump was written by a newer or different server{f' ({version})' if version else ''}"
    return why if number is None else f"{why}: format {number:.0f}, {FORMATS.get(int(number), 'a newer release')}"


def _dump_corrupt(view: View) -> str:
    if _field(view, "problem") == "signature":
        return (
            "its dump doesn't start like one that it knows: it is damaged, isn't a dump, or was written by Valkey 9 or "
            "newer, whose dumps start with VALKEY"
        )
    return "its dump is damaged or truncated"


def _acl(view: View) -> str:
    file, line, user = _field(view, "file"), _field(view, "line"), _field(view, "user")
    if line:
        return f"line {line} of its ACL file {file} isn't understood"
    if user:
        return f"a rule of the user {user} isn't understood"
    return f"its ACL file {file or 'that the log names'} can't be used{_because(view)}"


def _module(view: View) -> str:
    if kind := _field(view, "type"):
        return f"its data contains values of the module type {kind}, but no module that knows it is loaded"
    return f"the module {_field(view, 'file') or 'that the log names'} can't be loaded{_because(view)}"


def _tls(view: View) -> str:
    return (
        f"a file of its TLS configuration, {_field(view, 'file') or 'named in the log'}, can't be used{_because(view)}"
    )


def _port(view: View) -> str:
    return f"something else already listens at {_field(view, 'address') or 'its address'}"


def _cluster_file(view: View) -> str:
    file = _field(view, "file") or "the file of the cluster's nodes"
    if _field(view, "problem") == "held":
        return f"another running node already uses {file}, the file in which a cluster's node keeps who it is"
    return f"the file in which a cluster's node keeps who it is, {file}, can't be used{_because(view)}"


def _threads(view: View) -> str:
    if _field(view, "errno") == "permission":
        return (
            "the system doesn't let it create threads (operation not permitted): a container's seccomp profile, mostly "
            "that of a container runtime older than the image, forbids the system call"
        )
    return f"it couldn't create its background threads{_because(view)}"


def _permission(view: View) -> str:
    file, address = _field(view, "file"), _field(view, "address")
    if address:
        return f"it isn't allowed to listen at {address}: ports below 1024 are for root"
    if _field(view, "directive"):
        return f"{_line(view)} names a file that its user may not open{_because(view)}"
    if _field(view, "errno") == "read-only":
        return f"it can't write {file or 'its data files'}{_because(view)}"
    return f"its user may not read or write {file or 'its data files'} (permission denied)"


_WHY: dict[str, Callable[[View], str]] = {
    "config": _config, "dump-version": _dump_version, "dump-corrupt": _dump_corrupt, "acl-file": _acl,
    "module": _module, "tls-files": _tls, "port-in-use": _port, "permission": _permission,
    "cluster-file": _cluster_file, "threads": _threads,
}  # fmt: skip
NAMED = (
    "reason", "line", "directive", "like", "file", "address", "format", "type", "user", "errno", "problem", "version",
    "count",
)  # fmt: skip


def start_failed(view: View, limits: Limits) -> Found:
    """The last run in the log never served, and says why; nothing that answers is that run."""
    reason = _field(view, "reason")
    if reason not in _WHY:
        return
    gone, kind = ended(view), view.unavailable("connect")
    ours, pid = view.number("info", "process_id"), view.number("log", "end_pid")
    foreign = view.text("process", "locality") == "foreign-listener"
    another = reason == "port-in-use" and not gone and (foreign or (kind is None and pid is not None and ours != pid))
    # Of a pasted log nobody knows what came after it, and nothing shows that anything did.
    alone = view.text("log", "destination") == "pasted" and view.unavailable("info") == "not-pasted"
    if not (gone or another or alone or kind in LOOSE):
        return
    count = view.number("log", f"{START}.count") or 1
    tries = (
        f"The server gave up during each of its last {count:.0f} starts"
        if count > 1
        else "The server gave up during startup"
    )
    why = f"{tries}: {_WHY[reason](view)}."
    cited: tuple[Cited, ...] = (
        *(("log", f"{START}.{name}") for name in NAMED), ("log", "end"), ("connect", "unavailable"),
        ("process", "listening"), ("process", "locality"),
        *((("info", "process_id"), ("log", "end_pid")) if another else ()),
    )  # fmt: skip
    yield view.cause("start-failed", 0.97 if gone else 0.9 if another or alone else 0.75, why, *cited)
    if gone:
        yield view.not_(
            "oom-killed", "The server's log ends during startup, with its own exit.", ("log", f"{START}.reason")
        )


def _known(phrase: Callable[[View], str], *reasons: str) -> Callable[[View], tuple[str, ...]]:
    return lambda view: (phrase(view),) if _field(view, "reason") in reasons else ()


def _file(view: View) -> str:
    return _field(view, "file") or (
        "dump.rdb" if _field(view, "reason").startswith("dump") else "the file that the log names"
    )


FAMILY = Family(
    checks=(start_failed,),
    needs={"start-failed": ("log",)},
    consequences={
        "start-failed": {"process-down": 0.45, "oom-killed": 0.3, "firewall-drop": 0.5, "process-frozen": 0.45},
    },
    placeholders=(
        Placeholder(name="start_line", example="line 7 of the configuration, maxmemry", values=_known(_line, "config")),
        Placeholder(name="start_file", example="/etc/redis/users.acl", values=_known(_file, *_WHY)),
        Placeholder(
            name="start_address", example="127.0.0.1:6379",
            values=_known(lambda view: _field(view, "address") or "its address", "port-in-use"),
        ),
        Placeholder(
            name="start_version", example="redis 7.0.15",
            values=_known(lambda view: _field(view, "version") or "this release", *_WHY),
        ),
        Placeholder(name="start_acl", example="line 3 of users.acl", values=_known(
            lambda view: f"line {_field(view, 'line')} of {_file(view)}" if _field(view, "line")
            else f"the rules of the user {_field(view, 'user')}" if _field(view, "user") else _file(view), "acl-file",
        )),
        Placeholder(name="start_module", example="the module /usr/lib/redis/rejson.so", values=_known(
            lambda view: f"a module that knows the type {_field(view, 'type')}" if _field(view, "type")
            else f"the module {_file(view)}", "module",
        )),
    ),
)  # fmt: skip
