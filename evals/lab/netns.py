"""A private network namespace at the end of a cable that is only ours, so that no rule touches the machine's own."""

import contextlib
import ipaddress
import itertools
import os
import random
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from evals.lab.servers import LabError
from tools.records import Record

_count = itertools.count(1)


class Namespace(Record):
    """A namespace that holds one end of a veth pair; the other end is the machine's."""

    name: str
    inside: str
    """The address of its end: where a server in it is reached."""
    outside: str
    """The address of the machine's end."""

    @property
    def prefix(self) -> list[str]:
        """The command prefix that runs a program inside."""
        return ["ip", "netns", "exec", self.name]

    def run(self, *command: str) -> str:
        """Run a program inside; what it printed. Raises `LabError` with what it complained of."""
        return _run(*self.prefix, *command)


def available(*programs: str) -> str | None:
    """Why no namespace can be made here, or a program in it isn't installed; null if all is there."""
    if os.geteuid() != 0:
        return "needs root, for a network namespace of its own"
    if lacking := [name for name in ("ip", *programs) if shutil.which(name) is None]:
        return f"needs {' and '.join(lacking)}: apt-get install iproute2 iptables"
    done = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    return f"no network namespace can be created here: {done.stderr.strip()}" if done.returncode else None


def firewall() -> str | None:
    """Why no firewall rule can be set in a namespace here, or null."""
    if why := available("iptables"):
        return why
    rule = ["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "1", "-j", "DROP"]
    done = subprocess.run(["unshare", "--net", *rule], capture_output=True, text=True, check=False)
    return f"iptables doesn't work in a namespace here: {done.stderr.strip()}" if done.returncode else None


@asynccontextmanager
async def namespace() -> AsyncIterator[Namespace]:
    """A namespace with its cable, gone at the end. Raises `LabError` where it can't be made."""
    _sweep()
    number = next(_count)
    name, ours, theirs = f"app-{os.getpid()}-{number}", f"ve{os.getpid()}o{number}", f"ve{os.getpid()}i{number}"
    outside, inside = _addresses()
    try:
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        _run("ip", "address", "add", f"{outside}/30", "dev", ours)
        _run("ip", "link", "set", ours, "up")
        namespace = Namespace(name=name, inside=inside, outside=outside)
        namespace.run("ip", "address", "add", f"{inside}/30", "dev", theirs)
        namespace.run("ip", "link", "set", theirs, "up")
        namespace.run("ip", "link", "set", "lo", "up")
        yield namespace
    finally:
        _remove(name, ours)


def _addresses() -> tuple[str, str]:
    taken = [
        ipaddress.ip_network(word) for line in _run("ip", "-4", "route", "show").splitlines()
        if (word := line.split()[0])[0].isdigit()
    ]  # fmt: skip
    while True:
        net = ipaddress.ip_network(
            f"10.{random.randrange(200, 250)}.{random.randrange(256)}.{random.randrange(64) * 4}/30"
        )
        if not any(net.overlaps(other) for other in taken):
            outside, inside = net.hosts()
            return str(outside), str(inside)


def _remove(name: str, ours: str) -> None:
    for command in (["ip", "link", "delete", ours], ["ip", "netns", "delete", name]):
        subprocess.run(command, capture_output=True, check=False)


def _sweep() -> None:
    """Remove what a lab that was killed left behind."""
    for line in _run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        parts = name.split("-")
        if len(parts) == 3 and parts[0] == "app" and parts[1].isdigit() and not psutil.pid_exists(int(parts[1])):
            _remove(name, f"ve{parts[1]}o{parts[2]}")


def _run(*command: str) -> str:
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        if done.returncode == 0:
            return done.stdout
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
    raise LabError(f"{' '.join(command)}: not finished within 10 s")
