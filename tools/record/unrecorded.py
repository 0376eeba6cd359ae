"""What a served recording says to a command that it can't answer: in a server's own words, and never an empty reply.

What isn't allowed (changes, and the data of keys and channels, which nobody recorded) is refused as to a user without
the right; what wasn't recorded is unknown, as where an operator disabled a command. A client can tell the two apart.
"""

import re
from collections.abc import Sequence

from tools.connection.protocol import ServerError
from tools.connection.stat_name import stat_name
from tools.server.command_classes import known_class
from tools.server.command_keys import CONTAINERS, first_key

NAMED_SINCE, WHOLE_SINCE = (7, 2), (7, 0)
"""The versions from which a refusal names the user and speaks of one key, and from which it names the subcommand."""
MOST_SHOWN = 128
"""Characters of the arguments that a server repeats."""
_CHANGES = re.compile(
    r"(acl\|(setuser|deluser|load|save)|client\|(kill|pause|unpause|reply)|"
    r"cluster\|(?!info|nodes|slots|shards|myid|links|keyslot|countkeysinslot|getkeysinslot|replicas|slaves|slot-stats).*|"
    r"config\|(set|rewrite|resetstat)|debug|function\|(load|delete|flush|restore|kill)|latency\|reset|memory\|purge|"
    r"module\|(load|loadex|unload)|script\|(load|flush|kill)|"
    r"sentinel\|(set|failover|reset|remove|monitor|flushconfig|config)|"
    r"slowlog\|reset|commandlog\|reset|shutdown|replicaof|slaveof|failover|save|bgsave|bgrewriteaof|monitor|sync|psync|"
    r"replconf)(\|.*)?"
)
"""What changes a server or sees everybody's commands, besides commands that write."""
_LISTENS = frozenset(("subscribe", "psubscribe", "ssubscribe"))
_CHANNEL, _KEY = "No permissions to access a channel", "No permissions to access a key"
_OF_MANY = "this user has no permissions to access one of the {} used as arguments"


def unrecorded(words: Sequence[str], version: tuple[int, int], user: str, *, answered: bool) -> ServerError:
    """The refusal; `answered` says whether the same command was answered with other arguments."""
    name = stat_name(words)
    known = known_class(name)
    if name in _LISTENS and (name != "ssubscribe" or version >= WHOLE_SINCE):
        # No messages were recorded, and silence would say that nobody sent any.
        return ServerError(f"NOPERM {_CHANNEL if version >= NAMED_SINCE else _OF_MANY.format('channels')}")
    if known is None:
        return _unknown(words, version)
    if known.writes or known.may_replicate or _CHANGES.fullmatch(name):
        return _denied(name, version, user)
    if name in ("keys", "scan", "randomkey"):
        return _denied(name, version, user)
    if first_key(words) is not None:
        return ServerError(f"NOPERM {_KEY if version >= NAMED_SINCE else _OF_MANY.format('keys')}")
    if answered:
        return _denied(name, version, user)
    if words[0].upper() in CONTAINERS and len(words) > 1:
        wrong = (
            "unknown subcommand" if version >= WHOLE_SINCE else "Unknown subcommand or wrong number of arguments for"
        )
        sub = words[1][:MOST_SHOWN].lower() if version >= WHOLE_SINCE else words[1][:MOST_SHOWN]
        return ServerError(f"ERR {wrong} '{sub}'. Try {words[0].upper()} HELP.")
    return _unknown(words, version)


def _denied(name: str, version: tuple[int, int], user: str) -> ServerError:
    if version < WHOLE_SINCE:
        plain = name.partition("|")[0]
        return ServerError(f"NOPERM this user has no permissions to run the '{plain}' command or its subcommand")
    who = "this user" if version < NAMED_SINCE else f"User {user}"
    return ServerError(f"NOPERM {who} has no permissions to run the '{name}' command")


def _unknown(words: Sequence[str], version: tuple[int, int]) -> ServerError:
    first = words[0][:MOST_SHOWN].lower()
    if version < WHOLE_SINCE:
        shown = "".join(f"`{word}`, " for word in words[1:])[:MOST_SHOWN]
        return ServerError(f"ERR unknown command `{first}`, with args beginning with: {shown}")
    shown = "".join(f"'{word}' " for word in words[1:])[:MOST_SHOWN]
    return ServerError(f"ERR unknown command '{first}', with args beginning with: {shown}")
