"""The answer: what `--format json` prints, and nothing else."""

from typing import Annotated, Literal

from pydantic import Field

from agent.answer.open_points import AlertAnswer, Benign, Blind, ClientSays, Complained, Pasted, Refused, Then
from agent.answer.open_points import Evidence as Evidence
from tools.records import Footprint, Reading, Record, Scalar
from tools.text import escaped_json

OFFLINE = "offline"
"""The name that means no model."""
NAMELESS = "Something is wrong that no cause found here explains"
"""Prefix of the `unknown` line about the server's own complaints that no cause explains."""
Outcome = Literal["diagnosed", "no-fault", "outside-redis", "insufficient-evidence"]
Topology = Literal["standalone", "replication", "sentinel", "cluster"]
State = Literal["proposed", "approved", "refused", "applied", "verified", "failed", "rolled-back"]
Probability = Annotated[float, Field(ge=0, le=1)]


class Cause(Record):
    """A root cause that may be present."""

    id: str
    """Id in the taxonomy."""
    probability: Probability
    """The chance that this cause is present; causes don't exclude each other."""
    where: str | None
    """The node it is about."""
    why: str
    """One or two sentences for the engineer on call."""
    evidence: tuple[Evidence, ...]
    only_reported: bool = False
    """Whether only the report (r0) supports it: it was reported, not measured."""


class RuledOut(Record):
    """A look-alike that the readings contradict."""

    id: str
    because: str
    evidence: tuple[Evidence, ...]

    @property
    def rests_on_readings(self) -> bool:
        """Whether any value it cites was read."""
        return any(one.value is not None for one in self.evidence)


class Goal(Record):
    """What a reading shows once a step has worked."""

    tool: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
    field: Annotated[str, Field(min_length=1, max_length=128)]
    op: Literal["==", "!=", "<", "<=", ">", ">=", "falls", "grows"]
    """`falls` and `grows` compare with the reading before the step."""
    value: Scalar = None
    """What the field's value is compared with."""

    @property
    def text(self) -> str:
        """In words for a person."""
        return f"{self.tool} {self.field} {self.op}" + ("" if self.op in ("falls", "grows") else f" {self.value}")


class Step(Record):
    """One step of the plan."""

    id: Annotated[str, Field(pattern=r"^s[0-9]+$")]
    kind: Literal["config_set", "command", "outside"]
    node: str | None
    action: str
    """The exact command, or what a person does for `outside`."""
    before: str | None = None
    """What was read before: the value for a CONFIG SET, the client's identity for a CLIENT KILL."""
    after: str | None = None
    why: str
    risk: Literal["safe", "risky"]
    needs_approval: bool
    """False only for `outside`, which is never carried out here."""
    rollback: str | None = None
    verify: str | None = None
    avoid: str | None = None
    """The tempting wrong remedy, and why it's wrong."""
    paste: tuple[str, ...] = ()
    """Shell commands that carry it out, with this deployment's own addresses; empty if none does."""
    shown_by: tuple[str, ...] = ()
    """Shell commands that show what `verify` says."""
    login: bool = False
    """Whether those lines need the password. They never contain it: redis-cli takes it from REDISCLI_AUTH."""
    checks: tuple[Goal, ...] = ()
    """What shows within a few seconds that it worked, in a form that code compares."""
    unchecked: str | None = None
    """What couldn't be checked about its value against the machine."""
    unverified: bool = False
    """Whether it's a model's own advice, which is in no runbook and wasn't classified by the policy."""
    proposed_by: str | None = None
    """Who put it into the plan, if a person or an assistant did; null for what the answer itself proposes."""
    state: State = "proposed"

    @property
    def is_open(self) -> bool:
        """Whether nothing was done about it."""
        return self.state in ("proposed", "refused")


class Action(Record):
    """Something to be done, as proposed: the policy still has to classify it."""

    kind: Literal["config_set", "command", "outside"]
    action: str
    """The command, or what a person does for `outside`."""
    why: str
    verify: str | None = None
    avoid: str | None = None
    step: str | None = None
    """Which runbook step is meant, such as `thp/1`; null for one that a model adds."""
    drop: bool = False
    """Whether to leave it out of the plan, for the reason in `why`."""


class Dropped(Record):
    """A step that was left out of the plan."""

    action: str
    node: str | None
    why: str
    by: Literal["model", "plan"]
    """Whether the model leaves it out, or it contradicts another step."""
    avoid: str | None = None
    """What its runbook warns against, which still applies."""


class LookedAt(Record):
    """How much of a deployment was looked at."""

    known: int
    """Nodes known to be in the deployment, including sentinels."""
    answered: int
    """Those that answered."""
    in_depth: tuple[str, ...]
    """The servers among them of which all readings were taken."""
    glanced: int = 0
    """In a large deployment: the others that answered, of which only the cheapest readings were taken."""


class TargetInfo(Record):
    """What was examined; null if the server was never reached."""

    url: str
    server: str | None = None
    version: str | None = None
    topology: Topology | None = None
    service: str | None = None
    """The managed service that runs it, such as elasticache; null for any other server."""
    nodes: tuple[str, ...] = ()
    looked_at: LookedAt | None = None
    """Null in answers of versions that didn't report it."""


class Disagreement(Record):
    """A disagreement between a model's answer and that of the checks."""

    model: str
    """The model's first cause, or its outcome."""
    checks: str
    """The checks' first cause, or their outcome."""
    stands: Literal["model", "checks"]
    why: str
    """The argument for the one that became the answer."""
    evidence: tuple[Evidence, ...] = ()
    """What the side that was accepted cites."""
    other: tuple[Evidence, ...] = ()
    """What the other side cites."""


class PastFailover(Record):
    """The most recent completed change of the primary, as far as the readings show."""

    at: str | None
    """When, in UTC to the second; null if only a bound or nothing is known."""
    old: str | None
    new: str | None
    """The primary before and after it; null if unknown."""
    by: str
    """Who decided: sentinel, sentinel-manual, cluster, cluster-manual, cluster-takeover, failover-command, client,
    unknown. Those with `manual`, and cluster-takeover, failover-command and client, were requested by somebody."""
    told: str
    """All of it for a person, with the likely reason."""
    evidence: tuple[Evidence, ...]
    unsure: tuple[str, ...]
    """What isn't known about it, each with what would show it."""
    asked: bool
    """Whether the report asks about it: only then is it among the first lines."""


class ModelUse(Record):
    """Which model answered, and what it cost."""

    name: str
    """`offline` for the checks alone."""
    turns: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    """How many of `tokens_in` the provider had in its cache."""
    estimated: bool = False
    """Whether the endpoint didn't report the tokens of some answer, so that they are estimated from its size."""
    cost: float | None = None
    """At the prices that were given; null without any."""
    disagrees: Disagreement | None = None
    """Null if the model and the checks agree, or if either has no answer."""
    degraded: str | None = None
    """Why the checks' answer was used although a model was asked."""
    why: str = ""
    """Why this model, or why no model."""

    @property
    def alone(self) -> bool:
        """Whether the answer is the checks' own."""
        return self.name == OFFLINE or self.degraded is not None


class Diagnosis(Record):
    """The whole answer, in the form of the contract."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    symptom: str
    target: TargetInfo
    outcome: Outcome
    causes: Annotated[tuple[Cause, ...], Field(max_length=3)]
    findings: tuple[Cause, ...]
    ruled_out: tuple[RuledOut, ...]
    unknown: tuple[str, ...]
    plan: tuple[Step, ...]
    failover: PastFailover | None = None
    """The most recent completed change of the primary; null if there is no sign of one and the report doesn't ask."""
    refused: tuple[Refused, ...] = ()
    """What was proposed but is forbidden by policy, or isn't offered because its diagnosis wasn't accepted; and calls
    of tools that would change something."""
    readings: tuple[Reading, ...]
    footprint: Footprint
    model: ModelUse
    seconds: float
    summary: str = ""
    """What an alert asks and what is wrong, in a sentence or two, for every outcome."""
    summary_by: Literal["checks", "model"] = "checks"
    """Who wrote the summary."""
    evidence: tuple[Evidence, ...] = ()
    """The evidence for a model's outcome, besides what the causes cite."""
    dropped: tuple[Dropped, ...] = ()
    """Steps left out of the plan, each with the reason."""
    alerts: tuple[AlertAnswer, ...] = ()
    """What the alerts in the report ask, answered; empty where none of a known rule is in it."""
    complaints: tuple[Complained, ...] = ()
    """What the servers themselves complain about."""
    blind: tuple[Blind, ...] = ()
    """What wasn't examined, where that hides a cause that would fit the symptom."""
    benign: tuple[Benign, ...] = ()
    """For `no-fault`: what explains the report although nothing is wrong, most likely first; at most three."""
    client_says: tuple[ClientSays, ...] = ()
    """What the errors say that clients report; empty where none is in the report or the paste."""
    pasted: Pasted | None = None
    """What was looked at in place of a server; null where one was asked."""
    then: Then | None = None
    """What was pasted beside a server that was looked at; null where nothing was."""
    interrupted: bool = False
    """Whether it was stopped before it was complete."""

    @property
    def own_plan(self) -> tuple[Step, ...]:
        """The plan without a model's unverified advice."""
        return tuple(step for step in self.plan if not step.unverified)

    def to_json(self) -> str:
        """The JSON text of the contract."""
        return escaped_json(self.model_dump_json(by_alias=True, indent=2))


class Verdict(Record):
    """What the checks or a model conclude from the readings."""

    outcome: Outcome
    causes: tuple[Cause, ...] = ()
    """Ranked, at most three."""
    findings: tuple[Cause, ...] = ()
    """Everything that was found, ranked."""
    ruled_out: tuple[RuledOut, ...] = ()
    unknown: tuple[str, ...] = ()
    complaints: tuple[Complained, ...] = ()
    blind: tuple[Blind, ...] = ()
    summary: str = ""
    """A model's summary; empty if the answer doesn't use it."""
    evidence: tuple[Evidence, ...] = ()
    """The evidence for a model's outcome."""
    suspected: tuple[str, ...] = ()
    """Causes that a model names but doesn't prove: they are shown last and get no steps."""
