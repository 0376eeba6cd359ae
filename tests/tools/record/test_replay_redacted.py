"""What was secret on a server isn't in its recording; what describes the incident is."""

import contextlib
import gzip
from pathlib import Path

from evals.lab.servers import ServerKind, running
from evals.lab.wire import LOST, Argument, Wire, crew
from tests.program import rediagnose
from tools.record.redaction import reply
from tools.redact import Pseudonyms

PASSWORD = "REQpw-9101"
TOKEN = "tok_9105abcdefABCDEF0123456789"
OTP = "482913"
DIGEST = "a" * 60 + "9114"
SECRETS = (
    PASSWORD, TOKEN, DIGEST, "MASTERpw9102", "WRONGpw9103", "ACLpw9107", "HELLOpw9108", "MIGRATEpw9109",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi9110.abc", "HSETvalue9111", "EVALargument9112", "SCRIPTliteral9113",
    "4929114412349115", "PUBLISHED9116", "ECHOED9118", "NEWpw9106", OTP,
)  # fmt: skip
KEPT = ("session:1", "user:1", "cart:9", "lock:1", "card:1", "otp:77", "stream:1", "checkout-7", "worker-3", "alice")


async def tolerant(wire: Wire, *command: Argument) -> None:
    with contextlib.suppress(*LOST):
        await wire.ask(*command)


async def test_no_secret_is_in_a_recording(kind: ServerKind, tmp_path: Path) -> None:
    async with (
        running(kind, requirepass=PASSWORD, slowlog_log_slower_than="0", slowlog_max_len="1000") as server,
        crew() as hands,
    ):
        url = server.url.replace("//", f"//:{PASSWORD}@")
        app, stranger = await hands.dial(url, name="checkout-7"), await hands.dial(server.url)
        await hands.dial(url, name="worker-3")
        await tolerant(stranger, "AUTH", SECRETS[4])
        await tolerant(stranger, "AUTH", "alice", SECRETS[4])
        await tolerant(stranger, "HELLO", "2", "AUTH", "default", SECRETS[6])
        await app.ask("SET", "session:1", TOKEN)
        await app.ask("SET", "otp:77", OTP)
        await app.ask("HSET", "user:1", "name", SECRETS[9])
        await app.ask("SETEX", "cart:9", "60", SECRETS[8])
        await app.ask("EVAL", f"return '{SECRETS[11]}'", "1", "lock:1", SECRETS[10])
        await app.ask("SET", "card:1", SECRETS[12])
        await app.ask("PUBLISH", "channel", SECRETS[13])
        await app.ask("ECHO", SECRETS[14])
        await app.ask("ACL", "SETUSER", "alice", "on", f">{SECRETS[5]}", "~*", "+@all")
        await app.ask("ACL", "SETUSER", "bob", "on", f"#{DIGEST}")
        await app.ask("CONFIG", "SET", "masterauth", SECRETS[3])
        await tolerant(app, "MIGRATE", "127.0.0.1", "1", "cart:9", "0", "10", "AUTH", SECRETS[7])
        await app.ask("CONFIG", "SET", "requirepass", SECRETS[15])
        await app.ask("config", "set", "REQUIREPASS", PASSWORD)
        await app.ask("XGROUP", "CREATE", "stream:1", "workers", "0", "MKSTREAM")
        file = tmp_path / "incident"
        ticket = f"logins fail, the password is {PASSWORD}"
        done = await rediagnose("triage", url, ticket, "--model", "offline", "--record", str(file), "--window", "0.3")
    assert done.status == 0, done.err
    text = gzip.decompress(file.read_bytes()).decode("utf-8")
    # Several of them may stand in one argument, or be cut by the server.
    assert [secret for secret in SECRETS if secret in text or secret[:12] in text] == []
    assert [kept for kept in KEPT if kept not in text] == []


def test_logged_arguments_stay_as_far_as_they_are_counts() -> None:
    said = {
        ("LRANGE", "k", "0", "99"): ["LRANGE", "k", "0", "99"],
        ("SET", "k", "1234", "EX", "60"): ["SET", "k", "(redacted)", "(redacted)", "(redacted)"],
        ("EVAL", "return 1", "1", "k", "77"): ["EVAL", "(redacted)", "1", "k", "(redacted)"],
        ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"):
            ["XREADGROUP", "(redacted)", "(redacted)", "(redacted)", "STREAMS", "s", "(redacted)"],
        ("DEL", "k", "... (300 more arguments)"): ["DEL", "k", "... (300 more arguments)"],
        ("CONFIG", "SET", "requirepass", "x"): ["CONFIG", "SET", "(redacted)", "(redacted)"],
    }  # fmt: skip
    for words, kept in said.items():
        row = [1, 1767225600, 9000, list(words), "10.0.0.9:1", "web"]
        (shown,) = reply(("SLOWLOG", "GET", 32), [row], Pseudonyms())
        assert shown[3] == kept
