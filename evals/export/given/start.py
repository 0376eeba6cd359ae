#!/usr/bin/env python3
"""Serve a recorded incident on loopback, a port for each node, until a signal ends it.

    start.py RECORDING [--port N] [--ready FILE] [--asked FILE]

The first node gets port N. FILE of --ready receives the URL of each node by its recorded address once they are served;
FILE of --asked, each second, how many commands were received.
"""

import argparse
import asyncio
import json
import os
import signal
from pathlib import Path

from tools.record.load import load
from tools.record.playhead import Moment
from tools.record.serve import Served, serving
from tools.record.tape import Tape


def written(path: Path | None, text: str) -> None:
    """Put a text into a file in one step, so that nobody reads half of it."""
    if path is not None:
        beside = path.with_name(f".{path.name}")
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)


async def counted(served: Served, file: Path | None) -> None:
    """Keep the number of commands in a file."""
    before = -1
    while True:
        if served.asked != before:
            before = served.asked
            written(file, f"{before}\n")
        await asyncio.sleep(1)


async def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--ready", type=Path)
    parser.add_argument("--asked", type=Path)
    given = parser.parse_args()
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with serving(Tape(load(given.recording)), Moment(), given.port) as served:
        # Before anybody can ask, so that the file is there for whoever asks nothing.
        written(given.asked, "0\n")
        counting = asyncio.create_task(counted(served, given.asked))
        urls = {node: f"redis://127.0.0.1:{port}" for node, port in served.ports.items()}
        written(given.ready, json.dumps(urls, indent=1) + "\n")
        await over.wait()
        counting.cancel()
        written(given.asked, f"{served.asked}\n")


if __name__ == "__main__":
    asyncio.run(main())
