"""What becomes of a process in the middle of an incident: closed streams, signals, a disk that fills."""

import asyncio
import itertools
import os
import random
import resource
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from evals.attacks._program import DEAD, HARD, Ran, ended, start
from evals.attacks.attempt import Attempt
from tools.record.load import load

HOLDS = "an answer comes first, without a traceback, whatever happens to the process"
_ANSWER = b"process-down"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Closed streams in all combinations, full ones, encodings, bounds of the process, and signals at any moment."""
    kinds = [_full_disk, _ascii, _signal, *_streams(), _full, _few_files, _signal, _signal]
    with tempfile.TemporaryDirectory(prefix="rediagnose-attack-") as name:
        for number in range(tries):
            folder = Path(name) / str(number)
            folder.mkdir()
            kind = kinds[number] if number < len(kinds) else rng.choice(kinds)
            yield await asyncio.to_thread(kind, folder, rng)


def _triage(folder: Path, *more: str, before: Callable[[], None] | None = None, **environ: str) -> Ran:
    return ended(start(["triage", DEAD, "slow", "--model", "offline", *more], folder, before=before, **environ))


def _streams() -> list[Callable[[Path, random.Random], Attempt]]:
    sets = [one for count in (1, 2, 3) for one in itertools.combinations(range(3), count)]
    return [lambda folder, rng, closed=one: _closed(folder, closed) for one in sets]  # type: ignore[misc]


def _closed(folder: Path, closed: tuple[int, ...]) -> Attempt:
    def close() -> None:
        for number in closed:
            os.close(number)

    ran = _triage(folder, "--record", "incident.rec", before=close)
    output = ran.out + ran.err
    wanted = 3 if {1, 2} <= set(closed) else 0
    recorded = not load(folder / "incident.rec").cut
    held = ran.status == wanted and not ran.traced and recorded and (_ANSWER in output or wanted == 3)
    return Attempt(f"closed {closed}", held, ran.story)


def _full(folder: Path, rng: random.Random) -> Attempt:
    def fill() -> None:
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)

    ran = _triage(folder, before=fill)
    return Attempt("stdout is full", ran.status == 0 and not ran.traced and _ANSWER in ran.err, ran.story)


def _ascii(folder: Path, rng: random.Random) -> Attempt:
    symptom = b"sl\xc3\xb6w \xff " + bytes(rng.choices(range(1, 256), k=20))
    words: list[str | bytes] = ["triage", DEAD, symptom, "--model", "offline", "--format", "json"]
    encoding = rng.choice(("ascii", "latin-1", "utf-8"))
    ran = ended(start(words, folder, LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING=encoding))
    # Bytes that make a word of several look like a place are wrong usage.
    held = not ran.traced and (ran.status == 2 or (ran.status == 0 and _ANSWER in ran.out))
    return Attempt(f"bytes in {encoding}", held, ran.story)


def _full_disk(folder: Path, rng: random.Random) -> Attempt:
    most = rng.randrange(0, 4096)

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    ran = _triage(folder, "--record", "incident.rec", before=bound)
    reported = b"not recorded in full" in ran.err
    return Attempt(
        f"{most} bytes of disk", ran.status == 0 and not ran.traced and _ANSWER in ran.out and reported, ran.story
    )


def _few_files(folder: Path, rng: random.Random) -> Attempt:
    most = rng.randrange(5, 40)

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    ran = _triage(folder, "--record", "incident.rec", before=bound)
    # With so few that Python can't load anything there is nobody to answer.
    held = ran.status == 0 if most >= 20 else ran.status in (0, 1, 3)
    return Attempt(f"{most} files", held and (most < 20 or not ran.traced), ran.story)


def _signal(folder: Path, rng: random.Random) -> Attempt:
    def plain() -> None:
        for one in SIGNALS:
            signal.signal(one, signal.SIG_DFL)

    number, again = rng.choice(SIGNALS), rng.choice((0, 0, 1, 2))
    # Sooner Python itself is still starting, and no program of ours runs.
    midst = rng.random() < 0.8
    after = rng.uniform(0.0, 3.0) if midst else rng.uniform(0.3, 4.0)
    process = start(["triage", DEAD, "slow", "--model", "offline", "--record", "incident.rec"], folder, before=plain)
    file, begins = folder / "incident.rec", time.monotonic() + HARD / 3
    # Mostly in the middle of the incident, however long this machine takes until then.
    while midst and not file.exists() and process.poll() is None and time.monotonic() < begins:
        time.sleep(0.02)
    time.sleep(after)
    for _ in range(1 + again):
        process.send_signal(number)
        time.sleep(rng.uniform(0, 0.05))
    ran = ended(process)
    over = ran.status in (0, 130) or (ran.status == -number and not file.exists() and number != signal.SIGINT)
    # One signal leaves an answer wherever the incident has begun.
    answered = again > 0 or not file.exists() or _ANSWER in file.read_bytes() or not load(file).cut
    return Attempt(
        f"{number.name} after {after:.2f} s, {1 + again} times", over and not ran.traced and answered, ran.story
    )
