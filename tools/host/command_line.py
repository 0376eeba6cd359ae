"""What a server's command line can have said, by its length.

Servers overwrite it with their title, and the kernel keeps where it began and ended.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import product
from math import prod

from tools.host.proc import Files

ARG_START, ARG_END = 45, 46
"""Places in /proc/PID/stat after the name, counted from the state as 0 (proc_pid_stat(5), fields 48 and 49)."""
UNITS = {"k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
"""What an amount may be written in, as in the comments of redis.conf."""
CLASSES, PER_CLASS = ("normal", "slave", "replica", "pubsub"), 4
"""The words with which client-output-buffer-limit's parts begin, and the words of each."""
ALIASES = {"slave": "replica", "replica": "slave"}
MOST_SUMS = 20_000
"""Combinations of spellings that are tried."""
_TITLE = re.compile(r"(\S{1,4096}) \S{1,300}:\d{1,5}(?: \[\w{1,20}\])?")


def was_given(files: Files, pid: int, config_file: str, running: Mapping[str, str]) -> bool | None:
    """Whether the command line gave a server these parameters after its file.

    True if it's exactly as long as that takes, in one of the ways in which amounts are written; false if there is no
    room for even the shortest of them; null if neither, or if it can't be told.
    """
    title = _TITLE.fullmatch((files.text(f"/proc/{pid}/cmdline") or "").rstrip("\0 \n"))
    length = _length(files.text(f"/proc/{pid}/stat") or "")
    if title is None or length is None or not running:
        return None
    room = length - sum(len(word.encode()) + 1 for word in (title[1], config_file))
    lengths = [{len(f"--{name} ".encode()) + of + 1 for of in _lengths(value)} for name, value in running.items()]
    # A file that was named by a shorter path leaves more room, never less.
    if room < min(len(f"--{name} ") + 1 for name in running):
        return False
    if prod(map(len, lengths)) > MOST_SUMS:
        return None
    return True if room in _sums(lengths) else None


def _sums(lengths: Iterable[Collection[int]]) -> set[int]:
    return {sum(chosen) for chosen in product(*lengths)}


def _length(stat: str) -> int | None:
    fields = stat.rpartition(")")[2].split()
    if len(fields) <= ARG_END or not all(fields[at].isdecimal() for at in (ARG_START, ARG_END)):
        return None
    length = int(fields[ARG_END]) - int(fields[ARG_START])
    # Without the right to trace the process both are 0.
    return length if length > 0 else None


def _lengths(value: str) -> set[int]:
    """The lengths that a value may have been written in. Of limits by class, one class or all of them were given."""
    words = value.split(" ")
    given = [words]
    if words[0] in CLASSES and len(words) % PER_CLASS == 0:
        given += [words[at : at + PER_CLASS] for at in range(0, len(words), PER_CLASS)]
    return {
        total + len(chosen) - 1 for chosen in given for total in _sums([{*map(len, _forms(word))} for word in chosen])
    }


def _forms(word: str) -> Iterator[str]:
    yield word
    if word in ALIASES:
        yield ALIASES[word]
    if word.isdecimal() and (number := int(word)):
        yield from (f"{number // size}{unit}" for unit, size in UNITS.items() if number % size == 0)
