"""The answer: what `--format json` prints, and nothing else."""

from typing import Annotated, Literal

from pydantic import Field

from agent.answer.open_points import Benign, Blind, ClientSays, Complained, Pasted, Then
from agent.answer.open_points import Evidence as Evidence
from tools.records import Footprint, Reading, Record, Scalar
from tools.text import escaped_json

OFFLINE = "offline"
"""The name that stands for no model."""
NAMELESS = "Something is wrong, but I have no name for it"
"""How the line of `unknown` begins that tells of the server's own complaints without a cause."""
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
    """The node that it's about."""
    why: str
    """One or two sentences for the person on call."""
    evidence: tuple[Evidence, ...]
    only_reported: bool = False
    """Whether nothing but the report (r0) supports it: it was reported, not measured."""


class RuledOut(Record):
    """A look-alike that the readings speak against."""

    id: str
    because: str
    evidence: tuple[Evidence, ...]

    @property
    def rests_on_readings(self) -> bool:
        """Whether any value that it cites was read."""
        return any(one.value is not None for one in self.evidence)


class Goal(Record):
    """What a reading shows once a step has worked."""

    tool: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
    field: Annotated[str, Field(min_length=1, max_length=128)]
    op: Literal["==", "!=", "<", "<=", ">", ">=", "falls", "grows"]
    """`falls` and `grows` compare with the reading before the step."""
    value: Scalar = None
    """What the field is compared with."""

    @property
    def text(self) -> str:
        """As a person reads it."""
        return f"{self.tool} {self.field} {self.op}" + ("" if self.op in ("falls", "grows") else f" {self.value}")


class Step(Record):
    """One step of the plan."""

    id: Annotated[str, Field(pattern=r"^s[0-9]+$")]
    kind: Literal["config_set", "command", "outside"]
    node: str | None
    action: str
    """The exact command, or for `outside` what a person does."""
    before: str | None = None
    """What was read before: of a CONFIG SET the value, of a CLIENT KILL who the client is."""
    after: str | None = None
    why: str
    risk: Literal["safe", "risky"]
    needs_approval: bool
    """False only for `outside`: nothing of that is carried out here."""
    rollback: str | None = None
    verify: str | None = None
    avoid: str | None = None
    """The tempting wrong remedy, and why it's wrong."""
    paste: tuple[str, ...] = ()
    """Lines for a shell that carry it out, with this deployment's own addresses; empty where no line does."""
    shown_by: tuple[str, ...] = ()
    """Lines for a shell that show what `verify` says."""
    login: bool = False
    """Whether those lines need the password, which they never hold: redis-cli takes it from REDISCLI_AUTH."""
    checks: tuple[Goal, ...] = ()
    """What shows in a few seconds that it worked, as code compares it."""
    unchecked: str | None = None
    """What of its value couldn't be checked against the machine."""
    unverified: bool = False
    """Whether it's a model's own advice, which no runbook has and no policy classified."""
    state: State = "proposed"

    @property
    def is_open(self) -> bool:
        """Whether nothing was done about it."""
        return self.state in ("proposed", "refused")


class Action(Record):
    """Something that is to be done, as it was proposed: policy has still to classify it."""

    kind: Literal["config_set", "command", "outside"]
    action: str
    """The command, or for `outside` what a person does."""
    why: str
    verify: str | None = None
    avoid: str | None = None
    step: str | None = None
    """Which of the runbooks' steps is meant, such as `thp/1`; null for one that a model adds."""
    drop: bool = False
    """Whether it's left out of the plan, for the reason in `why`."""


class Dropped(Record):
    """A step that the plan would have, and doesn't."""

    action: str
    node: str | None
    why: str
    by: Literal["model", "plan"]
    """Whether the model leaves it out, or it contradicts another step."""
    avoid: str | None = None
    """What its runbook warns of, which holds all the same."""


class LookedAt(Record):
    """How much of a deployment was looked at."""

    known: int
    """Nodes that the deployment has, as far as is known; sentinels among them."""
    answered: int
    """Those that answered."""
    in_depth: tuple[str, ...]
    """The servers among them that all readings were taken of."""
    glanced: int = 0
    """Of a large deployment: the others that answered, of which the cheapest readings were taken."""


class TargetInfo(Record):
    """What was looked at; null where the server was never reached."""

    url: str
    server: str | None = None
    version: str | None = None
    topology: Topology | None = None
    nodes: tuple[str, ...] = ()
    looked_at: LookedAt | None = None
    """Null in answers of versions that didn't say it."""


class Refused(Record):
    """Something that was proposed or called for, and neither done nor taken into the plan."""

    action: str
    why: str


class Disagreement(Record):
    """Where a model and the checks come to different answers."""

    model: str
    """The model's first cause, or its outcome."""
    checks: str
    """The checks' first cause, or their outcome."""
    stands: Literal["model", "checks"]
    why: str
    """What speaks for the one that is the answer."""
    evidence: tuple[Evidence, ...] = ()
    """What the side that stands cites."""
    other: tuple[Evidence, ...] = ()
    """What the other side cites."""


class PastFailover(Record):
    """The newest change of the primary that is over, as far as the readings tell."""

    at: str | None
    """When, in UTC to the second; null where only a bound is known, or none."""
    old: str | None
    new: str | None
    """The primary before it and after it; null where it isn't known."""
    by: str
    """Who decided: sentinel, sentinel-manual, cluster, cluster-manual, cluster-takeover, failover-command, client,
    unknown. Those with `manual` and the last three but unknown were asked for by somebody."""
    told: str
    """All of it for a person, with the likely reason."""
    evidence: tuple[Evidence, ...]
    unsure: tuple[str, ...]
    """What isn't known of it, each with what would tell."""
    asked: bool
    """Whether the report asks for it: only then it's among the first lines."""


class ModelUse(Record):
    """Which model answered and what it cost."""

    name: str
    """`offline` for the checks alone."""
    turns: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    """Those of `tokens_in` that the provider had in its cache."""
    estimated: bool = False
    """Whether the endpoint didn't count the tokens of some answer, so that they're estimated by its size."""
    cost: float | None = None
    """By the prices that were given; null without."""
    disagrees: Disagreement | None = None
    """Null where the model and the checks agree, or one of them says nothing."""
    degraded: str | None = None
    """Why the answer is the checks' although a model was asked."""
    why: str = ""
    """Why this model, or why none."""

    @property
    def alone(self) -> bool:
        """Whether the answer is the checks' own."""
        return self.name == OFFLINE or self.degraded is not None


class Diagnosis(Record):
    """The whole answer, in the contract's form."""

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
    """The newest change of the primary that is over; null where none shows and the report asks for none."""
    refused: tuple[Refused, ...] = ()
    """What was proposed and policy forbids, or isn't offered since its diagnosis doesn't stand; and calls of tools that
    would change something."""
    readings: tuple[Reading, ...]
    footprint: Footprint
    model: ModelUse
    seconds: float
    summary: str = ""
    """What it is, in a sentence or two, for every outcome."""
    summary_by: Literal["checks", "model"] = "checks"
    """Whose words those are."""
    evidence: tuple[Evidence, ...] = ()
    """What a model's outcome rests on, beside what the causes cite."""
    dropped: tuple[Dropped, ...] = ()
    """Steps that were left out of the plan, each with the reason."""
    complaints: tuple[Complained, ...] = ()
    """What the servers themselves complain of."""
    blind: tuple[Blind, ...] = ()
    """What wasn't looked at, where that hides a cause that would fit the symptom."""
    benign: tuple[Benign, ...] = ()
    """Of `no-fault`: what explains what was reported though nothing is wrong, the likeliest first; three at most."""
    client_says: tuple[ClientSays, ...] = ()
    """What the errors say that clients report; empty where none is in the report or the paste."""
    pasted: Pasted | None = None
    """What was looked at in place of a server; null where one was asked."""
    then: Then | None = None
    """What was pasted beside a server that was looked at; null where nothing was."""
    interrupted: bool = False
    """Whether it was ended before it was complete."""

    @property
    def own_plan(self) -> tuple[Step, ...]:
        """The plan without a model's unverified advice."""
        return tuple(step for step in self.plan if not step.unverified)

    def to_json(self) -> str:
        """The JSON text of the contract."""
        return escaped_json(self.model_dump_json(by_alias=True, indent=2))


class Verdict(Record):
    """What the checks, or a model, conclude from the readings."""

    outcome: Outcome
    causes: tuple[Cause, ...] = ()
    """Ranked, at most three."""
    findings: tuple[Cause, ...] = ()
    """All that was found, ranked."""
    ruled_out: tuple[RuledOut, ...] = ()
    unknown: tuple[str, ...] = ()
    complaints: tuple[Complained, ...] = ()
    blind: tuple[Blind, ...] = ()
    summary: str = ""
    """A model's words for what it is; empty where they aren't the answer's."""
    evidence: tuple[Evidence, ...] = ()
    """What a model's outcome rests on."""
    suspected: tuple[str, ...] = ()
    """Causes that a model names and doesn't prove: they're shown last, and no step is for them."""
