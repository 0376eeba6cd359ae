"""Which change is safe, which is risky, which is never made: by parameter and by command, from data."""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from tools.errors import Forbidden
from tools.records import Record

Risk = Literal["safe", "risky"]
_POLICY: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "policy.toml").read_text(encoding="utf-8"))


class Change(Record):
    """One exact change of one node."""

    node: str
    """host:port or unix:PATH."""
    args: tuple[str, ...]
    """The command, word by word, as it's sent."""
    risk: Risk
    before: str | None = None
    """CONFIG SET: the value that was read before; it must still stand when the change is made."""

    @property
    def parameter(self) -> str | None:
        """The parameter of a CONFIG SET, else None."""
        return self.args[2] if self.args[:2] == ("CONFIG", "SET") else None

    @property
    def action(self) -> str:
        """The command as a person reads and confirms it."""
        return shown(self.args)

    @property
    def undo(self) -> tuple[str, ...] | None:
        """The command that takes it back, or None where nothing does."""
        return None if self.parameter is None or self.before is None else (*self.args[:3], self.before)


def shown(args: tuple[str, ...]) -> str:
    """A command in one line, quoted as redis-cli reads it."""
    return " ".join(arg if re.fullmatch(r"[^\s\"'\\]+", arg) else _quoted(arg) for arg in args)


def _quoted(arg: str) -> str:
    escaped = arg.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def canonical(parameter: str) -> str:
    """The one name of a parameter, whatever its case and alias."""
    name = parameter.strip().lower()
    alias = _POLICY["aliases"].get(name, name)
    return str(alias)


def config_risk(parameter: str, value: str) -> Risk:
    """The risk of setting a parameter. Raises `Forbidden` with the reason."""
    name = canonical(parameter)
    if not re.fullmatch(r"[a-z0-9-]{1,64}", parameter.strip().lower()):
        raise Forbidden(f"{parameter!r} isn't one parameter's name; propose one parameter at a time")
    if any(ord(char) < 32 for char in value):
        raise Forbidden(f"{name}: the value holds control characters")
    if reason := _POLICY["forbidden"].get(name):
        raise Forbidden(f"CONFIG SET {name} is never made from here: {reason}")
    risks: tuple[Risk, ...] = ("safe", "risky")
    for risk in risks:
        if name in _POLICY[risk]:
            _bounded(name, value, _POLICY[risk][name])
            return risk
    raise Forbidden(f"CONFIG SET {name} is never made from here: no class of the policy names it")


def _bounded(name: str, value: str, bounds: dict[str, Any]) -> None:
    if allowed := bounds.get("one_of"):
        if value not in allowed:
            raise Forbidden(f"{name} {value!r}: only {', '.join(allowed)}")
        return
    if "min" not in bounds and "max" not in bounds:
        return
    if not re.fullmatch(r"-?\d{1,15}", value):
        raise Forbidden(f"{name} {value!r}: write a whole number")
    if int(value) < bounds.get("min", int(value)) or int(value) > bounds.get("max", int(value)):
        limits = " to ".join(str(bounds[key]) for key in ("min", "max") if key in bounds)
        raise Forbidden(f"{name} {value}: out of bounds ({limits}{'' if 'max' in bounds else ' and above'})")


_DESTRUCTIVE = re.compile(
    r"\b(FLUSHALL|FLUSHDB|SHUTDOWN|SWAPDB|RESETSTAT|REPLICAOF|SLAVEOF|CONFIG\s+REWRITE|CLIENT\s+KILL\s+TYPE|"
    r"(SLOWLOG|LATENCY|ACL\s+LOG|CLUSTER)\s+RESET|FLUSHSLOTS|ACL\s+SETUSER|DEBUG\s+\w+|MODULE\s+LOAD)\b|\bKEYS\s+\*|"
    r"\brm\s+-",
    re.IGNORECASE,
)
_SETTING = re.compile(r"\bCONFIG\s+SET\s+([A-Za-z0-9-]+)\s+(\"[^\"]*\"|'[^']*'|\S+)?", re.IGNORECASE)


def advised_against(text: str) -> str | None:
    """Why advice in free text, by someone that isn't trusted, is no step: it holds a command that policy forbids."""
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
    words = " ".join(arg.upper() for arg in args)
    pattern = re.sub(r"(?<=^CLIENT KILL ID )\d+$", "<id>", words)
    if pattern not in _POLICY["commands"]:
        raise Forbidden(f"{shown(args[:3])} is never sent from here; describe it as something a person does")
    risk: Risk = _POLICY["commands"][pattern]
    return risk


def change(node: str, args: tuple[str, ...], before: str | None = None) -> Change:
    """A change that policy allows. Raises `Forbidden` for any other."""
    words = tuple(arg.upper() for arg in args[:2])
    if words == ("CONFIG", "SET"):
        if len(args) != 4:
            raise Forbidden("CONFIG SET takes one parameter and one value here")
        name = args[2].strip().lower()
        return Change(node=node, args=("CONFIG", "SET", name, args[3]), risk=config_risk(name, args[3]), before=before)
    return Change(node=node, args=tuple(arg.upper() for arg in args), risk=command_risk(args))
