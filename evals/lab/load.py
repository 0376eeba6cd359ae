"""A load generator of its own process: cheap commands in pipelines, as fast as the server goes. Run by its path."""

import random
import socket
import sys
import time


def main(host: str, port: int, seed: int, seconds: float) -> None:
    """Send until the time is over or the server goes."""
    rng = random.Random(seed)
    numbers = [rng.randrange(5000) for _ in range(500)]
    # Each of these has a reply of one line.
    shapes = (
        "SET session:%d:state %d\r\n",
        "INCR stock:%d:n\r\n",
        "EXISTS user:%d:profile\r\n",
        "EXPIRE stock:%d:n 900\r\n",
    )
    lines = [shape % ((n, n) if shape.startswith("SET") else (n,)) for n in numbers for shape in (rng.choice(shapes),)]
    data, ends = "".join(lines).encode(), time.monotonic() + seconds
    with socket.create_connection((host, port), timeout=10) as sock:
        while time.monotonic() < ends:
            sock.sendall(data)
            missing = len(lines)
            while missing > 0:
                chunk = sock.recv(1 << 16)
                if not chunk:
                    return
                missing -= chunk.count(b"\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
    except OSError:
        sys.exit(1)
