"""The way to the nodes: this machine's network, or a replacement."""

import asyncio
import socket
from typing import Protocol

from tools.connection.arrival import Lateness
from tools.connection.connection import Connection
from tools.connection.live import LiveConnection
from tools.connection.target import Target


class Network(Protocol):
    """What connects to the nodes."""

    @property
    def pasted(self) -> bool:
        """Whether it's what a person pasted: nothing in it is this program's own traffic, and parts are missing."""

    def connection(self, target: Target) -> Connection:
        """A connection to an endpoint, not opened yet."""

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a name, each once. Raises `OSError` if it has none."""


class SystemNetwork:
    """This machine's own network."""

    pasted = False

    def __init__(self) -> None:
        self._lateness = Lateness()

    def connection(self, target: Target) -> Connection:
        return LiveConnection(target, self._lateness)

    async def addresses(self, host: str, port: int) -> list[str]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
