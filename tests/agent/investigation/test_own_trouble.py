"""This program's own login isn't the incident, unless the report is about logging in."""

from evals.lab.servers import ServerKind, running
from tests.program import rediagnose


async def test_without_a_password_nothing_is_said_of_the_incident(kind: ServerKind) -> None:
    async with running(kind, requirepass="secret") as server:
        done = await rediagnose("triage", server.url, "checkout is slow", "--window", "0.3", "--model", "offline")
        about = await rediagnose(
            "triage", server.url, "NOAUTH Authentication required", "--window", "0.3", "--model", "offline"
        )
    assert done.status == 3
    assert "I couldn't log in" in done.err and "--password-file" in done.err and done.out == ""
    assert about.status == 0 and "auth-failure" in about.out


async def test_a_conversation_says_so_too(kind: ServerKind) -> None:
    async with running(kind, requirepass="secret") as server:
        talk = "chat", server.url, "--window", "0.3", "--model", "offline"
        done = await rediagnose(*talk, said="checkout is slow\n")
        about = await rediagnose(*talk, said="NOAUTH Authentication required\n")
    assert "I couldn't log in" in done.out and "auth-failure" not in done.out
    assert "I couldn't log in" not in about.out and "auth-failure" in about.out
