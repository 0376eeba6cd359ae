"""MULTI and EXEC: commands are queued and answered together."""

from collections.abc import Callable

from tools.connection.protocol import Reply, ServerError
from tools.record.resp import Status
from tools.record.tape import Key

MOST = 1024
"""Most commands in one transaction."""
_AT_ONCE = ("EXEC", "DISCARD", "MULTI", "WATCH", "QUIT", "RESET")
_NOT_QUEUED = ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE")
Answer = Callable[[Key], Reply]


class Transaction:
    """One client's."""

    def __init__(self) -> None:
        self._queued: list[Key] | None = None
        """Null outside a transaction."""
        self._spoilt = False

    def reply(self, asked: Key, answer: Answer) -> tuple[Reply] | None:
        """The reply to a command that begins, ends or belongs to a transaction; None for any other."""
        match asked[0], self._queued:
            case "MULTI", None:
                self._queued, self._spoilt = [], False
                return (Status("OK"),)
            case "MULTI", _:
                return (ServerError("ERR MULTI calls can not be nested"),)
            case "EXEC" | "DISCARD" as name, None:
                return (ServerError(f"ERR {name} without MULTI"),)
            case "EXEC", list(queued):
                spoilt, self._queued = self._spoilt, None
                if spoilt:
                    return (ServerError("EXECABORT Transaction discarded because of previous errors."),)
                return ([answer(one) for one in queued],)
            case "DISCARD", _:
                self._queued = None
                return (Status("OK"),)
            case "WATCH", _:
                inside = self._queued is not None
                return (ServerError("ERR WATCH inside MULTI is not allowed") if inside else Status("OK"),)
            case "UNWATCH", None:
                return (Status("OK"),)
            case "RESET", _:
                self._queued = None
        if self._queued is None or asked[0] in _AT_ONCE:
            return None
        return (self._queue(asked, answer),)

    def _queue(self, asked: Key, answer: Answer) -> Reply:
        assert self._queued is not None
        refused = answer(asked)
        if isinstance(refused, ServerError) or asked[0] in _NOT_QUEUED or len(self._queued) >= MOST:
            # A server checks the command and the right to use it before it queues it.
            self._spoilt = True
            return (
                refused
                if isinstance(refused, ServerError)
                else ServerError("ERR Command not allowed inside a transaction")
            )
        self._queued.append(asked)
        return Status("QUEUED")
