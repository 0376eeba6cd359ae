"""A recording as seen by somebody with fewer rights: commands that the server refuses, a machine that isn't read."""

from collections.abc import Collection

from tools.connection.managed import services
from tools.connection.protocol import Command, ServerError
from tools.connection.stat_name import stat_name
from tools.errors import Unanswered
from tools.records import Record, Values

USER = "monitoring"
"""Whose rights they are: newer servers name the user in their refusal."""
NEVER_REFUSED = frozenset(("auth", "hello", "quit", "reset"))
"""What a server allows everybody, so that a user can log in."""
MACHINE = frozenset(("process", "sockets", "machine", "log", "disk", "kernel_log"))
"""Tools that read the server's machine."""
SAID_BY_SERVER = frozenset(("bind", "protected_mode", "password_set", "config_file", "set_calls", "replicaof_calls"))
"""Fields of `config_drift` that need no file."""
ELSEWHERE = "the server's address isn't on this machine"
NAMED_SINCE, WHOLE_SINCE = (7, 2), (7, 0)
"""The versions from which a refusal names the user, and from which it names the subcommand (tried)."""


class Refusals(Record):
    """What isn't allowed; by default nothing is refused."""

    allowed: frozenset[str] | None = None
    """The only commands that may be used, in lower case without their subcommands; null for all."""
    denied: frozenset[str] = frozenset()
    """Commands that may not be used, likewise."""
    service: str | None = None
    """The managed service whose server it is: it doesn't know what that service blocks."""
    without_host: bool = False
    """Whether the server is examined from another machine."""

    def refuse(self, command: Command, version: tuple[int, int] | None) -> ServerError | None:
        """What a server of this version answers to a command that isn't allowed; None if it is."""
        name = str(command[0]).lower()
        if self.service is not None and services()[self.service].refuses(tuple(str(word) for word in command[:2])):
            begins = " ".join(f"'{word}'" for word in command[1:])
            return ServerError(f"ERR unknown command '{command[0]}', with args beginning with: {begins} ")
        if name in NEVER_REFUSED or (name not in self.denied and (self.allowed is None or name in self.allowed)):
            return None
        if version is not None and version < WHOLE_SINCE:
            return ServerError(f"NOPERM this user has no permissions to run the '{name}' command or its subcommand")
        who = "this user" if version is not None and version < NAMED_SINCE else f"User {USER}"
        return ServerError(f"NOPERM {who} has no permissions to run the '{stat_name(command)}' command")

    def lack(self, tool: str, values: Values) -> Unanswered | None:
        """Why this reading beyond the server's replies is unavailable, with what remains of its values; else None."""
        if tool == "config_drift":
            if (refusal := self.refuse(("CONFIG", "GET"), None)) is not None:
                return Unanswered("denied" if self.service is None else "unknown-command", refusal.text)
            # What a running server says about itself it also says remotely; its file's content it doesn't.
            kept = {field: value for field, value in values.items() if field in SAID_BY_SERVER}
        elif tool in MACHINE:
            kept = {}
        else:
            return None
        if not self.without_host or values.get("config_file") == "":
            return None
        return Unanswered("not-local", ELSEWHERE, {**kept, "locality": "other-machine"})


def only(*commands: str) -> Refusals:
    """Nothing but these commands."""
    return Refusals(allowed=frozenset(commands))


def managed(service: str) -> Refusals:
    """What a managed service refuses; its machine is nobody's."""
    return Refusals(service=service, without_host=True)


def all_but(commands: Collection[str]) -> Refusals:
    """Everything but these commands."""
    return Refusals(denied=frozenset(commands))
