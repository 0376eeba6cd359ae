"""The program in a process that computes for ever from some moment on: `python -m evals.attacks._deaf WHERE NTH KIND`
and the arguments.

Python tells an audit hook of each file and socket that is opened; at the NTH one whose name has WHERE in it, whoever
opens it computes and never ends. KIND `once` can be broken off, `stubborn` catches what would do so, `again` begins
anew at the next one.
"""

import runpy
import sys
import threading
import time
from typing import Any

from evals.attacks._program import ENTRY

MOST = 300.0
"""Seconds after which even this ends: no attack goes on for ever."""


def _watch(where: str, nth: int, kind: str) -> None:
    seen = 0
    lock = threading.Lock()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event not in ("open", "socket.connect", "socket.getaddrinfo") or where not in f"{event} {arguments}":
            return
        with lock:
            seen += 1
            number = seen
        if number == nth or (kind == "again" and number > nth):
            print(f"DEAF at {event}", file=sys.__stderr__, flush=True)
            _compute(stubborn=kind == "stubborn")

    sys.addaudithook(hook)


def _compute(*, stubborn: bool) -> None:
    ends, number = time.monotonic() + MOST, 0
    while time.monotonic() < ends:
        try:
            while time.monotonic() < ends:
                number += 1
        except Exception:
            if not stubborn:
                raise


if __name__ == "__main__":
    _where, _nth, _kind, *sys.argv[1:] = sys.argv[1:]
    _watch(_where, int(_nth), _kind)
    runpy.run_path(str(ENTRY), run_name="__main__")
