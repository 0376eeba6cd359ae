"""The deadline held from outside, in a process of its own: what computes for ever is ended with an answer."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import asyncio, sys
sys.path.insert(0, {root!r})
from agent.cli.hard_stop import hard_stop

async def stuck():
    with hard_stop({seconds}, lambda ended: print("known", ended) or 7 * ended):
        print("begun", flush=True)
        while {stuck}:
            pass
    print("done")

asyncio.run(stuck())
"""


def begun(seconds: float, *, stuck: bool) -> "subprocess.Popen[str]":
    code = PROGRAM.format(root=str(ROOT), seconds=seconds, stuck=stuck)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    return process


def rest(process: "subprocess.Popen[str]") -> str:
    """What it still printed, until its end: by the same reader as its first line, which may hold more of it."""
    assert process.stdout is not None
    with process.stdout as out:
        said = out.read()
    process.wait(timeout=30)
    return said


def test_what_is_known_is_printed_although_the_loop_computes() -> None:
    process = begun(0.3, stuck=True)
    assert rest(process) == "known False\n" and process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_what_does_not_heed_it(number: signal.Signals) -> None:
    process = begun(60, stuck=True)
    time.sleep(0.05)
    process.send_signal(number)
    out = rest(process)
    # Nobody had a handler for SIGTERM here, so it ends the process at once.
    assert (out, process.returncode) == (("known True\n", 7) if number == signal.SIGINT else ("", -number))


def test_nothing_is_left_of_it_where_all_went_well() -> None:
    process = begun(0.3, stuck=False)
    assert rest(process) == "done\n" and process.returncode == 0
