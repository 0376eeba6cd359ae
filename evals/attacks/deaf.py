"""A program that computes for ever in the middle of any command: its deadline or Ctrl-C ends it, with what is known."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from agent.answer.diagnosis import Diagnosis, ModelUse, Step, TargetInfo
from agent.answer.events import Answered
from agent.cli.hard_stop import LAST_WORDS
from agent.cli.program import LOADS, NOT_LOADED
from evals.attacks._program import environment
from evals.attacks._server import INFO, RIGHT, Serve, asked, serving
from evals.attacks.attempt import Attempt
from evals.attacks.floods import packed
from tools.clock import SystemClock
from tools.record.recorder import Recorder
from tools.records import Footprint
from tools.redact import Pseudonyms

HOLDS = "every command ends within 2 s of its deadline or of Ctrl-C, and says what became of a change"
DEADLINE, BUSY = 3.0, 4.0
"""Seconds of a command, and those that a busy machine may take besides."""
HARD = 40.0
"""Seconds after which a try is killed: then it hung."""
CONFIRMED = "CONFIG SET timeout 300"
FINAL = ("stopped", "unanswered", "unmeasured", "verified", "not-better", "worse", "failed", "rolled-back", "refused")
PLACES = {
    "apply": ("audit.jsonl", "socket.connect", "changes.jsonl", "/proc/"),
    "rollback": ("audit.jsonl", "socket.connect"),
    "triage": ("socket.connect", "/proc/"), "capture": ("socket.connect", "/proc/"), "acl": ("socket.connect",),
    "chat": ("socket.connect", "/proc/"),
}  # fmt: skip
KINDS = ("once", "stubborn", "again")


class Try(NamedTuple):
    """One way to be deaf."""

    command: str
    where: str
    nth: int
    kind: str
    signals: int
    """How many Ctrl-C come once it's deaf; 0 for the deadline alone."""


class _Settings:
    """A server whose one parameter can be set, and that knows whether it was."""

    def __init__(self) -> None:
        self.timeout = "0"
        self.was_set = False

    def serve(self) -> Serve:
        """Each connection."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                words = await asked(reader)
                name = " ".join(str(word).upper() for word in words[:2])
                if name == "CONFIG SET":
                    self.timeout, self.was_set = str(words[3]), True
                    writer.write(b"+OK\r\n")
                elif name == "CONFIG GET":
                    writer.write(packed([one for word in words[2:] for one in (word, self._value(str(word)))]))
                elif name.startswith("INFO"):
                    writer.write(packed(INFO))
                else:
                    writer.write(packed(RIGHT.get(name, RIGHT.get(str(words[0]).upper(), "OK"))))

        return serve

    def _value(self, name: str) -> str:
        return self.timeout if name == "timeout" else "10000"


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Each command, deaf at a place of its own, until its deadline or one or two Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="rediagnose-attack-") as name:
        for number in range(tries):
            folder = Path(name) / str(number)
            folder.mkdir()
            yield await tried(drawn(number, rng), folder)


def drawn(number: int, rng: random.Random) -> Try:
    """The commands in turn, and a change every other time: there most is at stake."""
    command = "apply" if number % 2 == 0 else list(PLACES)[(number // 2) % len(PLACES)]
    where = rng.choice(PLACES[command])
    nth = rng.randrange(1, 6) if where == "audit.jsonl" else rng.randrange(1, 12) if where == "/proc/" else 1
    return Try(command, where, nth, rng.choice(KINDS), rng.choice((0, 0, 1, 2)))


async def tried(how: Try, folder: Path) -> Attempt:
    """What came of one."""
    server = _Settings()
    async with serving(server.serve()) as port:
        node = f"127.0.0.1:{port}"
        words = _words(how.command, folder, node)
        if how.command == "rollback":
            first = await asyncio.to_thread(_run, _words("apply", folder, node), folder, how._replace(nth=10**6))
            if first.status != 0:
                return Attempt(str(how), False, f"the change to take back wasn't made: {first.err[-300:]}")
            server.was_set = False
        ran = await asyncio.to_thread(_run, words, folder, how)
    what = f"{how.command} deaf at {how.where} {how.nth}, {how.kind}, {how.signals} signals"
    wrong = _wrong(how, ran, folder, changed=server.was_set)
    return Attempt(what, not wrong, f"{wrong}: status {ran.status}: {ran.err[-300:]!r} {ran.out[-200:]!r}")


def _words(command: str, folder: Path, node: str) -> list[str]:
    url, file, late = f"redis://{node}", folder / "incident.rec", f"{DEADLINE:g}"
    if command in ("apply", "rollback"):
        if not file.exists():
            _plan(file, node)
        action = CONFIRMED if command == "apply" else "CONFIG SET timeout 0"
        return [command, str(file), "s1", "--url", url, "--confirm", action, "--window", "0.2", "--deadline", late,
                "--audit", str(folder / "audit.jsonl")]  # fmt: skip
    quick = ("--window", "0.2", "--deadline", late)
    if command == "capture":
        return ["capture", url, "-o", str(folder / "it.rec"), "--duration", "0.5", "--every", "0.2", *quick]
    if command == "acl":
        return ["acl", url, "--check", "--deadline", late]
    return [command, url, "timeouts", "--model", "offline", *quick]


def _plan(file: Path, node: str) -> None:
    """Record an answer with one step."""
    recorder = Recorder(file, SystemClock(), Pseudonyms())
    recorder.begin(url=f"redis://{node}")
    step = Step(
        id="s1", kind="config_set", node=node, action=CONFIRMED, before="0", after="300", why="it's a test",
        risk="risky", needs_approval=True,
    )  # fmt: skip
    answer = Diagnosis(
        symptom="", target=TargetInfo(url=f"redis://{node}", nodes=(node,)), outcome="diagnosed", causes=(),
        findings=(), ruled_out=(), unknown=(), plan=(step,), readings=(), model=ModelUse(name="offline"), seconds=1,
        footprint=Footprint(commands=0, pings=0, bytes=0),
    )  # fmt: skip
    recorder.event(Answered(diagnosis=answer).model_dump(mode="json", by_alias=True))
    recorder.close()


class _Ran(NamedTuple):
    status: int | None
    """Null where it hung."""
    out: str
    err: str
    deaf: float | None
    """Seconds from when it went deaf (or its signals came) to its end; null where it never did."""


def _run(words: list[str], folder: Path, how: Try) -> _Ran:
    process = subprocess.Popen(
        [sys.executable, "-m", "evals.attacks._deaf", how.where, str(how.nth), how.kind, *words],
        cwd=Path(__file__).resolve().parents[2], env=environment(folder), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    began: list[float] = []
    said: list[str] = []
    with process:
        try:
            for line in process.stderr:
                said.append(line)
                if line.startswith("DEAF") and not began:
                    began.append(time.monotonic())
                    for _ in range(how.signals):
                        time.sleep(0.3)
                        process.send_signal(signal.SIGINT)
                        began[0] = time.monotonic()
                    break
            out, err = process.communicate(timeout=HARD)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            return _Ran(None, out, "".join(said) + err, None)
    return _Ran(process.returncode, out, "".join(said) + err, time.monotonic() - began[0] if began else None)


def _wrong(how: Try, ran: _Ran, folder: Path, *, changed: bool) -> str:
    """What doesn't hold of it, or nothing."""
    if ran.status is None:
        return "it hung"
    most = 2.0 if how.signals else DEADLINE * (2 if how.command in ("apply", "rollback") else 1) + 2
    # A log that nothing can be written to any more is waited for, and can't hold the end.
    unlogged = how.kind == "again" and how.where.endswith("jsonl")
    loading = LOADS if NOT_LOADED.format(LOADS) in ran.err else 0.0
    if ran.deaf is not None and ran.deaf > most + BUSY + loading + LAST_WORDS * unlogged:
        return f"{ran.deaf:.1f} s"
    if how.command not in ("apply", "rollback"):
        return "" if ran.out or "rediagnose" in ran.err else "it said nothing"
    log = folder / "audit.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    events = [one["event"] for one in lines]
    if events and events[-1] not in FINAL and not unlogged:
        return f"the log ends with {events[-1]}"
    if changed and "applying" not in events:
        return "a change that isn't in the log"
    words = ran.out + ran.err
    if changed and ("CONFIG SET timeout" not in words and "timeout was" not in words):
        return "nothing was said of the change"
    return "it's said that nothing was sent" if changed and "nothing was sent" in words else ""
