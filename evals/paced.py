"""A load of its own process for the bench: batches of cheap commands, paced, each timed. Run by its path.

`paced.py HOST PORT RATE SECONDS` sends RATE batches a second (0: as fast as it goes), until the time is over or it's
sent SIGTERM, and prints a line `at ms` for each, `at` in seconds of `time.monotonic`, which all processes of a machine
share.
"""

import random
import signal
import socket
import sys
import time

BATCH = 50
"""Commands in one write: an application with many threads on one multiplexed connection."""


def main(host: str, port: int, rate: float, seconds: float) -> None:
    """Send until the time is over, then print."""
    rng = random.Random(1)
    # Each of these has a reply of one line.
    shapes = ("EXISTS bench:%07d\r\n", "SET bench:%07d abcdefgh\r\n", "STRLEN bench:%07d\r\n")
    batches = [
        "".join(rng.choice(shapes) % rng.randrange(100_000) for _ in range(BATCH)).encode() for _ in range(200)
    ]  # fmt: skip
    took: list[tuple[float, float]] = []
    ended = False

    def end(number: int, frame: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    with socket.create_connection((host, port), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.monotonic()
        count = 0
        while not ended and (now := time.monotonic()) < began + seconds:
            due = began + count / rate if rate else now
            if due > now:
                time.sleep(due - now)
            data = batches[count % len(batches)]
            # From when it was due: a batch that waits behind a slow one is slow as well.
            start = due if rate else time.monotonic()
            sock.sendall(data)
            missing = BATCH
            while missing > 0:
                missing -= sock.recv(1 << 16).count(b"\n")
            took.append((start, (time.monotonic() - start) * 1000))
            count += 1
    sys.stdout.write("".join(f"{at:.6f} {ms:.4f}\n" for at, ms in took))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
