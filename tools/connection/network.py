"""The way to the nodes: this machine's network, or something that stands in its place."""

import asyncio
import socket

from tools.connection.connection import Connection
from tools.connection.target import Target


class Network:
    """This machine's own network."""

    def connection(self, target: Target) -> Connection:
        """A connection to an endpoint, not opened yet."""
        return Connection(target)

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a name, each once. Raises `OSError` where it has none."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
