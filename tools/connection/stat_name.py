"""The names by which INFO commandstats counts commands."""

from functools import lru_cache

from tools.connection.protocol import Command

_WITH_SUBCOMMAND = frozenset(
    ("acl", "client", "cluster", "command", "commandlog", "config", "function", "latency", "memory", "module", "object",
     "pubsub", "script", "sentinel", "slowlog", "xinfo")
)  # fmt: skip


def stat_name(command: Command) -> str:
    """The name that INFO commandstats gives a command: `config|get`; before 7.0 it's `config`, counted by both."""
    return _stat_name(*command[:2])


@lru_cache(maxsize=1024, typed=True)
def _stat_name(word: str | int, *second: str | int) -> str:
    first = str(word).lower()
    return f"{first}|{str(second[0]).lower()}" if first in _WITH_SUBCOMMAND and second else first
