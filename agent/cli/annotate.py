"""`rediagnose annotate`: a ticket or an alert in, a comment out. It only reads, whatever the ticket says."""

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from rich.console import Console

from agent.answer.diagnosis import Diagnosis
from agent.cli.inputs import tls_of
from agent.cli.investigate import investigate, noted
from agent.cli.program import ANSWERED, FAILED
from agent.investigation.investigation import Investigation
from agent.remediation.audit import ForbiddenLog
from agent.tickets.comment import comment, marker_of
from agent.tickets.document import Comment
from agent.tickets.forms import written
from agent.tickets.github import GitHub
from agent.tickets.jira import Jira
from agent.tickets.notify import Webhook, notified, webhooks
from agent.tickets.pagerduty import PagerDuty
from agent.tickets.reading import read
from agent.tickets.rest import PATIENCE
from agent.tickets.service import Form, Service
from agent.tickets.targets import meant, named
from agent.tickets.ticket import NAMES, ServiceError, Ticket, TicketError, printable
from tools.connection.target import Target, parse_target
from tools.errors import UsageError
from tools.settings import Settings, TargetSettings, settings

_SHUT_OUT = {
    "noauth": "it wants a password; give the target password_env or password_file",
    "wrongpass": "it refuses this user or password; check password_env or password_file",
    "dns": "its name isn't known here; check url",
}
"""What keeps us out and says nothing of the incident, and the remedy."""
_ABOUT_ACCESS = re.compile(
    r"noauth|wrongpass|noperm|auth|password|credential|permission|log ?in|secret|acl|dns|resolv|name or service", re.I
)
"""A report that being kept out is an answer to."""
_LIMITS: dict[Form, int] = {"markdown": GitHub.limit, "jira": Jira.limit, "adf": Jira.limit, "text": PagerDuty.limit}


async def annotate(args: argparse.Namespace, patience: float = PATIENCE) -> int:
    """Read a ticket, investigate the server that it means, and print the comment; with --post write it as well.

    `patience` is how many seconds a service may take for one answer.
    Raises `UsageError` for input that can't be used, `TicketError` where no server can be told or none may be asked.
    """
    ticket = read(args.ticket)
    known = settings()
    told = webhooks(args.notify, known)
    explicit = args.url is not None or args.target is not None
    if ticket.closed and (args.post or not explicit):
        raise TicketError(f"this {ticket.name} is {ticket.closed}; nothing was investigated and nothing posted")
    service = service_of(ticket, known, patience) if args.post else None
    try:
        target, why = target_of(args, ticket, known)
        _say(f"{target.url} ({why})")
        if service and (over := await service.look()):
            raise TicketError(f"this {ticket.name} is {over} by now; nothing was investigated and nothing posted")
        if ticket.closed:
            _say(f"this {ticket.name} is {ticket.closed}")
        return await _annotated(args, ticket, target, service, told, patience)
    finally:
        if service:
            await service.close()


async def _annotated(
    args: argparse.Namespace, ticket: Ticket, target: Target, service: Service | None, told: Sequence[Webhook],
    patience: float,
) -> int:  # fmt: skip
    answers: list[Diagnosis] = []

    async def finish(args: argparse.Namespace, incident: Investigation, heard: ForbiddenLog, out: Console) -> int:
        answers.append(incident.answer())
        noted(args, incident, heard)
        return ANSWERED

    def interrupted(args: argparse.Namespace, incident: Investigation, answer: Diagnosis, out: Console) -> None:
        _print(args, answer, comment(answer, marker_of(target)))

    if args.at is None and ticket.at:
        args.at = _past(ticket)
    status = await investigate(args, target, ticket.symptom, finish, interrupted)
    if not answers:
        return status
    answer, made = answers[0], comment(answers[0], marker_of(target))
    _print(args, answer, made)
    link = ""
    if service:
        if kind := shut_out(answer, ticket):
            raise TicketError(f"{target.url} doesn't let rediagnose in: {_SHUT_OUT[kind]}. Nothing was posted")
        try:
            posted = await service.write(made.marker, written(made, service.form, service.limit))
        except ServiceError as error:
            _say(f"not posted: {error}")
            status = FAILED
        else:
            link = printable(posted.url)
            _say(f"{'updated' if posted.updated else 'posted'}: {link}", plain=True)
    return FAILED if not await notified(told, answer, ticket, link, patience) else status


def service_of(ticket: Ticket, known: Settings, patience: float) -> Service:
    """Where a ticket's comments are. Raises `UsageError` for one that can't have any, or without a token."""
    if ticket.place is None:
        what = "plain text has" if ticket.source == "text" else f"an {NAMES[ticket.source]} has"
        raise UsageError(f"--post: {what.replace('an Grafana', 'a Grafana')} no comments; use --notify")
    if ticket.source == "github":
        return GitHub(ticket.place, known.github, patience=patience)
    if ticket.source == "jira":
        return Jira(ticket.place, known.jira, patience=patience)
    return PagerDuty(ticket.place, known.pagerduty, patience=patience)


def target_of(args: argparse.Namespace, ticket: Ticket, known: Settings) -> tuple[Target, str]:
    """The server to look at, and why this one. Raises `UsageError` or `TicketError`."""
    if args.url is not None and args.target is not None:
        raise UsageError("--url and --target: give one of them")
    if args.url is not None:
        return parse_target(args.url, tls=tls_of(args), password_file=_password(args)), "--url"
    found, why = (named(args.target, known), "--target") if args.target is not None else meant(ticket, known)
    return configured(found, args, known), f"{found.name or 'target'}: {why}" if found.name else why


def configured(one: TargetSettings, args: argparse.Namespace, known: Settings) -> Target:
    """A target of the settings with its credentials. Raises `UsageError`."""
    tls = tls_of(args)
    given = {name: getattr(one, name) for name in ("cacert", "cert", "key") if getattr(tls, name) is None}
    tls = tls.model_copy(update=given)
    if one.kept_url:
        url = one.kept_url.read().get_secret_value()
    else:
        assert one.url is not None
        url = one.url.get_secret_value()
    where = f"{known.file}: {one.name or (one.target.node if one.target else '')}"
    if one.url and parse_target(url, environ={}).password:
        raise UsageError(f"{where}: url: it holds a password; write password_env, password_file, or url_env instead")
    target = parse_target(url, tls=tls, password_file=_password(args))
    return target.model_copy(update={"password": one.password.read()}) if one.password else target


def shut_out(answer: Diagnosis, ticket: Ticket) -> str | None:
    """How the server kept us out where that is no answer to the ticket, which isn't about access; else null."""
    kinds = {one.unavailable.kind for one in answer.readings if one.tool == "connect" and one.unavailable}
    reached = any(one.tool == "info" and one.values for one in answer.readings)
    found = next((kind for kind in _SHUT_OUT if kind in kinds), None)
    return None if reached or _ABOUT_ACCESS.search(ticket.symptom) else found


def _password(args: argparse.Namespace) -> Path | None:
    return Path(args.password_file) if args.password_file else None


def _past(ticket: Ticket) -> str | None:
    """The ticket's own time as --at takes it; a clock that's ahead there is none."""
    return ticket.at.isoformat() if ticket.at and ticket.at <= datetime.now(UTC) else None


def _print(args: argparse.Namespace, answer: Diagnosis, made: Comment) -> None:
    if args.format == "json":
        print(answer.to_json())
    else:
        assert args.format in get_args(Form)
        print(written(made, args.format, _LIMITS[args.format]))
    sys.stdout.flush()


def _say(line: str, *, plain: bool = False) -> None:
    print(line if plain else f"rediagnose: {line}", file=sys.stderr, flush=True)
