"""An agent that does as it's told: python scripted.py URL COMMAND... sends each command, once it's let in."""

import sys
import time
from collections.abc import Callable
from typing import cast

import redis


def connected(url: str) -> redis.Redis:
    """A connection, tried for until the server lets it in: a full one has a free slot now and then."""
    ends = time.monotonic() + 100
    while time.monotonic() < ends:
        try:
            # The protocol that needs no greeting, which a script wouldn't let through.
            return redis.Redis.from_url(url, single_connection_client=True, protocol=2, socket_timeout=10)
        except redis.RedisError:
            time.sleep(0.02)
    raise SystemExit("not let in")


def main(url: str, *commands: str) -> None:
    """Send the commands; `MONITORS` stands for the ids of all clients that watch."""
    if not commands:
        return
    client = connected(url)
    send = cast(Callable[..., object], client.execute_command)
    for command in commands:
        if "MONITORS" in command:
            watching = [one["id"] for one in client.client_list() if one["cmd"] == "monitor"]
            for id in watching:
                send(*command.replace("MONITORS", id).split())
        else:
            try:
                send(*command.split())
            except redis.ConnectionError:
                # SHUTDOWN has no other answer.
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
