"""What one client of a served node listens to, and what the node says to that."""

import asyncio
from collections.abc import Callable, Iterator

from tools.connection.protocol import Reply, ServerError
from tools.connection.stat_name import stat_name
from tools.record.resp import Push
from tools.record.tape import Key

BEGINS, ENDS = ("SUBSCRIBE", "PSUBSCRIBE"), ("UNSUBSCRIBE", "PUNSUBSCRIBE")
_ALLOWED = (*BEGINS, *ENDS, "SSUBSCRIBE", "SUNSUBSCRIBE", "PING", "QUIT", "RESET")
"""Commands of a subscriber that speaks version 2 of the protocol."""

MOST = 1024
"""Channels and patterns of one client: each is listened to by a task of its own."""


class Subscriptions:
    """One client's, in order."""

    def __init__(self, hear: Callable[[str, str], asyncio.Task[None]]) -> None:
        """`hear` is the task that passes on what is published to a channel or, with `psubscribe`, to a pattern."""
        self._hear = hear
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def begin(self, asked: Key) -> Iterator[Push | ServerError]:
        """SUBSCRIBE and PSUBSCRIBE: a confirmation for each name."""
        kind = asked[0].lower()
        for name in asked[1:]:
            if (kind, name) not in self._tasks:
                if len(self._tasks) >= MOST:
                    yield ServerError(f"ERR a replay takes {MOST} subscriptions of a client")
                    continue
                self._tasks[kind, name] = self._hear(kind, name)
            yield Push((kind, name, len(self._tasks)))

    def end(self, asked: Key) -> Iterator[Push]:
        """UNSUBSCRIBE and PUNSUBSCRIBE: of these names, or of all."""
        said = asked[0].lower()
        kind = said.replace("un", "", 1)
        names = asked[1:] or [name for one, name in self._tasks if one == kind]
        for name in names:
            if (task := self._tasks.pop((kind, name), None)) is not None:
                task.cancel()
            yield Push((said, name, len(self._tasks)))
        if not names:
            yield Push((said, None, len(self._tasks)))

    def end_all(self) -> None:
        """RESET, or the end of the connection."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def instead(self, asked: Key, protocol: int) -> Reply | None:
        """What a subscriber gets in place of the usual reply; None where it's the usual one."""
        if not self._tasks or protocol > 2:
            return None
        if asked[0] == "PING":
            return ["pong", asked[1] if len(asked) > 1 else ""]
        if asked[0] in _ALLOWED:
            return None
        allowed = "(P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET"
        return ServerError(f"ERR Can't execute '{stat_name(asked)}': only {allowed} are allowed in this context")
