"""What the options of the commands mean, typed: argparse ends here."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

from agent.answer.diagnosis import OFFLINE, Diagnosis, ModelUse, Outcome
from agent.cli.model_inputs import ModelInputs
from agent.cli.place import ConnectionInputs, Positionals, usable
from agent.investigation.pipeline import Setup
from agent.investigation.pods import cluster_by_settings
from agent.investigation.sources import DEADLINE_CHECKS, DEADLINE_MODEL, Options, Sources
from agent.model.selection import choose
from agent.report.detail import QUIET, READINGS
from agent.runbooks.library import Library, load
from agent.tracing.listener import Listen, of_this_process
from tools.clock import Clock
from tools.connection.target import Target
from tools.errors import Unlogged, UsageError
from tools.files import must_be_regular
from tools.gate.ledger import Entry, Ledger, audit_path
from tools.host.facts import load_facts
from tools.past.history import History, parse_moment, usual_file
from tools.records import BudgetLimits, Record
from tools.settings.file import settings_for

_OWN = ("REDIS", "REDIAGNOSE_", "OPENAI_", "AZURE_", "GITHUB_", "JIRA_", "PAGERDUTY_")
"""Prefix of the environment variables that are read here."""
BY_OUTCOME: Mapping[Outcome, int] = {
    "no-fault": 0, "diagnosed": 10, "outside-redis": 10, "insufficient-evidence": 11,
}  # fmt: skip
"""Exit statuses with --exit-code: 0 healthy, 10 a fault (even outside Redis), 11 can't tell."""
FIRST_LOOK, FIRST_COMMANDS = 1.0, 20
"""Least seconds beside the window, and commands, with which INFO can be read twice from one server."""
SHORT_WINDOW = 0.5
Inputs = TypeVar("Inputs", bound=Record)


def typed(inputs: type[Inputs], arguments: Mapping[str, object]) -> Inputs:
    """The arguments that a command takes, out of all that were parsed."""
    given = {name: arguments[name] for name in inputs.model_fields if name in arguments}
    return inputs.model_validate({name: _decoded(name, value) for name, value in given.items()})


def _decoded(name: str, value: object) -> object:
    """An argument as text: bytes that aren't UTF-8 are dropped from a symptom, but an address or a name isn't
    guessed."""
    if isinstance(value, list | tuple):
        return [_decoded(name, one) for one in value]
    if not isinstance(value, str):
        return value
    text = value.encode(errors="surrogateescape").decode(errors="replace")
    if text != value and (name != "what" or "://" in text.split(" ", 1)[0]):
        raise UsageError(f"{name.replace('_', '-')}: it contains bytes that aren't UTF-8; use UTF-8")
    return text.replace("\0", "") if name == "what" else text


def check_environment(environ: Mapping[str, str]) -> None:
    """Raise `UsageError` naming a variable that we read whose value isn't UTF-8."""
    for name, value in environ.items():
        if name.startswith(_OWN) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise UsageError(f"{name}: its value contains bytes that aren't UTF-8; use UTF-8") from None


class SourceInputs(ConnectionInputs):
    """What is looked at besides the servers, and how far."""

    at: str | None = None
    """When it was reported."""
    prometheus: str | None = None
    """URL of a Prometheus that has redis_exporter's figures."""
    history_file: Path | None = None
    """The file of a past that `serve` keeps; null for the usual one."""
    host_facts: str | None = None
    """File with the output of `host-script`."""
    ssh: str | None = None
    """Host on which the user's ssh runs the host script."""
    pod: str | None = None
    """NAMESPACE/POD that Kubernetes is asked about, and in which kubectl runs the host script."""
    context: str | None = None
    """The kubeconfig's context for both; null for its current one."""
    kubernetes: bool = False
    """Whether Kubernetes may be asked about the Service that the address names, and the pods behind it."""
    provider: bool | None = None
    """Whether a managed server's own service may be asked; null for where its address or its settings say which."""
    host_port: int | None = None
    """The server's port there; null for the target's own."""
    server_log: str | None = None
    """File of a dead server's log."""
    one_node: bool = False
    """Look only at the URL's node."""
    baseline: Path | None = None
    """A recording of a good day."""
    record: Path | None = None
    """Where the incident is recorded."""

    def sources(self, target: Target, clock: Clock, *, events: bool = True) -> Sources:
        """What may be looked at besides the servers; `events` says whether a recording contains the conclusions too.

        Raises `UsageError` with the option and the remedy.
        """
        history = self.history(target, clock)
        baseline = None
        if self.baseline:
            # It imports the replaying of recordings.
            from agent.recordings.baseline_file import read_baseline

            baseline = read_baseline(self.baseline, load())
        managed = None
        if self.provider is not False:
            # Most servers are run by their owners.
            from agent.cli.providers import managed_of

            managed = managed_of(self.provider, target, clock, history.at)
        return Sources(
            provider=managed, facts=load_facts(self.host_facts) if self.host_facts else None, log=self.server_log,
            history=history, record=self.record, events=events, baseline=baseline,
        )  # fmt: skip

    def history(self, target: Target | None, clock: Clock) -> History:
        """Where the history of a target, or of any, is kept. Raises `UsageError` with the option and the remedy."""
        try:
            at = parse_moment(self.at, clock.now()) if self.at else None
        except ValueError as error:
            raise UsageError(f"--at: {error}") from None
        url, source = self.prometheus, "--prometheus"
        if not url and target and (configured := settings_for(target).past):
            url, source = configured.get_secret_value(), "rediagnose.toml"
        if not url and (url := os.environ.get("REDIAGNOSE_PROMETHEUS")):
            source = "REDIAGNOSE_PROMETHEUS"
        return History(url, clock, at, source=source, kept=self._kept(), named=self.history_file is not None)

    def _kept(self) -> Path | None:
        """The file of the past that `serve` keeps; null for none. Raises `UsageError`."""
        if self.history_file is not None:
            try:
                must_be_regular(self.history_file)
            except OSError as error:
                raise UsageError(
                    f"--history {self.history_file}: {error.strerror}; give the file that `rediagnose serve` keeps"
                ) from None
            return self.history_file
        try:
            usual = usual_file()
            return usual if usual.is_file() else None
        except OSError:
            return None


class InvestigationInputs(SourceInputs, ModelInputs):
    """How an investigation proceeds."""

    window: float = 2.0
    """Seconds between the two samples."""
    deadline: float | None = None
    """Seconds for the whole; null for the default."""
    max_commands: int = 400
    max_pings: int = 200
    runbooks: Path | None = None
    """A team's own runbooks."""
    audit: Path | None = None
    """The audit log; null for the default one."""
    all_readings: bool = False
    """Whether the answer contains the readings of a large deployment's healthy nodes."""

    def library(self) -> Library:
        """The runbooks. Raises `UsageError`."""
        return load(self.runbooks)

    def options(self, use: ModelUse) -> Options:
        """How the servers are examined. Raises `UsageError` for a limit too small even for the first look."""
        deadline = self.deadline or (DEADLINE_CHECKS if use.name == OFFLINE else DEADLINE_MODEL)
        if deadline < self.window + FIRST_LOOK:
            raise UsageError(
                f"--deadline {deadline:g}: the first look takes {self.window:g} s between its two samples and about "
                f"{FIRST_LOOK:g} s beside them; give --deadline {self.window + FIRST_LOOK:g} or more"
                f"{', or a shorter --window' if self.window > SHORT_WINDOW else ''}"
            )
        if self.max_commands < FIRST_COMMANDS:
            raise UsageError(
                f"--max-commands {self.max_commands}: the first look at one server takes {FIRST_COMMANDS}; give that "
                "or more"
            )
        limits = BudgetLimits(commands=self.max_commands, pings=self.max_pings)
        return Options(window=self.window, deadline=deadline, budget=limits, one_node=self.one_node,
                       all_readings=self.all_readings)  # fmt: skip

    def setup(self, target: Target, symptom: str, clock: Clock, *, events: bool = True) -> Setup:
        """Everything the investigation is made of. Raises `UsageError` for options that can't be used."""
        use = choose(self.model)
        return Setup(
            target=usable(target), symptom=symptom, library=self.library(), model=self.model_settings(use),
            options=self.options(use),
            sources=replace(
                self.sources(target, clock, events=events), mcp=self.mcp_servers(use),
                kubernetes=cluster_by_settings(target, symptom), changes=self.own_changes,
            ),
            listen=self.listener(),
        )  # fmt: skip

    def own_changes(self) -> list[Entry]:
        """What this program changed lately, by the audit log; nothing without one."""
        try:
            return Ledger(self.audit or audit_path()).made()
        except Unlogged:
            return []

    def listener(self) -> Listen:
        """Who else receives the events."""
        return of_this_process()


class PrintedInputs(InvestigationInputs):
    """An investigation whose answer is printed."""

    format: Literal["text", "json", "markdown", "html", "jira", "adf"] = "text"
    notify: tuple[str, ...] = ()
    """Webhooks: URLs, or names in rediagnose.toml."""
    approve: Literal["ask", "never"] = "ask"
    reveal: bool = False
    verbose: int = 0
    """How often -v was given."""
    quiet: bool = False
    pager: bool = True
    """Whether output longer than the terminal goes through a pager."""
    show_prompt: bool = False
    exit_code: bool = False
    """Whether the exit status reflects the answer."""

    def status(self, answer: Diagnosis) -> int:
        """The exit status of an answer."""
        return BY_OUTCOME[answer.outcome] if self.exit_code else 0

    @property
    def detail(self) -> int:
        """How much of the answer is printed as text."""
        return QUIET if self.quiet else min(self.verbose, READINGS)


class TriageInputs(PrintedInputs, Positionals):
    """`rediagnose triage`."""
