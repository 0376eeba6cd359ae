"""What was applied from a recorded plan, according to the file beside the recording: it is proof, not permission."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from agent.answer.diagnosis import Diagnosis, State, Step
from agent.answer.events import Answered, event_of
from tools.errors import GateError, UsageError
from tools.files import open_regular
from tools.gate.equality import equal_values
from tools.gate.ledger import Entry
from tools.gate.policy import Change, allowed_change, parse_command
from tools.record.load import load
from tools.record.schema import Happened
from tools.records import Record


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes from making changes from the same recording. Raises `GateError` if one is doing so."""
    with open_regular(path) as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise GateError(f"another process is carrying out a step of {path}; wait until it has finished") from None
        yield


def answer_of(path: Path) -> Diagnosis:
    """The last answer in a recording. Raises `UsageError`."""
    recording = load(path)
    events = (line.event for line in reversed(recording.lines) if isinstance(line, Happened))
    last = next((event for event in events if event.get("type") == "answered"), None)
    if last is None:
        raise UsageError(f"{path}: it contains no answer; give a recording of triage --record")
    try:
        event = event_of(last)
    except ValueError as error:
        raise UsageError(
            f"{path}: its answer can't be read ({str(error).splitlines()[0]}); the file is damaged"
        ) from None
    assert isinstance(event, Answered)
    return event.diagnosis


def step_of(answer: Diagnosis, id: str, path: Path) -> Step:
    """The step with this id. Raises `UsageError` with the ids there are."""
    if (found := next((step for step in answer.plan if step.id == id), None)) is None:
        ids = ", ".join(step.id for step in answer.plan) or "none"
        raise UsageError(f"{path}: there is no step {id!r} in its plan; there are {ids}")
    return found


def recorded_change(step: Step) -> Change:
    """The change that a recorded step would make, under today's policy. Raises `GateError`."""
    if step.kind == "outside" or step.node is None:
        raise GateError(f"{step.id} is for a person to do; it can't be applied from here")
    try:
        args = parse_command(step.action)
    except ValueError:
        raise GateError(f"{step.id} isn't one command") from None
    return allowed_change(step.node, args, step.before)


class SentChange(Record):
    """A step's change that was sent."""

    change: Change
    after: str | None
    """What the server printed after it; null if it wasn't read."""

    def still_holds(self, printed: str | None) -> bool:
        """Whether the value is still the one that was applied."""
        if self.after is not None:
            return printed == self.after
        return equal_values(self.change.parameter or "", self.change.args[3], printed)


def sent_change(step: Step, change: Change, entries: Sequence[Entry]) -> SentChange | None:
    """What a step sent that wasn't rolled back; null if nothing. Raises `GateError` if file and plan differ."""
    found: SentChange | None = None
    for one in _of(step, entries):
        if one.event == "applying" and not one.restores:
            if one.args != change.args or one.before != change.before:
                raise GateError(
                    f"{one.action} was applied for {step.id}, but its plan says something else; undo it by hand"
                )
            found = SentChange(change=change, after=None)
        elif one.event == "applied" and found is not None:
            found = found.model_copy(update={"after": one.after})
        elif (one.event == "failed" and not one.restores) or one.event == "rolled-back":
            found = None
    return found


def as_it_stands(plan: Sequence[Step], entries: Sequence[Entry]) -> tuple[Step, ...]:
    """A recorded plan with what has become of its steps since, whoever changed them."""
    return tuple(step.model_copy(update={"state": _state(step, entries)}) for step in plan)


def _state(step: Step, entries: Sequence[Entry]) -> State:
    state = step.state
    for one in _of(step, entries):
        if one.event == "rolled-back":
            state = "rolled-back"
        elif one.event == "applied" and not one.restores and state not in ("applied", "verified"):
            state = "applied"
    return state


def _of(step: Step, entries: Iterable[Entry]) -> Iterable[Entry]:
    return (one for one in entries if one.step == step.id and one.node == step.node)
