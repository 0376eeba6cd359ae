"""Which change is safe, risky or never made: by parameter and by command, from data."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, Literal

from tools.credentials import HIDDEN, is_secret
from tools.errors import Forbidden
from tools.gate.bounds import check_bounds
from tools.patterns import deferred
from tools.records import Record

Risk = Literal["safe", "risky"]
_POLICY: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "policy.toml").read_text(encoding="utf-8"))
_NAME = deferred(r"[A-Za-z0-9_-]{1,64}")
_UNESCAPED = deferred(r"[ !#-[\]-~]")
"""Characters that need no escape in quotes; all others get one, so that a command is one readable line."""
_PLAIN = deferred(r"[\x20-\x7e]*")
"""Characters of a value: no look-alike letters, nothing that ends a line or a string."""

VALUE_MOST = 1000
"""Most characters of a value, even a restored one: a question shows everything that would be sent."""


class Change(Record):
    """One exact change to one node."""

    node: str
    """host:port or unix:PATH."""
    args: tuple[str, ...]
    """The command, word by word, as sent."""
    risk: Risk
    before: str | None = None
    """What was read before and must be unchanged when the change is made: the value for a CONFIG SET, the client's
    identity for a CLIENT KILL."""
    restores: bool = False
    """Whether it restores the value before a change of ours: the bounds of new values don't apply then."""

    @property
    def parameter(self) -> str | None:
        """The parameter of a CONFIG SET, else None."""
        return self.args[2] if self.args[:2] == ("CONFIG", "SET") else None

    @property
    def client(self) -> int | None:
        """The client of a CLIENT KILL, else None."""
        return int(self.args[3]) if self.args[:3] == ("CLIENT", "KILL", "ID") else None

    @property
    def action(self) -> str:
        """The command as a person reads and confirms it."""
        return command_line(self.args)

    @property
    def undo(self) -> tuple[str, ...] | None:
        """The command that undoes it, or None if nothing does."""
        return None if self.parameter is None or self.before is None else (*self.args[:3], self.before)

    @property
    def reversal(self) -> "Change | None":
        """The change that undoes this one; only the value it will find isn't known yet."""
        return None if self.undo is None else self.model_copy(update={"args": self.undo, "restores": True})


def command_line(args: tuple[str, ...]) -> str:
    """A command in one line, quoted as redis-cli reads it; secrets, which nothing here ever sets, are left out."""
    if tuple(arg.upper() for arg in args[:2]) == ("CONFIG", "SET"):
        args = tuple(HIDDEN if at > 2 and at % 2 and is_secret(args[at - 1]) else arg for at, arg in enumerate(args))
    return " ".join(arg if re.fullmatch(r"[!#-&(-[\]-~]+", arg) else _quoted(arg) for arg in args)


def _quoted(arg: str) -> str:
    return '"' + "".join(char if _UNESCAPED.fullmatch(char) else _escaped(char) for char in arg) + '"'


def _escaped(char: str) -> str:
    return f"\\{char}" if char in '"\\' else "".join(f"\\x{byte:02x}" for byte in char.encode(errors="surrogatepass"))


def canonical_name(parameter: str) -> str:
    """The canonical name of a parameter, whatever its case and alias."""
    name = parameter.lower()
    return str(_POLICY["aliases"].get(name, name))


def spellings(parameter: str) -> list[str]:
    """The names of a parameter, the canonical one first: an older server knows it by another."""
    name = canonical_name(parameter)
    return [name, *(alias for alias, one in _POLICY["aliases"].items() if one == name)]


def config_risk(parameter: str, value: str, *, restores: bool = False) -> Risk:
    """The risk of setting a parameter. Raises `Forbidden` with the reason."""
    # Before any case folding, which turns some letters of other alphabets into ASCII.
    if not _NAME.fullmatch(parameter):
        raise Forbidden(f"{parameter!r} isn't the name of one parameter; propose one parameter at a time")
    name = canonical_name(parameter)
    if reason := _ban_reason(name):
        raise Forbidden(f"CONFIG SET {name} is never made from here: {reason}")
    if not _PLAIN.fullmatch(value) or value != value.strip():
        raise Forbidden(f"{name}: the value contains characters that aren't allowed")
    if len(value) > VALUE_MOST:
        raise Forbidden(f"{name}: the value has {len(value)} characters, more than can be shown to a person in full")
    risks: tuple[Risk, ...] = ("safe", "risky")
    for risk in risks:
        if name in _POLICY[risk]:
            if not restores:
                check_bounds(name, value, _POLICY[risk][name])
            return risk
    raise Forbidden(f"CONFIG SET {name} is never made from here: the policy doesn't list it")


def _ban_reason(name: str) -> str | None:
    if name in _POLICY["file"]["names"]:
        return str(_POLICY["file"]["why"])
    families = (why for begin, why in _POLICY["forbidden-families"].items() if name.startswith(begin))
    reason = _POLICY["forbidden"].get(name) or next(families, None)
    return None if reason is None else str(reason)


_DESTRUCTIVE = deferred(
    r"\b(FLUSHALL|FLUSHDB|SHUTDOWN|SWAPDB|RESETSTAT|REPLICAOF|SLAVEOF|CONFIG\s+REWRITE|CLIENT\s+KILL\s+TYPE|"
    r"(SLOWLOG|LATENCY|ACL\s+LOG|CLUSTER)\s+RESET|FLUSHSLOTS|ACL\s+SETUSER|DEBUG\s+\w+|MODULE\s+LOAD)\b|\bKEYS\s+\*|"
    r"\brm\s+-",
    re.IGNORECASE,
)
_SETTING = deferred(r"\bCONFIG\s+SET\s+([A-Za-z0-9-]+)\s+(\"[^\"]*\"|'[^']*'|\S+)?", re.IGNORECASE)


def settings() -> list[str]:
    """The parameters that may be set at all, under each of their names."""
    names = {*_POLICY["safe"], *_POLICY["risky"]}
    return sorted(names | {alias for alias, name in _POLICY["aliases"].items() if name in names})


def destructive() -> str:
    """The pattern (any case) of what is never advised, for those who judge advice elsewhere."""
    return _DESTRUCTIVE.pattern


def refusal_of_advice(text: str) -> str | None:
    """Why untrusted advice in free text can't be a step: it contains a command that policy forbids. Null if it can."""
    if match := _DESTRUCTIVE.search(text):
        return f"{' '.join(match[0].split()).upper()} is never advised from here"
    for name, value in _SETTING.findall(text):
        try:
            config_risk(name, value.strip("\"'.,;") or "0")
        except Forbidden as error:
            return str(error)
    return None


def command_risk(args: tuple[str, ...]) -> Risk:
    """The risk of a single command. Raises `Forbidden` for any that isn't listed."""
    words = ["<id>" if at == 3 and re.fullmatch(r"[1-9][0-9]{0,18}", arg) else arg for at, arg in enumerate(args)]
    plain = all(re.fullmatch(r"[A-Za-z]{1,16}|<id>", word) for word in words)
    pattern = " ".join(word if word == "<id>" else word.upper() for word in words)
    if not plain or "<id>" in args or pattern not in _POLICY["commands"]:
        raise Forbidden(f"{command_line(args[:3])} is never sent from here; describe it as a step for a person")
    risk: Risk = _POLICY["commands"][pattern]
    return risk


def allowed_change(node: str, args: tuple[str, ...], before: str | None = None, *, restores: bool = False) -> Change:
    """A change that policy allows. Raises `Forbidden` for any other."""
    words = tuple(arg.upper() for arg in args[:2] if arg.isascii())
    if words == ("CONFIG", "SET"):
        if len(args) != 4:
            raise Forbidden("CONFIG SET takes one parameter and one value here")
        risk = config_risk(args[2], args[3], restores=restores)
        set_ = ("CONFIG", "SET", args[2].lower(), args[3])
        return Change(node=node, args=set_, risk=risk, before=before, restores=restores)
    risk = command_risk(args)
    return Change(node=node, args=tuple(arg.upper() for arg in args), risk=risk, before=before)


def parse_command(action: str) -> tuple[str, ...]:
    """A remedy's action as a command; a CONFIG SET's value is everything after the parameter."""
    words = shlex.split(action)
    if [word.upper() for word in words[:2]] == ["CONFIG", "SET"] and len(words) > 4:
        return (*words[:3], " ".join(words[3:]))
    return tuple(words)
