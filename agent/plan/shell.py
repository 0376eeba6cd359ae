"""Commands for a person's own shell: how redis-cli reaches a node as this program does, without any secret."""

import shlex
from collections.abc import Callable

from agent.evidence.view import Readings
from tools.connection.target import Target
from tools.patterns import deferred

_ADDRESS = deferred(
    r"(?P<host>[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9_.-]{1,32})?\]):(?P<port>[0-9]{1,5})"
)

_UNDIALLED = ("untrusted", "dns", "not-recorded")
"""Kinds of unavailability that mean an address was not judged, or not allowed."""


def redis_cli(target: Target, address: str = "") -> str | None:
    """The redis-cli call for a target or for another server of its deployment; None for what isn't an address.

    It doesn't contain the password: redis-cli takes that from REDISCLI_AUTH.
    """
    words = ["redis-cli"]
    if address:
        found = _ADDRESS.fullmatch(address)
        if found is None or found["host"].startswith("-"):
            return None
        words += ["-h", found["host"].strip("[]"), "-p", found["port"]]
    elif target.path is not None:
        words += ["-s", target.path]
    else:
        words += ["-h", str(target.host), "-p", str(target.port)]
    if target.tls is not None:
        files = (("--cacert", target.tls.cacert), ("--cert", target.tls.cert), ("--key", target.tls.key))
        words += ["--tls", *(word for option, file in files if file for word in (option, str(file)))]
        words += ["--insecure"] if target.tls.insecure else []
    if target.username:
        words += ["--user", target.username]
    return shlex.join(words)


def ways(target: Target, readings: Readings) -> Callable[[str], str | None]:
    """`redis_cli` for a target's whole deployment; None for addresses that must not get its password.

    A server can name any address as its primary or replica, and redis-cli sends REDISCLI_AUTH wherever it's pointed. So
    it is pointed only at the target's own hosts and at addresses dialled from here with the password.
    """

    def way(address: str) -> str | None:
        there = address or target.node
        is_safe = not target.has_credentials or _is_own(target, there) or _dialled(readings, there)
        return redis_cli(target, address) if is_safe else None

    return way


def _is_own(target: Target, address: str) -> bool:
    if target.named_from is None and address == target.node:
        return True
    return address.rpartition(":")[0].strip("[]") in (target.named_from or (target.host,))


def _dialled(readings: Readings, address: str) -> bool:
    if address not in readings.nodes:
        return False
    found = [one for one in readings.of(address) if one.node == address]
    lost = [one.unavailable.kind for one in found if one.unavailable]
    return "untrusted" not in lost and any(one.values or one.unavailable for one in found if not (
        one.unavailable and one.unavailable.kind in _UNDIALLED
    ))  # fmt: skip


def sent_by_hand(target: Target, args: tuple[str, ...]) -> str:
    """The line that sends one command."""
    return f"{redis_cli(target)} {shlex.join(args)}"
