"""What is recorded of a command or a reply: everything except secrets. Other people's text stays as it was."""

import re
from collections.abc import Sequence
from typing import Any

from tools.connection.protocol import Command, Reply, ServerError
from tools.credentials import HIDDEN, hide_secrets, is_secret
from tools.redact import Pseudonyms
from tools.server.command_keys import CONTAINERS, first_key

REDACTED = "(redacted)"
"""In place of an argument, as the server itself writes it."""
_LOGS = ("SLOWLOG", "COMMANDLOG")
_NUMBER = re.compile(r"-?\d{1,6}|[(\[]?[+-]?inf")
"""Arguments that are shown: counts, ranges, times."""
_MORE = re.compile(r"\.\.\. \(\d+ more arguments\)")
"""The server's own note."""
_VALUES = re.compile(
    r"SET|P?SETEX|SETNX|GETSET|SETRANGE|APPEND|MSET(NX|EX)?|HM?SET(NX|EX)?|[LR]PUSHX?|LREM|LPOS|LINSERT|"
    r"LSET|S(ADD|REM|MOVE|M?ISMEMBER)|Z(ADD|REM|M?SCORE|RANK|REVRANK|INCRBY)|XADD|PFADD|S?PUBLISH|ECHO|PING|RESTORE|"
    r"EVAL(SHA)?(_RO)?|FCALL(_RO)?|AUTH|HELLO"
)
"""Commands that carry data, where a number can be a person's: a code, a card, an account."""
_COUNTED = re.compile(r"EVAL(SHA)?(_RO)?|FCALL(_RO)?|P?SETEX")
"""Of these, those whose second argument is a count or a time."""
_CONFIG = 2


def command(sent: Command) -> tuple[str | int, ...]:
    """A command as sent, without credentials and without the value that a change would set."""
    words = [str(word).upper() for word in sent[:2]]
    if words[0] in ("AUTH", "HELLO") and len(sent) > 1:
        shown = 2 if words[0] == "HELLO" else 1
        return (*sent[:shown], *[HIDDEN] * (len(sent) - shown))
    if words == ["CONFIG", "SET"] and any(is_secret(str(name)) for name in sent[_CONFIG::2]):
        return (*sent[:_CONFIG], *[HIDDEN] * (len(sent) - _CONFIG))
    return tuple(sent)


def reply(sent: Command, came: Reply, pseudonyms: Pseudonyms) -> Any:
    """A reply as JSON, without secrets: those that are known, those that look like one, and logged arguments."""
    words = [str(word).upper() for word in sent[:2]]
    if words == ["CONFIG", "GET"] and isinstance(came, list):
        came = [HIDDEN if at % 2 and value and is_secret(str(came[at - 1])) else value for at, value in enumerate(came)]
    elif words[0] in _LOGS and words[1:] == ["GET"] and isinstance(came, list):
        came = [_entry(row) for row in came]
    return _hidden(came, pseudonyms)


def _entry(row: Any) -> Any:
    """A log entry with the command, its key and its small numbers; anything else sent is somebody's data."""
    if not isinstance(row, list) or len(row) < 4 or not isinstance(row[3], list) or not row[3]:
        return row
    return [*row[:3], _arguments([str(word) for word in row[3]]), *row[4:]]


def _arguments(words: Sequence[str]) -> list[str]:
    command = words[0].upper()
    head = 2 if command in CONTAINERS else 1
    key = first_key(words)
    data = _VALUES.fullmatch(command) is not None

    def stays(at: int, word: str) -> bool:
        if at < head or word == key or _MORE.fullmatch(word):
            return True
        if command in ("XREAD", "XREADGROUP") and word.upper() == "STREAMS":
            # Without it, the key after it can't be found.
            return True
        return _NUMBER.fullmatch(word) is not None and (not data or (at == 2 and bool(_COUNTED.fullmatch(command))))

    return [word if stays(at, word) else REDACTED for at, word in enumerate(words)]


def _hidden(value: Any, pseudonyms: Pseudonyms) -> Any:
    if isinstance(value, ServerError):
        return {"error": pseudonyms.hide(value.text)}
    if isinstance(value, list):
        return [_hidden(item, pseudonyms) for item in value]
    if isinstance(value, str):
        # A long text of the server's own (INFO, CLIENT LIST) is looked through line by line where it could hold one.
        return pseudonyms.hide(value) if _LOOKS.search(value) or pseudonyms.knows(value) else value
    if value is None or isinstance(value, int | float):
        return value
    return hide_secrets(str(value))


_LOOKS = re.compile(r"pass|pwd|secret|token|key=|auth|cred|://|user", re.IGNORECASE)


def decoded(value: Any) -> Reply:
    """A reply from its JSON. Raises `ValueError` for what no server says."""
    if isinstance(value, list | tuple):
        return [decoded(item) for item in value]
    if isinstance(value, dict):
        if set(value) != {"error"} or not isinstance(value["error"], str):
            raise ValueError("an object that is no error")
        return ServerError(value["error"])
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if not -(2**63) <= value < 2**63:
            raise ValueError("a number of more than 64 bits")
        return value
    raise ValueError(f"{type(value).__name__} is no reply")
