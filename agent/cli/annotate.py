"""`rediagnose annotate`: a ticket or an alert in, a comment out. It only reads, whatever the ticket says."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, get_args

from agent.answer.diagnosis import Diagnosis
from agent.cli.hard_stop import PASSED, HardStop, hard_stop
from agent.cli.investigate import investigate, note
from agent.cli.machine import with_machine
from agent.cli.other_inputs import AnnotateInputs
from agent.cli.program import FAILED, INTERRUPTED, NOTHING
from agent.investigation.investigation import Investigation
from agent.investigation.own_trouble import is_unknown_name, own_trouble
from agent.remediation.audit import ForbiddenLog
from agent.tickets.comment import comment, marker_of
from agent.tickets.document import Comment
from agent.tickets.forms import formatted_comment
from agent.tickets.github import GitHub
from agent.tickets.jira import Jira
from agent.tickets.notify import Webhook, notify_all, webhooks
from agent.tickets.pagerduty import PagerDuty
from agent.tickets.reading import read_ticket
from agent.tickets.rest import PATIENCE
from agent.tickets.service import Form, Service
from agent.tickets.targets import target_of_ticket
from agent.tickets.ticket import NAMES, ServiceError, Ticket, TicketError
from tools.clock import SystemClock
from tools.connection.target import Target
from tools.errors import UsageError
from tools.kubernetes.place import only_inside
from tools.settings.file import load_settings
from tools.settings.tables import Settings
from tools.text import one_line, printable

if TYPE_CHECKING:
    from agent.pastes.incident import Incident

_LIMITS: dict[Form, int] = {"markdown": GitHub.limit, "jira": Jira.limit, "adf": Jira.limit, "text": PagerDuty.limit}
Look = Callable[[AnnotateInputs, Ticket, Target], Awaitable[tuple[int, Diagnosis | None]]]
"""Investigates the server that a ticket means: returns the exit status so far, and the answer if there is one."""
LEAST_LINES = 3
"""Most lines of a ticket that are searched for pasted output."""
POSTS = 90.0
"""Seconds for the requests to a ticket service and webhooks, before and after the investigation each."""


async def annotate(inputs: AnnotateInputs, patience: float = PATIENCE, look: Look | None = None) -> int:
    """Read a ticket, investigate the server it means, and print the comment; with --post, write it as well.

    `patience` is how many seconds a service may take for one answer, `look` investigates. Raises `UsageError` for input
    that can't be used, `TicketError` if no server is named or none may be asked.
    """
    known = load_settings()
    ticket = read_ticket(inputs.ticket, tuple(one.map for one in known.webhook if one.map))
    hooks = webhooks(inputs.notify, known)
    explicit = inputs.url is not None or inputs.target_name is not None
    if ticket.closed and (inputs.post or not explicit):
        raise TicketError(f"this {ticket.name} is {ticket.closed}; nothing was investigated and nothing posted")
    service = service_of(ticket, known, patience) if inputs.post else None
    try:
        incident = pasted_in(inputs, ticket)
        try:
            target, why = meant_target(inputs, ticket, known)
        except (UsageError, TicketError):
            if incident is None:
                raise
            from agent.cli.pasted import look_at_paste

            look = partial(look_at_paste, incident=incident)
            target, why = target_of(incident), "no server is named: what is pasted in it"
        _say(f"{target.url} ({why})")
        with hard_stop(POSTS, _stuck(ticket, "nothing was investigated and nothing posted")):
            over = await service.look() if service else None
        if over:
            raise TicketError(f"this {ticket.name} is now {over}; nothing was investigated and nothing posted")
        if ticket.closed:
            _say(f"this {ticket.name} is {ticket.closed}")
        status, answer = await (look or partial(look_live, incident=incident))(inputs, ticket, target)
        if answer is None:
            return status
        if trouble := own_trouble(answer, own_password=True):
            # Nothing was learned about the incident, so nothing is said about it.
            lost = ". Nothing was posted" if inputs.post else ""
            raise TicketError(f"{target.url}: {trouble}, or password_env or password_file of the target{lost}")
        written_comment = comment(answer, marker_of(target))
        _print(inputs, answer, written_comment)
        with hard_stop(POSTS, _stuck(ticket, "it isn't known whether the comment or the notifications arrived")):
            return await _hand_out(ticket, target, service, hooks, patience, answer, written_comment, status)
    finally:
        if service:
            await service.close()


def pasted_in(inputs: AnnotateInputs, ticket: Ticket) -> "Incident | None":
    """What is pasted into a ticket or given with it; null if no server output is recognised. Raises `UsageError`."""
    if not inputs.paste and f"{ticket.title}\n{ticket.text}".count("\n") < LEAST_LINES:
        return None
    # It imports the replaying of recordings.
    from agent.cli.pasted import incident_in

    return incident_in(inputs.paste, f"{ticket.title}\n{ticket.text}", ticket.symptom)


def target_of(incident: "Incident") -> Target:
    """Where a paste comes from."""
    from agent.recordings.replay import recorded_target

    return recorded_target(incident.tape)


async def look_live(
    inputs: AnnotateInputs, ticket: Ticket, target: Target, incident: "Incident | None" = None
) -> tuple[int, Diagnosis | None]:
    """Investigate; returns the exit status so far, and the answer if there is one.

    What was pasted is reported beside it, or is the answer if the server can't be reached.
    """
    answers: list[Diagnosis] = []

    async def finish(incident: Investigation, forbidden: ForbiddenLog, stop: HardStop) -> int:
        answer = incident.answer()
        answers.append(answer)
        note(incident, forbidden, inputs.audit)
        return inputs.status(answer)

    def print_(incident: Investigation, answer: Diagnosis) -> None:
        _print(inputs, answer, comment(answer, marker_of(target)))

    if inputs.at is None and ticket.at:
        inputs = inputs.model_copy(update={"at": _past(ticket)})
    clock = SystemClock()
    setup = await with_machine(inputs.setup(target, ticket.symptom, clock), inputs)
    if incident is not None:
        from agent.cli.pasted import with_incident

        setup = await with_incident(setup, incident)
    show = inputs.show_prompt
    status = await investigate(setup, clock, finish, print_, status=inputs.status, prompt_only=show)
    then = setup.sources.then
    if then is not None and answers and not any(one.tool == "info" and one.values for one in answers[0].readings):
        _say(f"{target.url} wasn't reached: what is pasted is the answer")
        return inputs.status(then), then
    return status, answers[0] if answers else None


async def _hand_out(
    ticket: Ticket, target: Target, service: Service | None, hooks: Sequence[Webhook], patience: float,
    answer: Diagnosis, written_comment: Comment, status: int,
) -> int:  # fmt: skip
    """Post the comment and notify; returns the exit status."""
    link = ""
    if service:
        if is_unknown_name(answer):
            inside = only_inside(target.host, target.port)
            why = inside or f"{target.url}: this host name can't be resolved; check url"
            raise TicketError(f"{why}. Nothing was posted")
        try:
            posted = await service.write(
                written_comment.marker, formatted_comment(written_comment, service.form, service.limit)
            )
        except ServiceError as error:
            _say(f"not posted: {error}")
            status = FAILED
        else:
            link = printable(posted.url)
            _say(f"{'updated' if posted.updated else 'posted'}: {link}", plain=True)
    return FAILED if not await notify_all(hooks, answer, ticket, link, patience) else status


def _stuck(ticket: Ticket, so: str) -> Callable[[bool], int]:
    def give(ended: bool) -> int:
        _say(f"{'interrupted' if ended else PASSED} on behalf of this {ticket.name}: {so}")
        return INTERRUPTED if ended else NOTHING

    return give


def service_of(ticket: Ticket, known: Settings, patience: float) -> Service:
    """Where a ticket's comments are. Raises `UsageError` for a ticket that can't have any, or without a token."""
    if ticket.place is None:
        article = "an" if NAMES[ticket.source][0] in "AEIOaeiou" else "a"
        what = "plain text has" if ticket.source == "text" else f"{article} {NAMES[ticket.source]} has"
        raise UsageError(f"--post: {what} no comments here; use --notify")
    # A folder's file must not decide where a token goes.
    {"github": known.github, "jira": known.jira}.get(ticket.source, known.pagerduty).must_be_trusted()
    if ticket.source == "github":
        return GitHub(ticket.place, known.github, patience=patience)
    if ticket.source == "jira":
        return Jira(ticket.place, known.jira, patience=patience)
    return PagerDuty(ticket.place, known.pagerduty, patience=patience)


def meant_target(inputs: AnnotateInputs, ticket: Ticket, known: Settings) -> tuple[Target, str]:
    """The server to look at, and why this one. Raises `UsageError` or `TicketError`."""
    if target := inputs.named():
        return target, "--url" if inputs.target_name is None else f"{inputs.target_name}: --target"
    found, why = target_of_ticket(ticket, known)
    return inputs.configured(found), f"{found.name}: {why}" if found.name else why


def _past(ticket: Ticket) -> str | None:
    """The ticket's own time in the form of --at; none if the ticket's clock is ahead."""
    return ticket.at.isoformat() if ticket.at and ticket.at <= datetime.now(UTC) else None


def _print(inputs: AnnotateInputs, answer: Diagnosis, written_comment: Comment) -> None:
    if inputs.format == "json":
        print(answer.to_json())
    elif inputs.format == "html":
        from agent.report.page import html

        print(html(answer), end="")
    else:
        assert inputs.format in get_args(Form)
        print(formatted_comment(written_comment, inputs.format, _LIMITS[inputs.format]))
    sys.stdout.flush()


def _say(line: str, *, plain: bool = False) -> None:
    print(one_line(line if plain else f"rediagnose: {line}"), file=sys.stderr, flush=True)
