"""Text of servers, files, tickets and arguments that tries to steer the terminal on which it's shown."""

import asyncio
import itertools
import json
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from evals.attacks._program import DEAD
from evals.attacks._pty import MARKS, in_terminal, steering
from evals.attacks._replies import named
from evals.attacks._server import INFO, RIGHT, asked, serving
from evals.attacks.attempt import Attempt
from evals.endpoint import Call, Say, Script, endpoint
from tools.connection.protocol import Command, Reply, ServerError
from tools.record.resp import encode

HOLDS = "no text of others controls the terminal, hides anything or becomes markup, whatever command shows it"
QUICK = ("--model", "offline", "--window", "0.2", "--deadline", "4", "--approve", "never")
ASKED = ("--model", "gpt-5-mini", "--window", "0.2", "--deadline", "8", "--approve", "never", "--max-turns", "3")
_LOG = (
    "4711:M 31 Jan 2026 02:05:07.123 {level} {text}\n"
    "4711:M 31 Jan 2026 02:05:07.124 {level} Can't save in background: fork: {text}\n"
    "4711:M 31 Jan 2026 02:05:07.125 {level} Error opening /{text} for append: {text}\n"
)
"""Lines of a server that died, its own and those that hold others' words."""
COMMANDS = (
    "usage", "option", "url", "target", "runbooks-show", "runbooks-check", "lab-start", "eval-arm", "eval-compare",
    "apply", "rollback", "replay-missing", "replay", "annotate", "resume", "acl", "capture", "triage", "markdown",
    "reveal", "chat", "log", "model", "model-chat",
    "undone",
)  # fmt: skip


def payload(rng: random.Random) -> str:
    """All kinds of marks, in some order, between words."""
    return "".join(f"w{mark}" for mark in rng.sample(MARKS, len(MARKS))) + "w"


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Each command with each of its channels filled, in turn."""
    for number in range(tries):
        name = COMMANDS[number % len(COMMANDS)]
        yield await attempt(name, payload(rng))


async def attempt(name: str, text: str) -> Attempt:
    """One command, with a text in all that it reads and shows."""
    with tempfile.TemporaryDirectory(prefix="rediagnose-pty-") as folder:
        at = Path(folder)
        async with hostile_server(text) as url:
            args, typed, ends = _prepared(name, text, at, url)
            asks = b"anything else is no:" if name == "undone" else None
            if name.startswith("model"):
                async with endpoint(_model(text)) as model:
                    environ = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "x"}
                    status, printed = await in_terminal(args, environ, at, typed, ends=ends)
            else:
                status, printed = await in_terminal(args, {}, at, typed, ends=ends, asks=asks)
    found = steering(printed)
    if not found and b"MarkupError" in printed:
        found = "a value was taken for markup"
    if not found and name == "undone" and b"Undo it?" not in printed:
        found = "the undo of an applied change wasn't asked"
    if not found and not printed:
        found = f"nothing was printed, status {status}"
    return Attempt(name, not found, found)


def _model(text: str) -> Script:
    """A model that calls tools of that name, gives them such arguments, says it, and concludes with it."""
    plain = text.encode(errors="replace").decode()
    cause = {"id": "process-down", "probability": 0.9, "where": plain, "why": plain,
             "evidence": [{"reading": plain, "field": plain, "value": plain}]}  # fmt: skip
    submitted = {
        "outcome": "diagnosed", "causes": [cause], "ruled_out": [{"id": plain, "because": plain, "evidence": []}],
        "unknown": [plain], "actions": [{"kind": "outside", "action": plain, "why": plain, "verify": plain}],
    }  # fmt: skip
    wild = (Call(name=plain[:60], arguments={plain: plain}), Call(name="info", arguments={"sections": [plain]}),
            Call(name="propose_config_set", arguments={"parameter": plain, "value": plain, "why": plain}),
            Call(name="read_runbook", arguments={"name": plain}), Call(name="info", arguments=plain))  # fmt: skip
    turns = itertools.cycle((Say(text=plain, calls=wild), Say(text=plain, calls=(Call(
        name="submit_diagnosis", arguments=submitted),)), Say(text=plain)))  # fmt: skip
    return lambda body: next(turns)


def _prepared(name: str, text: str, at: Path, url: str) -> tuple[list[str], str, bytes | None]:
    """Arguments, what is typed, and the bytes at which the program is ended."""
    file_name = text.replace("/", "").replace("\0", "")[:60]
    recording = at / "incident.rec"
    if name in ("apply", "rollback", "replay", "resume"):
        _forge(recording, text, url)
    if name == "runbooks-check":
        (at / "books").mkdir()
        (at / "books" / f"{file_name}.md").write_text(f"---\nname: {text}\n{text}: 1\n---\n{text}\n", errors="replace")
    if name == "eval-compare":
        for one in ("a", "b"):
            (at / one).write_text(json.dumps({"schema": 1, text: text, "arms": [text]}))
    lines = "".join(_LOG.format(text=text.replace("\n", " "), level=level) for level in "#*-.")
    (at / "server.log").write_text(lines, errors="replace")
    (at / "ticket").write_text(f"{text} times out", errors="replace")
    (at / "rediagnose.toml").write_text(f"[[targets]]\nname = {json.dumps(text)}\nurl = {json.dumps(url)}\n")
    if name != "target":
        (at / "rediagnose.toml").unlink()
    given: dict[str, list[str]] = {
        "usage": [text], "option": ["triage", f"--{text}"], "url": ["triage", f"redis://{text}", "x", *QUICK],
        "target": ["triage", "--target", text + "x", "x", *QUICK], "runbooks-show": ["runbooks", "show", text],
        "runbooks-check": ["runbooks", "check", "books"], "lab-start": ["lab", "start", text],
        "eval-arm": ["eval", "--arms", text], "eval-compare": ["eval", "compare", "a", "b"],
        "apply": ["apply", str(recording), "s1", "--url", url],
        "rollback": ["rollback", str(recording), "s1", "--url", url],
        "replay-missing": ["replay", file_name], "replay": ["replay", str(recording)],
        "annotate": ["annotate", "ticket", "--url", url, "--format", "text", *QUICK[:-2]],
        "resume": ["chat", url, "--resume", str(recording), *QUICK], "acl": ["acl", url],
        "capture": ["capture", url, text, "-o", file_name, "--duration", "0.5", "--every", "0.2", "--window", "0.2"],
        "triage": ["triage", url, text, *QUICK], "markdown": ["triage", url, text, "--format", "markdown", *QUICK],
        "log": ["triage", DEAD, text, "--server-log", "server.log", *QUICK],
        "model": ["triage", url, text, *ASKED], "model-chat": ["chat", url, text, *ASKED],
        "reveal": ["triage", url, text, "--reveal", *QUICK], "chat": ["chat", url, text, *QUICK],
        "undone": ["triage", url, text, *QUICK[:-2], "--approve", "ask"],
    }  # fmt: skip
    looks = "/readings\r/reading r1\r/plan\r/reading r2\r/quit\r"
    typed = {"undone": "yes\r", "chat": looks, "resume": looks, "model-chat": "go on\r/quit\r"}.get(name, "")
    return given[name], typed, b"Ctrl-C ends it." if name == "replay" else None


def _forge(path: Path, text: str, url: str) -> None:
    """A recording whose every text is the payload."""
    node = url.removeprefix("redis://")
    reading = {"id": "r1", "tool": "info", "args": {}, "node": node, "at": text[:30], "ms": 1.0,
               "values": {text[:60]: text, "role": text}, "unavailable": None}  # fmt: skip
    step = {"id": "s1", "kind": "config_set", "node": node, "action": f"CONFIG SET maxclients 10000{text}", "why": text,
            "risk": "risky", "needs_approval": True, "before": text, "after": text, "rollback": text,
            "avoid": text, "verify": text}  # fmt: skip
    lines = [
        {"type": "rediagnose-recording", "version": 1, "at": "2026-01-01T00:00:00+00:00", "url": url, "symptom": text},
        {"type": "seen", "t": 0.1, "reading": reading},
        {"type": "event", "t": 0.2, "event": {"type": "reading_taken", "reading": reading}},
        {"type": "event", "t": 0.3, "event": {"type": "plan_made", "plan": [step], "steps": [step]}},
        {"type": "event", "t": 0.4, "event": {"type": "reply", "text": text, "cited": []}},
        {"type": "end", "t": 0.5, "lines": 5},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@asynccontextmanager
async def hostile_server(text: str) -> AsyncIterator[str]:
    """A server whose replies have the right shape, and the text wherever they have room for one.

    Its slow log is switched off, and once that is changed it holds the text as well.
    """
    line = text.replace("\r", "").replace("\n", "").encode(errors="replace").decode()
    word = "_".join(line.split())
    slower_than = "-1"

    def reply(command: Command) -> Reply:
        nonlocal slower_than
        name = named(command)
        if name == "CONFIG SET":
            slower_than = text
            return "OK"
        if name == "CONFIG GET":
            values = ((one, slower_than if one == "slowlog-log-slower-than" else line) for one in command[2:])
            return [part for pair in values for part in pair]
        first = name.partition(" ")[0]
        return texts.get(name, texts.get(first, RIGHT.get(name, RIGHT.get(first, ServerError(f"ERR {line}")))))

    replied = (
        f"\r\nconfig_file:/{line}\r\nexecutable:/{line}\r\nmaster_host:{line}\r\nos:{line}\r\n"
        f"rdb_last_bgsave_status:{line}\r\n# Errorstats\r\nerrorstat_{word}:count=9\r\n"
        f"# Commandstats\r\ncmdstat_{word}:calls=9,usec=9000000,usec_per_call=1000000,rejected_calls=1,failed_calls=8"
        "\r\n"
    )
    texts: dict[str, Reply] = {
        "INFO": INFO.replace("# Keyspace", f"{replied}# Keyspace").replace("ip=127.0.0.1", f"ip={word}"),
        "CLIENT LIST": f"id=7 addr={word} laddr=127.0.0.1:6 fd=8 name={word} age=5 idle=1 flags=N db=0 qbuf=0 "
        f"omem=90000000 events=r cmd={word} user={word}\n",
        "SLOWLOG GET": [[1, 1700000000, 20000, ["GET", text], text, text]],
        "LATENCY LATEST": [[text, 1700000000, 20, 30]], "LATENCY DOCTOR": text, "MEMORY DOCTOR": text,
        "ACL WHOAMI": text,
        "ACL LOG": [["count", 1, "reason", text, "context", text, "object", text, "username", text, "age-seconds",
                     "1.5", "client-info", f"id=5 addr={word} name={word}"]],
    }  # fmt: skip

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(encode(reply(await asked(reader)), 2))
            await writer.drain()

    async with serving(serve) as port:
        yield f"redis://127.0.0.1:{port}"
