"""Lines for a person's own shell: how redis-cli reaches a node as this program does, with no secret in it."""

import shlex

from tools.connection.target import Target
from tools.patterns import deferred

_ADDRESS = deferred(
    r"(?P<host>[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9_.-]{1,32})?\]):(?P<port>[0-9]{1,5})"
)


def redis_cli(target: Target, address: str = "") -> str | None:
    """redis-cli as it's called for a target, or for another server of its deployment; None of what is no address.

    The password isn't in it: redis-cli takes that from REDISCLI_AUTH.
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


def sent_by_hand(target: Target, args: tuple[str, ...]) -> str:
    """The line that sends one command."""
    return f"{redis_cli(target)} {shlex.join(args)}"
