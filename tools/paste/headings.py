"""Headings and file names that say whose output is below or inside: `=== redis-1 (replica) ===`, `node2/info.txt`."""

import ipaddress
import re

from tools.connection.target import address
from tools.patterns import deferred

MOST = 90
"""Characters of a heading at most."""
_WORDS = re.compile(r"\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?|[A-Za-z0-9_.:-]+")
_PLAIN = re.compile(r"[\w\s#=*~+|<>()\[\]{}.,:;/@'\"-]+")
_ROLES = {
    "master": "master", "primary": "master", "leader": "master", "replica": "replica", "slave": "replica",
    "secondary": "replica", "follower": "replica", "sentinel": "sentinel", "masters": "master", "slaves": "replica",
    "replicas": "replica", "sentinels": "sentinel",
}  # fmt: skip
_KINDS = frozenset((
    "node", "server", "instance", "host", "pod", "shard", "machine", "vm", "box", "redis", "valkey", "keydb",
    "member",
))  # fmt: skip
_FILLER = frozenset((
    "on", "from", "of", "the", "output", "outputs", "info", "all", "everything", "log", "logs", "slowlog", "get",
    "client", "clients", "list", "config", "conf", "this", "is", "here", "and", "for", "at", "our", "current",
    "now", "txt", "out", "text", "md", "json", "csv", "tar", "gz", "tgz", "zip", "latency", "memory", "stats",
    "doctor", "latest", "before", "after", "during", "incident", "sample", "first", "second", "old", "new", "cli",
    "paste", "dump", "result", "results", "cluster", "nodes", "acl", "replication", "section", "command",
    "commandstats", "full", "some", "tail", "last", "s", "below", "above", "in", "data", "prod", "production",
    "staging",
))  # fmt: skip
_HOST = deferred(r"[A-Za-z][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*")
_NUMBERED = deferred(r"[a-z]+(?:[-_][a-z]+)*[-_]?\d{1,4}")
_DATE = re.compile(r"20\d\d[-_.]?\d\d[-_.]?\d\d")
_PORT = re.compile(r"(?P<host>.+):(?P<port>\d{1,5})")


def label(line: str) -> str | None:
    """What a heading calls a server; None for a line that isn't one, or names none."""
    text = line.strip()
    if not 2 < len(text) <= MOST or not _PLAIN.fullmatch(text) or text.endswith((".", ",", ";")):
        return None
    words = [word.strip(".:-_") for word in _WORDS.findall(text)]
    rest = [word for word in words if word and word.lower() not in _FILLER]
    if not 0 < len(rest) <= 4 or not all(map(_may_name, rest)):
        return None
    return _joined(rest)


def file_label(source: str) -> str | None:
    """What a file's name, or its folder's, calls a server."""
    words = re.findall(r"\d{1,3}(?:\.\d{1,3}){3}|[A-Za-z]+|\d+", _DATE.sub(" ", source))
    rest = [word for word in words if word.lower() not in _FILLER and not re.fullmatch(r"\d{5,}", word)]
    numbered = any(word.lower() in _KINDS for word in rest) and any(map(str.isdecimal, rest))
    if not numbered and not any(word.lower() in _ROLES or _is_ip(word) for word in rest):
        return None
    return _joined(rest[:8])


def place_of(name: str, port: int) -> str | None:
    """The address in a label; of a host alone at the port that its server says it has."""
    for word in name.split():
        if found := _PORT.fullmatch(word):
            host = found["host"].strip("[]")
            if (_is_ip(host) or _HOST.fullmatch(host)) and 0 < int(found["port"]) < 65536:
                return address(host, int(found["port"]))
        elif _is_ip(word):
            return address(word.strip("[]"), port)
    return None


def role_in(name: str) -> str | None:
    """The role in a label: master, replica or sentinel."""
    return next((_ROLES[word] for word in re.findall(r"[a-z]+", name.lower()) if word in _ROLES), None)


def _joined(words: list[str]) -> str | None:
    told: list[str] = []
    for word in words:
        parts = [word] if _is_place(word) else re.split(r"[-_]", word)
        told += [_ROLES.get(part.lower(), part.lower()) for part in parts if part]
    telling = [word for word in told if word not in _KINDS]
    if not telling or (len(told) == 1 and told[0].isdecimal()):
        # "Redis:" and "Sample 1" name none.
        return None
    # "redis 1" has nothing but its kind to go by.
    return " ".join(dict.fromkeys(told if all(map(str.isdecimal, telling)) else telling))


def _is_place(word: str) -> bool:
    return _is_ip(word.strip("[]")) or "." in word or _PORT.fullmatch(word) is not None


def _may_name(word: str) -> bool:
    low = word.lower()
    if low in _ROLES or low in _KINDS or (low.isdecimal() and len(low) <= 3) or _is_ip(word.strip("[]")):
        return True
    if found := _PORT.fullmatch(word):
        return _is_ip(found["host"].strip("[]")) or _HOST.fullmatch(found["host"]) is not None
    return _NUMBERED.fullmatch(low) is not None or any(role in low.split("-") for role in _ROLES)


def _is_ip(word: str) -> bool:
    # Most words are none, and asking costs more than looking.
    if not ("." in word or ":" in word) or not (word[:1].isdecimal() or ":" in word):
        return False
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
