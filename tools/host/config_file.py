"""The configuration file that the server was started with, and how it differs from what runs."""

import re
from collections.abc import Iterator, Mapping

from tools.errors import Unanswered
from tools.host.listener import Place
from tools.host.local import Host, offload
from tools.host.proc import Files
from tools.host.process import arguments, config_argument, plain_path
from tools.records import Record, Scalar, Values
from tools.redact import HIDDEN, hide_secrets, is_secret
from tools.toolbox import reads

MOST_FILES, MOST_DEPTH, MOST_BYTES = 16, 4, 256 * 1024
"""Files that are followed through `include`, how deep, and what is read of each."""
SHOWN = 150
"""Parameters of the file that are shown."""
COUNTED = frozenset({"user", "rename-command", "sentinel", "loadmodule"})
"""What is counted and never shown: a command's new name is a kind of password, and modules take arguments."""
KNOWN = (
    "/etc/redis/redis.conf", "/etc/redis/{port}.conf", "/etc/redis.conf", "/etc/redis/redis-server.conf",
    "/etc/valkey/valkey.conf", "/etc/valkey/{port}.conf", "/usr/local/etc/redis/redis.conf", "/data/redis.conf",
)  # fmt: skip
"""Where to look for a file that nobody named; it counts only if its port is the target's."""
_REPEATED = frozenset({"save", "client-output-buffer-limit", "user", "rename-command", "loadmodule", "sentinel"})
_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}
_AMOUNT = re.compile(r"(-?\d+)(b|kb?|mb?|gb?|)", re.IGNORECASE)
_CLASSES = {"normal": "normal", "slave": "replica", "replica": "replica", "pubsub": "pubsub"}
_RENAMED = {
    "lua-time-limit": "busy-reply-threshold", "masterauth": "primaryauth", "masteruser": "primaryuser",
    "slaveof": "replicaof", "slave-announce-ip": "replica-announce-ip",
}  # fmt: skip


class Configuration(Record):
    """The content of a configuration file."""

    path: str | None = None
    """The first file; null where none is known, empty for a server that was started without one."""
    values: Mapping[str, str] = {}
    """By lower-case name, as written, without quotes; of a repeated one all, joined. Secrets too, unless from facts."""
    files: int = 0
    """Files that were read."""
    guessed: bool = False
    """Whether it's only the file at a usual place that has the port."""
    unread: int = 0
    """Files that were named by `include` and couldn't be read, or were too many."""


@reads
async def config_file(host: Host) -> Values:
    """The server's configuration file on its machine, includes followed: what is written there.

    `config_file` is its path (empty: started without one, so CONFIG REWRITE fails), `files` how many were read,
    `includes_unread` how many weren't; `guessed` where nobody named it and it lies in a
    usual place and has the port. The parameters come by their names. Secrets come as ***, users, renamed commands
    and Sentinel's lines as `<name>.count` only.
    """
    place = await host.local_place()
    found = await offload(configuration, host, place)
    if found.path is None or not found.files:
        known = {"config_file": plain_path(found.path)} if found.path is not None else {}
        if found.path == "":
            return {**host.provenance(place), "config_file": "", "files": 0}
        why = "isn't known: read INFO first" if found.path is None else "can't be read by this user"
        raise Unanswered("not-local", f"the configuration file {why}", host.provenance(place) | known)
    values: Values = {
        **host.provenance(place), "config_file": plain_path(found.path), "files": found.files,
        "includes_unread": found.unread, "parameters": len(found.values), "guessed": found.guessed,
    }  # fmt: skip
    for name, value in sorted(found.values.items())[:SHOWN]:
        if is_secret(name):
            values[name] = HIDDEN if value else ""
        elif name in COUNTED:
            values[f"{name}.count"] = value.count("\n") + 1
        else:
            values[name] = hide_secrets(value)[:200]
    return values


def configuration(host: Host, place: Place) -> Configuration:
    """The configuration from the file that INFO or an argument names, or from a usual place."""
    files, folder = host.files, f"/proc/{place.pid}"
    if host.config_file == "":
        return Configuration(path="")
    found_there = host.facts.config if host.facts else None
    named = host.config_file or found_there or (config_argument(arguments(files, folder)) if place.pid else None)
    if named is not None:
        base = f"{folder}/root" if named.startswith("/") else f"{folder}/cwd/"
        for prefix in (base, "") if place.pid else ("",):
            if files.size(prefix + named) is not None:
                return read_configuration(files, prefix, named)
        return Configuration(path=named)
    # In a container the usual places are the container's own.
    prefix = f"{folder}/root" if place.pid and files.names(f"{folder}/root") is not None else ""
    for path in (one.format(port=host.target.port) for one in KNOWN):
        if files.size(prefix + path) is not None:
            found = read_configuration(files, prefix, path)
            if found.values.get("port", "6379") == str(place.port or host.target.port):
                return found.model_copy(update={"guessed": True})
    return Configuration()


def read_configuration(files: Files, prefix: str, path: str) -> Configuration:
    """A file and those that it includes; `prefix` comes before every absolute path."""
    values: dict[str, str] = {}
    seen = {"files": 0, "unread": 0}
    for name, value in _directives(files, prefix, path, seen, 0):
        if name in _REPEATED and name in values and value:
            values[name] += f"{' ' if name in ('save', 'client-output-buffer-limit') else chr(10)}{value}"
        else:
            values[name] = value
    return Configuration(path=path, values=values, files=seen["files"], unread=seen["unread"])


def _directives(files: Files, prefix: str, path: str, seen: dict[str, int], depth: int) -> Iterator[tuple[str, str]]:
    follow = seen["files"] < MOST_FILES and depth < MOST_DEPTH and files.size(prefix + path) is not None
    text = files.text(prefix + path) if follow else None
    if text is None:
        seen["unread"] += 1
        return
    seen["files"] += 1
    for line in text[:MOST_BYTES].splitlines():
        words = _words(line)
        if not words or words[0].startswith("#"):
            continue
        if words[0].lower() == "include" and len(words) > 1:
            # Relative to where the server was started, which isn't known; beside the file is the usual place.
            pattern = words[1] if words[1].startswith("/") else f"{path.rpartition('/')[0]}/{words[1]}"
            for included in files.matching(prefix, pattern)[:MOST_FILES] or [pattern]:
                yield from _directives(files, prefix, included, seen, depth + 1)
        else:
            yield words[0].lower(), " ".join(words[1:])


def _words(line: str) -> list[str]:
    """A line's words; quoted ones without their quotes and escapes."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)', line.strip())
    return [re.sub(r"\\(.)", r"\1", double or single) or bare for double, single, bare in found]


def canonical_name(name: str) -> str:
    """A parameter's one name among its aliases: replica for slave, listpack for ziplist, primary for master."""
    name = name.lower()
    name = name.replace("slave", "replica").replace("ziplist", "listpack")
    return _RENAMED.get(name, name)


def drift(file: Mapping[str, str], running: Mapping[str, Scalar]) -> dict[str, tuple[str, Scalar]]:
    """The parameters that the file sets and that run with another value: name as it runs, to (file, running)."""
    names = {canonical_name(name): name for name in running}
    differing: dict[str, tuple[str, Scalar]] = {}
    for name, written in file.items():
        runs = names.get(canonical_name(name))
        if runs is None or written == HIDDEN or name in ("include", "loadmodule"):
            continue
        value = running[runs]
        if not equal_values(canonical_name(name), written, "" if value is None else str(value)):
            differing[runs] = (written, value)
    return differing


def equal_values(name: str, one: str, other: str) -> bool:
    """Whether two ways to write a value mean the same."""
    if name == "client-output-buffer-limit":
        first, second = _limits(one), _limits(other)
        # A class that the file doesn't name has the built-in limit, which isn't drift.
        return all(second.get(kind, limits) == limits for kind, limits in first.items())
    if name in ("logfile", "dir", "pidfile", "unixsocket"):
        # The server shows the folder in full, where the file may say it relative to where it was started.
        return one.rstrip("/") == other.rstrip("/") or (not one.startswith("/") and other.endswith(one.strip("./")))
    if name == "notify-keyspace-events":
        return _events(one) == _events(other)
    return _plain(name, one) == _plain(name, other)


def _plain(name: str, value: str) -> object:
    words = value.strip().lower().split()
    if name == "bind":
        return sorted(words)
    if is_secret(name):
        return value
    return [amount(word) for word in words]


def _events(flags: str) -> set[str]:
    return set(flags.replace("A", "g$lshzxetd"))


def amount(word: str) -> int | str:
    """A number with or without a unit of memory as bytes; any other word as it is."""
    found = _AMOUNT.fullmatch(word)
    return int(found[1]) * _UNITS[found[2].lower()] if found else word


def _limits(value: str) -> dict[str, tuple[int | str, ...]]:
    words = value.lower().split()
    parts = [words[at : at + 4] for at in range(0, len(words), 4)]
    return {_CLASSES.get(part[0], part[0]): tuple(amount(word) for word in part[1:]) for part in parts}
