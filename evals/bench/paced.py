"""A load of its own process for the bench: batches of cheap commands, paced, each timed by the kernel.

`python -m evals.bench.paced HOST PORT PID RATE SECONDS` sends RATE batches a second over a pool of connections, until
the time is over or it's sent SIGTERM. It prints `ready` as it begins, and in the end a line `took AT MS` for each
batch, AT in seconds of `time.monotonic`, which all processes of a machine share, and a line `held BEGIN END SECONDS`
for each slice of time: how long others held the core of the server, whose PID that is. A batch takes from when it was
written to when the kernel had its reply, however late this program reads it: what else runs on this processor isn't in
it.
"""

import random
import signal
import socket
import sys
import time

from evals.bench.spent import scheduled
from tools.connection.arrival import StampedSocket, Stamps

BATCH = 50
"""Commands in one write: an application with many threads on one multiplexed connection."""
POOL = 64
"""Connections, each with one batch on its way: a reply that is read late doesn't hide the next one's moment."""
KEYS = 1000
SHAPES = (("SET bench:app:%04d abcdefgh\r\n", 5), ("EXISTS bench:app:%04d\r\n", 4), ("STRLEN bench:app:%04d\r\n", 4))
"""Commands, and the bytes of the reply of each, once all keys are there."""
SLICE = 20
"""Batches of one slice of time."""
WAKING = 15e-6
"""Seconds that a process needs each time to get a core that is free."""
UNSTAMPED = 4
"""Exit status where the kernel doesn't say when bytes arrive."""


class Caller:
    """One connection of the pool."""

    def __init__(self, host: str, port: int) -> None:
        self.stamps = Stamps()
        self.socket = StampedSocket(socket.AF_INET, self.stamps)
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect((host, port))
        self.missing = 0
        """Bytes of the reply that haven't been read."""

    def send(self, data: bytes, expected: int) -> None:
        """Write a batch whose reply has so many bytes."""
        self.socket.send(data)
        self.missing = expected

    def read(self) -> float | None:
        """Read the rest of the reply: when it arrived, in seconds of `time.monotonic`, null where nobody says it."""
        while self.missing:
            data = self.socket.recv(self.missing)
            if not data:
                raise EOFError("closed by the server")
            self.missing -= len(data)
        return self.stamps.arrived


def batches(rng: random.Random) -> list[tuple[bytes, int]]:
    """Batches, each with the bytes of its reply."""
    made = []
    for _ in range(200):
        chosen = [rng.choice(SHAPES) for _ in range(BATCH)]
        text = "".join(shape % rng.randrange(KEYS) for shape, _ in chosen)
        made.append((text.encode(), sum(length for _, length in chosen)))
    return made


class Slices:
    """How long others held a process' core, a slice of time after the other."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = (time.monotonic(), *scheduled(pid))
        self.held: list[tuple[float, float, float]] = []

    def cut(self) -> None:
        """End a slice, and begin the next."""
        began, delay, turns = self._before
        self._before = now, delay_now, turns_now = (time.monotonic(), *scheduled(self._pid))
        self.held.append((began, now, max(0.0, delay_now - delay - WAKING * (turns_now - turns))))


def main(host: str, port: int, pid: int, rate: float, seconds: float) -> int:
    """Send until the time is over, then print."""
    ended = False

    def end(number: int, frame: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    pool = [Caller(host, port) for _ in range(POOL)]
    for number in range(KEYS):
        pool[0].send((SHAPES[0][0] % number).encode(), SHAPES[0][1])
        if pool[0].read() is None:
            return UNSTAMPED
    made = batches(random.Random(1))
    print("ready", flush=True)
    took: list[tuple[float, float]] = []
    slices = Slices(pid)
    starts = [0.0] * POOL
    ends = time.monotonic() + seconds
    count, due = 0, time.monotonic()
    while not ended and (now := time.monotonic()) < ends:
        if now < due:
            time.sleep(due - now)
        elif now > due + 1 / rate:
            # What this program was too late for isn't made up for: a burst would be slow by itself.
            due = now
        at = count % POOL
        caller, late = pool[at], False
        if count >= POOL and (arrived := caller.read()) is not None:
            took.append((starts[at], (arrived - starts[at]) * 1000))
            # A whole pool that waits for the server holds back the batch that is due, which counts as well.
            late = arrived > due
        caller.send(*made[count % len(made)])
        assert caller.stamps.sent is not None
        starts[at] = due if late else caller.stamps.sent
        count += 1
        due += 1 / rate
        if count % SLICE == 0:
            slices.cut()
    sys.stdout.write("".join(f"took {at:.6f} {ms:.4f}\n" for at, ms in took))
    sys.stdout.write("".join(f"held {began:.6f} {ended:.6f} {lost:.6f}\n" for began, ended, lost in slices.held))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])))
