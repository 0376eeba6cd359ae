"""Notifications: the short top of an answer, to a Slack-compatible incoming webhook or a generic one."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

import httpx2
from pydantic import SecretStr

from agent.answer.diagnosis import Diagnosis
from agent.report.markup import in_chat, unlinked
from agent.report.summary import address_of, author, do_first, explanation, headline, measured_at, what_not_to_do
from agent.tickets.chat_forms import FORMS, form_of, is_discord
from agent.tickets.document import Code, words
from agent.tickets.rest import PATIENCE
from agent.tickets.ticket import ServiceError, Ticket
from tools.errors import UsageError
from tools.http import Redirect, redirect, web_url
from tools.records import Record
from tools.settings.file import load_settings
from tools.settings.tables import HookForm, Settings
from tools.text import one_line

_BLOCK = 3000
"""Most characters of a Slack block."""


class Webhook(Record):
    """Where a notification goes."""

    name: str
    """Its name in the settings, otherwise its host: the URL is a secret."""
    url: SecretStr
    form: HookForm


def webhooks(
    given: Sequence[str], known: Settings | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[Webhook, ...]:
    """The webhooks of --notify: names in the settings, or URLs. Raises `UsageError`, which never contains a URL."""
    if not given:
        return ()
    known = known or load_settings(environ=environ)
    return tuple(_webhook(one, known, environ) for one in dict.fromkeys(given))


def _webhook(given: str, known: Settings, environ: Mapping[str, str]) -> Webhook:
    if "://" in given:
        return Webhook(name=_host(given, "--notify"), url=SecretStr(given), form=_form(given))
    found = next((one for one in known.notify if one.name == given), None)
    if found is None:
        names = ", ".join(one.name for one in known.notify) or "none"
        where = known.file or "rediagnose.toml (there is none here)"
        raise UsageError(f"--notify {given!r}: neither a URL nor a [[notify]] name in {where}; it has {names}")
    url = found.url.read(environ).get_secret_value()
    _host(url, found.url.where)
    return Webhook(name=found.name, url=SecretStr(url), form=found.form or _form(url))


def _host(url: str, source: str) -> str:
    parsed = web_url(url)
    if parsed is None:
        raise UsageError(f"{source}: not a webhook URL; use https://HOST/PATH")
    return parsed.host


def _form(url: str) -> HookForm:
    """Slack's, Mattermost's and Rocket.Chat's URLs are recognised by their paths, others' by their hosts."""
    parsed = httpx2.URL(url)
    if (own := form_of(parsed.host, parsed.path)) is not None:
        return cast(HookForm, own)
    if is_discord(parsed.host) and parsed.path.endswith("/slack"):
        return "slack"
    slack = parsed.host == "hooks.slack.com" or parsed.path.startswith(("/services/", "/hooks/"))
    return "slack" if slack else "json"


async def notify_all(
    hooks: Sequence[Webhook], answer: Diagnosis, ticket: Ticket | None = None, link: str = "",
    patience: float = PATIENCE,
) -> bool:  # fmt: skip
    """Send an answer to each webhook and print failures on stderr; returns whether all were accepted."""
    done = True
    for one in hooks:
        try:
            await notify(one, answer, ticket, link, patience)
        except ServiceError as error:
            print(one_line(f"rediagnose: {error}"), file=sys.stderr)
            done = False
        else:
            print(one_line(f"notified: {one.name}"), file=sys.stderr)
    return done


async def notify(
    webhook: Webhook, answer: Diagnosis, ticket: Ticket | None = None, link: str = "", patience: float = PATIENCE
) -> None:
    """Send the short top of an answer. `link` is the comment's URL. Raises `ServiceError`."""
    body = {"slack": slack, "json": generic, **FORMS}[webhook.form](answer, ticket, link)
    url = httpx2.URL(webhook.url.get_secret_value())
    # The path is a secret: neither it nor the response appears in a message.
    try:
        async with asyncio.timeout(patience), httpx2.AsyncClient(timeout=patience, follow_redirects=False) as client:
            status, moved = await _post(client, url, body)
    except (httpx2.TimeoutException, TimeoutError):
        raise ServiceError(f"--notify {webhook.name}: no answer in {patience:g} s; it may have arrived") from None
    except (httpx2.HTTPError, OSError) as error:
        raise ServiceError(f"--notify {webhook.name}: not sent ({type(error).__name__}); check its URL") from None
    if moved:
        why = f"it redirects to {moved.where}, to which nothing is sent; give the final URL"
        raise ServiceError(f"--notify {webhook.name}: {why}", status)
    if not 200 <= status < 300:
        raise ServiceError(
            f"--notify {webhook.name}: it answered {status}; check its URL and that it is still enabled", status
        )


async def _post(client: httpx2.AsyncClient, url: httpx2.URL, body: Mapping[str, Any]) -> tuple[int, Redirect | None]:
    async with client.stream("POST", url, json=body, headers={"User-Agent": "rediagnose"}) as response:
        return response.status_code, redirect(response.status_code, response.headers, url)


def slack(answer: Diagnosis, ticket: Ticket | None, link: str) -> dict[str, Any]:
    """Slack's format; Mattermost and Rocket.Chat use its `text`."""
    id = answer.causes[0].id if answer.causes else answer.outcome
    sure = f", {answer.causes[0].probability:.0%} sure" if answer.causes else ""
    lines = [
        f"*{in_chat(headline(answer))}* ({in_code(id)}{sure}). {with_code(explanation(answer))}",
        f"*Do first:* {with_code(do_first(answer))}",
        f"*Don't:* {with_code(what_not_to_do(answer))}",
    ]
    about = f"{in_code(ticket.name)}, " if ticket and ticket.place else ""
    where = f" <{_code_text(link)}|comment>" if link.startswith(("https://", "http://")) else ""
    last = f"{about}{in_code(address_of(answer))} at {measured_at(answer)}, by {in_chat(author(answer))}.{where}"
    shown = [_cut(line) for line in (*lines, last)]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": line, "verbatim": True}} for line in shown]
    return {"text": "\n".join(shown), "blocks": blocks}


def generic(answer: Diagnosis, ticket: Ticket | None, link: str) -> dict[str, Any]:
    """The generic format: flat JSON."""
    return {
        "schema": 1, "source": "rediagnose", "title": unlinked(headline(answer)), "what": unlinked(explanation(answer)),
        "do": unlinked(do_first(answer)), "dont": unlinked(what_not_to_do(answer)), "outcome": answer.outcome,
        "causes": [
            {"id": cause.id, "probability": cause.probability, "where": cause.where, "why": unlinked(cause.why)}
            for cause in answer.causes
        ],
        "target": address_of(answer), "ticket": ticket.place.key if ticket and ticket.place else None,
        "link": link or None, "by": unlinked(author(answer)), "at": measured_at(answer) or None,
    }  # fmt: skip


def with_code(text: str) -> str:
    """Text in Slack's mrkdwn with backticked words as code: a command is copied verbatim."""
    return "".join(in_code(one.text) if isinstance(one, Code) else _spaced(one.text) for one in words(text))


def _spaced(text: str) -> str:
    """Text between two pieces of code, keeping its surrounding spaces."""
    head, tail = " " * text.startswith(" "), " " * (text.endswith(" ") and bool(text.strip()))
    return f"{head}{in_chat(text)}{tail}"


def in_code(text: str) -> str:
    """Text as code in Slack's mrkdwn; empty for an empty text."""
    return f"`{_code_text(text)}`" if text.strip() else ""


def _code_text(text: str) -> str:
    text = one_line(text).replace("`", "'")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(line: str) -> str:
    return line if len(line) <= _BLOCK else f"{line[: _BLOCK - 1]}…"
