"""An agent that does as it's told: python scripted.py URL COMMAND... sends each command, once it's let in."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
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
    """Send the commands; `MONITORS` stands for the ids of all clients that watch, TENGIGABYTES for rubbish."""
    if not commands:
        return
    client = connected(url)
    send = cast(Callable[..., object], client.execute_command)
    try:
        for command in commands:
            for words in _meant(client, command):
                send(*words)
    except redis.ConnectionError:
        # SHUTDOWN has no other answer, nor has what goes beyond a budget.
        return


def _meant(client: redis.Redis, command: str) -> Iterator[Sequence[str | bytes]]:
    if command == "TENGIGABYTES":
        yield from (("SET", f"rubbish:{number}", b"x" * (16 << 20)) for number in range(640))
    elif "MONITORS" in command:
        watching = [one["id"] for one in client.client_list() if one["cmd"] == "monitor"]
        yield from (command.replace("MONITORS", id).split() for id in watching)
    else:
        yield command.split()


if __name__ == "__main__":
    main(*sys.argv[1:])
