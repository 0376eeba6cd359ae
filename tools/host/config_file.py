"""The configuration file that the server was started with, and how it differs from the running values."""

import os.path
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Protocol

from tools.errors import Unanswered
from tools.host.directives import DIRECTIVES
from tools.host.listener import Place
from tools.host.local import Host, offload
from tools.host.own_config import is_its_own
from tools.host.proc import Files
from tools.host.process import arguments, config_argument, plain_path
from tools.host.process_files import Opened, ProcessFiles
from tools.host.server_program import has_open, has_title, names_config
from tools.patterns import deferred
from tools.records import Record, Scalar, Values
from tools.redact import HIDDEN, hide_secrets, is_secret
from tools.toolbox import reads

MOST_FILES, MOST_DEPTH, MOST_BYTES = 16, 4, 256 * 1024
"""Most files followed through `include`, how deep, and how much is read of each."""
MOST_TRIED, MOST_LINE = 64, 4096
"""Most files that are tried, and characters of a line."""
SHOWN = 150
"""Most parameters of the file that are shown."""
COUNTED = frozenset({"user", "rename-command", "sentinel", "loadmodule"})
"""Counted but never shown: a command's new name is a kind of password, and modules take arguments."""
KNOWN = (
    "/etc/redis/redis.conf", "/etc/redis/{port}.conf", "/etc/redis.conf", "/etc/redis/redis-server.conf",
    "/etc/valkey/valkey.conf", "/etc/valkey/{port}.conf", "/usr/local/etc/redis/redis.conf", "/data/redis.conf",
)  # fmt: skip
"""Where to look for a file that nobody named; it only counts if its port is the target's."""
_REPEATED = frozenset({"save", "client-output-buffer-limit", "user", "rename-command", "loadmodule", "sentinel"})
_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}
_AMOUNT = deferred(r"(-?\d+)(b|kb?|mb?|gb?|)", re.IGNORECASE)
_CLASSES = {"normal": "normal", "slave": "replica", "replica": "replica", "pubsub": "pubsub"}
_RENAMED = {
    "lua-time-limit": "busy-reply-threshold", "masterauth": "primaryauth", "masteruser": "primaryuser",
    "slaveof": "replicaof", "slave-announce-ip": "replica-announce-ip",
}  # fmt: skip


class Configuration(Record):
    """The content of a configuration file."""

    path: str | None = None
    """The first file; null if unknown, empty for a server started without one."""
    values: Mapping[str, str] = {}
    """By lower-case name, as written, without quotes; repeated ones joined. Includes secrets, unless from facts."""
    files: int = 0
    """Files that were read."""
    guessed: bool = False
    """Whether it's merely the file in a usual place that has the port."""
    unconfirmed: bool = False
    """Whether only the server itself names it and the process doesn't match its settings: then it isn't used."""
    unread: int = 0
    """Files named by `include` that couldn't be read, or were too many."""
    modified: float | None = None
    """When the newest of them was last written, in seconds since the epoch; null if unknown."""


@reads
async def config_file(host: Host) -> Values:
    """The content of the server's configuration file on its machine, with includes.

    `config_file` is its path (empty: started without one, so CONFIG REWRITE fails), `files` how many were read,
    `includes_unread` how many weren't; `guessed` if nobody named it but it is in a usual place and has the port.
    Parameters are fields under their own names. Secrets come as ***, users, renamed commands and Sentinel's lines as
    `<name>.count` only.
    """
    place = await host.local_place()
    found = await offload(configuration, host, place)
    if found.path is None or not found.files:
        known = {"config_file": plain_path(found.path)} if found.path is not None else {}
        if found.path == "":
            return {**host.provenance(place), "config_file": "", "files": 0}
        raise Unanswered("not-local", f"the configuration file {why_unread(found)}", host.provenance(place) | known)
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


def why_unread(found: Configuration) -> str:
    """Why a configuration wasn't read."""
    if found.path is None:
        return "isn't known: read INFO first"
    if found.unconfirmed:
        return "isn't used: only the server names it, and its port, pid file or folder don't match the process"
    return "can't be read by this user"


def configuration(host: Host, place: Place) -> Configuration:
    """The configuration from the file that INFO or an argument names, or from a usual place.

    A file named by a server is only read if its own process vouches for it, and as that process' user could read it.
    """
    if host.config_file == "":
        return Configuration(path="")
    if host.facts is not None:
        return _from_facts(host.files, host.config_file or host.facts.config, place)
    if place.pid is not None and place.locality == "local":
        given = arguments(host.files, f"/proc/{place.pid}")
        named, its = host.config_file or config_argument(given), ProcessFiles(host.files, place.pid)
        if named is not None:
            path = its.absolute(named)
            if names_config(given, its.folder, path) or has_open(host.files, place.pid, path):
                return read_configuration(its, path)
            # The arguments of a process that waits for its disk can't be read.
            read = read_configuration(its, path) if has_title(given) or not given else Configuration()
            own = read.files and is_its_own(read.values, its, host.files, host.target)
            return read if own else Configuration(path=path, unconfirmed=bool(read.files))
    elif host.config_file is not None:
        # The claim of a process that is gone, or whose listener belongs to another.
        return Configuration(path=host.config_file)
    its = ProcessFiles(host.files, place.pid)
    for path in (one.format(port=host.target.port) for one in KNOWN):
        found = read_configuration(its, path)
        if found.files and found.values.get("port", "6379") == str(place.port or host.target.port):
            return found.model_copy(update={"guessed": True})
    return Configuration()


def _from_facts(files: Files, named: str | None, place: Place) -> Configuration:
    """From the script's output; a person provided it."""
    folder = f"/proc/{place.pid}"
    named = named or (config_argument(arguments(files, folder)) if place.pid else None)
    if named is None:
        return Configuration()
    base = f"{folder}/root" if named.startswith("/") else f"{folder}/cwd/"
    for prefix in (base, "") if place.pid else ("",):
        if files.size(prefix + named) is not None:
            return read_configuration(PrintedFiles(files, prefix), named)
    return Configuration(path=named)


class Readable(Protocol):
    """What a configuration is read from."""

    def read(self, path: str, most: int, *, within: str | None = None) -> Opened | None:
        """A file's first bytes, if its real path is in `within`."""

    def matching(self, pattern: str, within: str, most: int) -> list[str]:
        """The files that a pattern matches."""


class PrintedFiles:
    """The files that the host script printed, `prefix` before every absolute path."""

    def __init__(self, files: Files, prefix: str) -> None:
        self._files = files
        self._prefix = prefix

    def read(self, path: str, most: int, *, within: str | None = None) -> Opened | None:
        """A file as it was printed."""
        size, text = self._files.size(self._prefix + path), self._files.text(self._prefix + path)
        return None if size is None or text is None else Opened(text[:most], size, 0.0, path)

    def matching(self, pattern: str, within: str, most: int) -> list[str]:
        """The printed files that a pattern matches."""
        return self._files.matching(self._prefix, pattern)[:most] or [pattern]


def read_configuration(files: Readable, path: str) -> Configuration:
    """A file and the files of its folder that it includes. Only lines that begin with a known name are kept."""
    values: dict[str, str] = {}
    reading = _Reading(files, os.path.dirname(path))
    for name, value in reading.directives(path, 0):
        if name in _REPEATED and name in values and value:
            values[name] += f"{' ' if name in ('save', 'client-output-buffer-limit') else chr(10)}{value}"
        else:
            values[name] = value
    return Configuration(path=path, values=values, files=reading.files, unread=reading.unread,
                         modified=reading.modified or None)  # fmt: skip


class _Reading:
    """Progress of reading a file and its includes."""

    def __init__(self, readable: Readable, folder: str) -> None:
        self.files = self.unread = 0
        self.modified = 0.0
        self._tried = 0
        self._readable = readable
        self._folder = folder

    def directives(self, path: str, depth: int) -> Iterator[tuple[str, str]]:
        """Name and value of each line that is known."""
        self._tried += 1
        follow = self._tried <= MOST_TRIED and self.files < MOST_FILES and depth < MOST_DEPTH
        found = self._readable.read(path, MOST_BYTES, within=self._folder) if follow else None
        # A line cut by the limit could be a different value.
        whole = found.text if found and found.size <= MOST_BYTES else found.text.rpartition("\n")[0] if found else ""
        lines = [_words(line) for line in whole.splitlines() if len(line) <= MOST_LINE]
        written = [words for words in lines if words and not words[0].startswith("#")]
        known = [words for words in written if words[0].lower() in DIRECTIVES]
        if found is None or 2 * len(known) < len(written):
            # Not a configuration: its lines are none of our business.
            self.unread += 1
            return
        self.files += 1
        self.modified = max(self.modified, found.modified)
        for name, *words in known:
            if name.lower() == "include" and words:
                # Relative to where the server was started, which is unknown; beside the file is the usual place.
                pattern = words[0] if words[0].startswith("/") else f"{os.path.dirname(path)}/{words[0]}"
                matching = self._readable.matching(pattern, self._folder, MOST_FILES)
                self.unread += not matching
                for included in matching:
                    yield from self.directives(included, depth + 1)
            else:
                yield name.lower(), " ".join(words)


def _words(line: str) -> list[str]:
    """A line's words; quoted ones without their quotes and escapes."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)', line.strip())
    return [re.sub(r"\\(.)", r"\1", double or single) or bare for double, single, bare in found]


@lru_cache(maxsize=2048)
def canonical_name(name: str) -> str:
    """A parameter's canonical name among its aliases: replica for slave, listpack for ziplist, primary for master."""
    name = name.lower()
    name = name.replace("slave", "replica").replace("ziplist", "listpack")
    return _RENAMED.get(name, name)


def drift(file: Mapping[str, str], running: Mapping[str, Scalar]) -> dict[str, tuple[str, Scalar]]:
    """The parameters that the file sets and that have another running value: running name to (file, running)."""
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
        # A class that the file doesn't name has the default limit, which isn't drift.
        return all(second.get(kind, limits) == limits for kind, limits in first.items())
    if name in ("logfile", "dir", "pidfile", "unixsocket"):
        # The server shows the folder in full, while the file may give it relative to where the server was started.
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
    """A number with or without a memory unit as bytes; any other word unchanged."""
    found = _AMOUNT.fullmatch(word)
    return int(found[1]) * _UNITS[found[2].lower()] if found else word


def _limits(value: str) -> dict[str, tuple[int | str, ...]]:
    words = value.lower().split()
    parts = [words[at : at + 4] for at in range(0, len(words), 4)]
    return {_CLASSES.get(part[0], part[0]): tuple(amount(word) for word in part[1:]) for part in parts}
