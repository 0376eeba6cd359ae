"""Lists of targets written by a person or a program: one URL or NAME=URL per line, or a JSON list."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.errors import UsageError
from tools.files import read_regular
from tools.host.output import output
from tools.kubernetes.place import ServiceName
from tools.records import Record
from tools.text import one_line

MOST_BYTES = 4 * 2**20
MOST_TARGETS = 10_000
MOST_NAME = 64
"""Characters of a name."""
DEADLINE = 60.0
"""Seconds for a program that prints a list."""
_NO_NAME = frozenset("/@?")
"""Characters that begin a URL's later parts: `redis://host?db=1` has no name."""


class Listed(Record):
    """One target of a list."""

    name: str
    """Empty if the list gives none."""
    where: str
    """Its URL or address, which may contain a password; empty if the entry can't be read."""
    place: str
    """Its position in the list, for messages."""
    found_by: tuple[str, ...] | None = None
    """The hosts of the service that named it, which limits where a password goes; null if a person named it."""
    one_node: bool = False
    """Whether it's a single server rather than a deployment."""
    growth: float | None = None
    """Memory growth over the last hours, in bytes per second; null if unknown."""
    service: ServiceName | None = None
    """The Service of Kubernetes that it is; null for anything else."""
    problem: str = ""
    """Why the entry can't be read."""


def from_file(path: str) -> list[Listed]:
    """The targets in a file, or on stdin for -. Raises `UsageError`."""
    try:
        content = sys.stdin.buffer.read(MOST_BYTES + 1) if path == "-" else read_regular(Path(path), MOST_BYTES)
    except OSError as error:
        raise UsageError(
            f"--inventory {path}: {error.strerror}; give a file with one URL or NAME=URL per line, or -"
        ) from None
    return parsed(content, "standard input" if path == "-" else Path(path).name)


async def from_command(command: tuple[str, ...]) -> list[Listed]:
    """The targets that a program prints. Raises `UsageError`, or `Unanswered` if it fails."""
    if not command:
        raise UsageError("--inventory-command: it's empty; give a program with its arguments")
    content = await output(command, deadline=DEADLINE, most=MOST_BYTES)
    return parsed(content, f"the output of {one_line(Path(command[0]).name, 60)}")


def parsed(content: bytes, source: str) -> list[Listed]:
    """The targets in a list. An unreadable entry has a `problem`. Raises `UsageError` if it isn't a list."""
    if len(content) > MOST_BYTES:
        raise UsageError(f"{source}: more than {MOST_BYTES >> 20} MiB; give a list of targets")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{source}: it isn't UTF-8; write it in UTF-8") from None
    found = list(_of_json(text, source) if text.lstrip()[:1] in ("[", "{") else _of_lines(text, source))
    if len(found) > MOST_TARGETS:
        raise UsageError(f"{source}: {len(found)} targets; give at most {MOST_TARGETS} at a time")
    return found


def _of_lines(text: str, source: str) -> Iterator[Listed]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield _listed(*_named(line), f"{source}, line {number}")


def _of_json(text: str, source: str) -> Iterator[Listed]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f'{source}: it isn\'t JSON; write ["redis://host:6379", ...]') from None
    if isinstance(entries, dict) and isinstance(entries.get("targets"), list):
        entries = entries["targets"]
    if not isinstance(entries, list):
        raise UsageError(f'{source}: it isn\'t a list; write ["redis://host:6379", {{"name": ..., "url": ...}}]')
    for number, entry in enumerate(entries, 1):
        yield _of_entry(entry, f"{source}, entry {number}")


def _of_entry(entry: Any, place: str) -> Listed:
    if isinstance(entry, str):
        return _listed("", entry, place)
    if isinstance(entry, dict) and isinstance(entry.get("url"), str):
        name = entry.get("name")
        return _listed(name if isinstance(name, str) else "", entry["url"], place)
    return Listed(name=place, where="", place=place, problem=f'{place}: neither a URL nor an object with a "url"')


def _named(line: str) -> tuple[str, str]:
    """The name of a line such as `NAME=URL`, and what it names; an empty one if it is only a URL."""
    name, _, where = (part.strip() for part in line.partition("="))
    is_name = bool(name and where) and not _NO_NAME & set(name) and not any(letter.isspace() for letter in name)
    return (name, where) if is_name else ("", line)


def _listed(name: str, where: str, place: str) -> Listed:
    return Listed(name=one_line(name, MOST_NAME).strip(), where=where.strip(), place=place)
