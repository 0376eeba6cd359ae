"""`rediagnose annotate` in this process, with an environment of its own."""

import os
from pathlib import Path

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.cli.annotate import annotate, look_live
from agent.cli.commands import COMMANDS
from agent.cli.inputs import typed
from agent.cli.other_inputs import AnnotateInputs
from agent.cli.parsing import USAGE
from agent.cli.program import NOTHING, parsed, parser
from agent.tickets.ticket import Ticket
from tests.program import STATE, Done
from tests.standins import EMAIL, TOKEN, GitHubStandIn, JiraStandIn, PagerDutyStandIn, StandIn
from tools.connection.target import Target
from tools.errors import RediagnoseError, UsageError

TICKETS = Path(__file__).resolve().parent / "tickets"
DEAD = "redis://127.0.0.1:1"
"""Where nothing listens: the quickest diagnosis that there is."""


_ANSWERS: dict[tuple[str, str], tuple[int, Diagnosis | None]] = {}


async def look_once(inputs: AnnotateInputs, ticket: Ticket, target: Target) -> tuple[int, Diagnosis | None]:
    """Investigate a server for a ticket's words once in this process: what's tried is where the answer goes."""
    asked = (target.url, ticket.symptom)
    if asked not in _ANSWERS:
        _ANSWERS[asked] = await look_live(inputs, ticket, target)
    return _ANSWERS[asked]


class Desk:
    """Runs annotate as in an empty folder, and tells what it printed."""

    def __init__(self, tmp_path: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = tmp_path
        self.patch = patch
        self._capsys = capsys

    def settings(self, text: str) -> None:
        """Write rediagnose.toml, and name it: a folder's file alone says nothing about credentials."""
        file = self.folder / "rediagnose.toml"
        file.write_text(text)
        self.patch.setenv("REDIAGNOSE_CONFIG", str(file))

    def ticket(self, content: str | bytes, name: str = "ticket") -> str:
        """Write a ticket; its path."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def serve(self, app: StandIn) -> None:
        """Let the environment say where a stand-in is, and its token."""
        env = self.patch.setenv
        if isinstance(app, GitHubStandIn):
            env("GITHUB_API_URL", app.url)
            env("GITHUB_TOKEN", TOKEN)
        elif isinstance(app, JiraStandIn):
            env("JIRA_URL", app.url)
            env("JIRA_TOKEN", TOKEN)
            if app.version == 3:
                env("JIRA_EMAIL", EMAIL)
        elif isinstance(app, PagerDutyStandIn):
            env("PAGERDUTY_API_URL", app.url)
            env("PAGERDUTY_TOKEN", TOKEN)
            env("PAGERDUTY_FROM", EMAIL)

    async def annotate(self, ticket: str, *args: str, patience: float = 10.0) -> Done:
        """Run it; a name of tests/tickets, or a path."""
        path = ticket if ticket == "-" or "/" in ticket else str(TICKETS / ticket)
        argv = ["annotate", path, "--model", "offline", "--window", "0.2", *args]
        self._capsys.readouterr()
        # What doesn't listen is answered alike each time; a server that does may have changed.
        look = look_once if DEAD in argv else None
        try:
            inputs = typed(AnnotateInputs, parsed(parser(COMMANDS, ""), argv))
            status, last = await annotate(inputs, patience, look), ""
        except UsageError as error:
            status, last = USAGE, f"{error}"
        except RediagnoseError as error:
            status, last = NOTHING, f"{error}"
        out = self._capsys.readouterr()
        return Done(status, out.out, out.err + last)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A desk with nothing set."""
    others = (
        "REDISCLI_AUTH",
        "REDIS_URL",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "REDIAGNOSE_MODEL",
        "REDIAGNOSE_CONFIG",
    )
    for name in (*(name for name in os.environ if name.startswith(("GITHUB_", "GH_", "JIRA_", "PAGERDUTY_"))), *others):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", STATE.name)
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, monkeypatch, capsys)
