"""Files and folders that somebody else made: pipes, devices, forged recordings, and settings that a folder holds."""

import asyncio
import json
import os
import random
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from agent.remediation.audit import vouches
from evals.attacks._program import DEAD, ended, start
from evals.attacks.attempt import Attempt
from tools.connection.target import Tls
from tools.errors import GateError, UsageError
from tools.gate.apply import as_new
from tools.gate.policy import Change, allowed_change
from tools.settings.file import load_settings

HOLDS = "no file hangs it, no forged recording restores a value, no folder decides where a credential goes"
_FILES = (
    ("apply", "{}", "s1", "--url", DEAD), ("rollback", "{}", "s1", "--url", DEAD), ("replay", "{}"), ("annotate", "{}"),
    ("triage", DEAD, "--baseline", "{}"), ("triage", DEAD, "--host-facts", "{}"), ("chat", DEAD, "--resume", "{}"),
    ("triage", DEAD, "--password-file", "{}"), ("triage", "rediss://127.0.0.1:1", "--cacert", "{}"),
    ("triage", "rediss://127.0.0.1:1", "--cert", "{}", "--key", "{}"), ("triage", DEAD, "--record", "{}"),
    ("capture", DEAD, "-o", "{}"), ("trust", "{}"),
)  # fmt: skip
_KINDS = ("pipe", "folder", "socket", "loop", "/dev/zero", "/dev/tty", "/dev/full", "deep", "huge")


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Half of the tries without a process: what may come back, and what a folder may say."""
    with tempfile.TemporaryDirectory(prefix="rediagnose-attack-") as name:
        for number in range(tries):
            folder = Path(name) / str(number)
            folder.mkdir()
            kind: Callable[[Path, random.Random], Attempt] = (_file, _value, _folder, _value)[number % 4]
            yield await asyncio.to_thread(kind, folder, rng)


def _file(folder: Path, rng: random.Random) -> Attempt:
    kind, words = rng.choice(_KINDS), rng.choice(_FILES)
    path = folder / "it"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(os.path.relpath(path))
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "deep":
        path.write_text('{"type": "rediagnose-recording", "version": 1, "url": ' + "[" * 100_000)
    elif kind == "huge":
        with open(path, "wb") as file:
            file.truncate(2**34)
    else:
        path = Path(kind)
    ran = ended(start([word.replace("{}", str(path)) for word in words], folder))
    # A text of any kind is a ticket, and a conversation goes on without what it can't resume.
    may = {"annotate": (2, 3), "chat": (0,)}.get(words[0], (2,))
    held = ran.status in may and not ran.traced
    return Attempt(f"{words[0]} of {kind}", held, ran.story)


def _value(folder: Path, rng: random.Random) -> Attempt:
    parameter, value = rng.choice((
        ("maxclients", str(rng.choice((0, 1, 2, 9, 200_001, 99_999_999, 2**40)))),
        ("maxmemory", str(rng.randrange(1, 2**20))), ("timeout", str(rng.randrange(1, 10))),
        ("hz", str(rng.randrange(101, 10**6))),
        ("client-query-buffer-limit", str(rng.randrange(1, 2**20))), ("repl-timeout", "1"),
    ))  # fmt: skip
    undo = allowed_change("10.0.0.1:6379", ("CONFIG", "SET", parameter, value), "7", restores=True)
    log = folder / "audit.jsonl"
    near = rng.choice(("none", "other node", "other parameter", "other value", "only proposed", "anybody's", "linked"))
    log.write_text(json.dumps(_entry(undo, near)) + "\n" if near != "none" else "")
    log.chmod(0o666 if near == "anybody's" else 0o600)
    try:
        if vouches(log)(undo):
            return Attempt(f"{undo.action} by {near}", near == "linked", "the log vouched for it")
        as_new(undo)
    except GateError:
        return Attempt(f"{undo.action} by {near}", near != "linked", "the log's own value wasn't known")
    return Attempt(f"{undo.action} by {near}", False, "it would have been sent")


def _entry(undo: Change, near: str) -> dict[str, object]:
    """A line of a log that is almost the one that would vouch; with `linked` it's that one."""
    parameter = "slowlog-max-len" if near == "other parameter" else undo.args[2]
    return {
        "time": "2026-01-01T00:00:00.000+00:00", "event": "proposed" if near == "only proposed" else "applying",
        "user": "me", "host": "here", "pid": 1, "node": "10.0.0.2:6379" if near == "other node" else undo.node,
        "action": "", "args": ["CONFIG", "SET", parameter, "7"],
        "before": f"{undo.args[3]}0" if near == "other value" else undo.args[3],
    }  # fmt: skip


_KEYS = (
    'password_env = "GITHUB_TOKEN"', 'password_file = "/etc/hostname"', 'credentials = "entra"', 'cacert = "ca"',
    'cert = "c"', 'key = "k"', 'prometheus = "http://u:p@evil.example"', "",
)  # fmt: skip


def _folder(folder: Path, rng: random.Random) -> Attempt:
    key, urls = rng.choice(_KEYS), ("redis://evil.example", "rediss://evil.example?ssl_cert_reqs=none")
    url = urls[0] if key else rng.choice(urls)
    (folder / "rediagnose.toml").write_text(f'[[targets]]\nname = "orders"\nurl = "{url}"\n{key}\n')
    secret = {"REDISCLI_AUTH": "hush"} if not key else {}
    try:
        target = load_settings(environ={"HOME": str(folder)}, folder=folder).targets[0].connectable(
            Tls(), environ={"GITHUB_TOKEN": "hush", **secret}
        )  # fmt: skip
    except UsageError as error:
        return Attempt(f"{url} {key}", "rediagnose trust" in str(error) and "hush" not in str(error), str(error))
    return Attempt(f"{url} {key}", False, f"{target.url} would have been sent a credential")
