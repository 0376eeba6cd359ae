"""`--paste`: pasted output in place of a server."""

import asyncio
import dataclasses
import sys
from collections.abc import Awaitable, Callable, Sequence

from agent.answer.diagnosis import OFFLINE, Diagnosis
from agent.chat.pasted import about
from agent.chat.session import Session
from agent.cli.inputs import TriageInputs
from agent.cli.investigate import Finish, Print, investigate
from agent.cli.other_inputs import AnnotateInputs, ChatInputs
from agent.investigation.model_settings import ModelSettings
from agent.investigation.pipeline import Setup
from agent.investigation.sources import DEADLINE_CHECKS, DEADLINE_MODEL, Options, Sources
from agent.model.selection import choose
from agent.pastes.incident import Incident, gathered, incident_of, read_pastes, recognised, shows_a_server
from agent.pastes.keeping import keep
from agent.recordings.pasted import answered
from agent.recordings.replay import recorded_target
from agent.report.console import Console
from agent.tickets.ticket import Ticket
from agent.tracing.listener import of_this_process
from tools.connection.target import Target
from tools.paste.recognise import recognise
from tools.record.replay import Replay
from tools.record.virtual import VirtualClock, VirtualLoop

Inputs = TriageInputs | AnnotateInputs


def investigate_paste(inputs: Inputs, symptom: str, finish: Finish, print_: Print) -> int:
    """Investigate what was pasted, on its own time; returns the exit status. Raises `UsageError`."""
    return investigate_incident(inputs, read_pastes(inputs.paste, symptom, sys.stdin.buffer), finish, print_)


def investigate_incident(inputs: Inputs, incident: Incident, finish: Finish, print_: Print) -> int:
    """The same for what was already read."""
    if inputs.record:
        keep(incident, inputs.record)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_investigate(inputs, incident, finish, print_))


async def _investigate(inputs: Inputs, incident: Incident, finish: Finish, print_: Print) -> int:
    setup, clock = setup_of(inputs, incident)
    show = inputs.show_prompt
    return await investigate(setup, clock, finish, print_, status=inputs.status, prompt_only=show)


def setup_of(inputs: Inputs | ChatInputs, incident: Incident) -> tuple[Setup, VirtualClock]:
    """The setup of an investigation of a paste, and its clock; needs a running `VirtualLoop`."""
    use, tape = choose(inputs.model), incident.tape
    deadline = inputs.deadline or (DEADLINE_CHECKS if use.name == OFFLINE else DEADLINE_MODEL)
    clock = VirtualClock(tape.began, asyncio.get_running_loop())
    setup = Setup(
        target=recorded_target(tape), symptom=tape.head.symptom, library=inputs.library(),
        model=inputs.model_settings(use),
        options=Options(window=tape.head.window, deadline=deadline, one_node=tape.head.one_node),
        sources=Sources(replay=Replay(tape, clock), pasted=incident.told),
        listen=of_this_process(),
    )  # fmt: skip
    return setup, clock


async def with_then(setup: Setup, inputs: Inputs | ChatInputs) -> Setup:
    """The same with output pasted besides the server, which shows the state back then. Raises `UsageError`."""
    return await with_incident(setup, read_pastes(inputs.paste, setup.symptom, sys.stdin.buffer))


async def with_incident(setup: Setup, incident: Incident) -> Setup:
    """The same for what was already read."""
    then = await answered(incident, ModelSettings(), setup.library)
    return dataclasses.replace(setup, sources=dataclasses.replace(setup.sources, then=then))


def incident_in(paths: Sequence[str], text: str, symptom: str) -> Incident | None:
    """What the files and a ticket's own text contain; null if there is no server output in it. Raises `UsageError`."""
    found = recognise(text, "the ticket")
    if not paths and not any(map(shows_a_server, found.pieces)):
        return None
    # A ticket's own words are the report, and needn't be recognised here.
    own = found.model_copy(update={"unrecognised": ()})
    return incident_of([own, *map(recognised, gathered(paths, sys.stdin.buffer))], symptom)


async def look_at_paste(
    inputs: AnnotateInputs, ticket: Ticket, target: Target, incident: Incident
) -> tuple[int, Diagnosis | None]:
    """The answer to what is pasted in a ticket that names no server, and its exit status."""
    if inputs.record:
        keep(incident, inputs.record)
    answer = await answered(incident, inputs.model_settings(choose(inputs.model)), inputs.library())
    return inputs.status(answer), answer


Begin = Callable[[ChatInputs, Session, str], Awaitable[int]]
"""Talks until the end of the input; returns the exit status."""


def chat_about(inputs: ChatInputs, begin: Begin) -> int:
    """A conversation about what was pasted, on its own time; returns the exit status. Raises `UsageError`."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_chat_about(inputs, begin))


async def _chat_about(inputs: ChatInputs, begin: Begin) -> int:
    found = list(map(recognised, gathered(inputs.paste)))
    incident = incident_of(found, inputs.symptom())
    if inputs.record:
        keep(incident, inputs.record)
    setup, _ = setup_of(inputs, incident)
    session = Session(setup, Console(), audit=inputs.audit, keeps=False)
    return await begin(inputs, session, about(session, found, inputs.symptom()))
