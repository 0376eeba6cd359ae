"""Notifications for chats with a format of their own: Microsoft Teams, Discord, Google Chat and Mattermost."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from agent.answer.diagnosis import Diagnosis
from agent.report.markup import in_plain_chat, unexpanded
from agent.report.summary import address_of, author, do_first, explanation, headline, measured_at, what_not_to_do
from agent.tickets.document import Code, words
from agent.tickets.ticket import Ticket
from tools.text import one_line

DISCORD_MOST, GOOGLE_MOST, MATTERMOST_MOST, TEAMS_MOST = 4000, 4000, 4000, 12_000
"""Most characters of a message, or of an embed's description."""
TITLE_MOST = 256
"""Of an embed's title."""
Paragraph = tuple[tuple[str, str], ...]
"""Pieces of text, each with its kind: `bold`, `code` or `plain`."""


def discord(answer: Diagnosis, ticket: Ticket | None, link: str) -> dict[str, Any]:
    """A message for Discord that mentions nobody, whatever it contains."""
    body = _marked(_paragraphs(answer, ticket, ""), "**", DISCORD_MOST)
    title = {"title": in_plain_chat(headline(answer))[:TITLE_MOST]}
    embed = {**title, "description": body, **({"url": link} if _leads(link) else {})}
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def google_chat(answer: Diagnosis, ticket: Ticket | None, link: str) -> dict[str, Any]:
    """A message for Google Chat."""
    return {"text": _marked(_paragraphs(answer, ticket, link), "*", GOOGLE_MOST)}


def mattermost(answer: Diagnosis, ticket: Ticket | None, link: str) -> dict[str, Any]:
    """A message for Mattermost, as an attachment whose title leads to the incident."""
    body = _marked(_paragraphs(answer, ticket, ""), "**", MATTERMOST_MOST)
    title = in_plain_chat(headline(answer))[:TITLE_MOST]
    attachment = {"fallback": title, "title": title, "text": body, **({"title_link": link} if _leads(link) else {})}
    return {"text": "", "attachments": [attachment]}


def teams(answer: Diagnosis, ticket: Ticket | None, link: str) -> dict[str, Any]:
    """An Adaptive Card for Teams, through a workflow or a connector: text runs, which have no markup.

    Whoever may approve does so on the page that its button opens: a card that was posted can't say who pressed it.
    """
    looks: dict[str, dict[str, str]] = {"bold": {"weight": "Bolder"}, "code": {"fontType": "Monospace"}, "plain": {}}
    body, left = [], TEAMS_MOST
    for paragraph in _paragraphs(answer, ticket, ""):
        runs = [{"type": "TextRun", "text": unexpanded(text)[:left] or " ", **looks[kind]} for kind, text in paragraph]
        left = max(1, left - sum(len(run["text"]) for run in runs))
        body.append({"type": "RichTextBlock", "inlines": runs})
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "body": body, "msteams": {"width": "Full"},
    }  # fmt: skip
    if _leads(link):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open it", "url": link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


FORMS: dict[str, Callable[[Diagnosis, Ticket | None, str], dict[str, Any]]] = {
    "teams": teams, "discord": discord, "google-chat": google_chat, "mattermost": mattermost,
}  # fmt: skip


def form_of(host: str, path: str) -> str | None:
    """The form of a webhook, judged by its URL; null for none of these."""
    if is_discord(host) and path.startswith("/api/"):
        return None if path.endswith(("/slack", "/github")) else "discord"
    if host == "chat.googleapis.com":
        return "google-chat"
    office = (".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com")
    return "teams" if host.endswith(office) or host == "outlook.office.com" else None


def is_discord(host: str) -> bool:
    """Whether a host is Discord's."""
    return any(host == one or host.endswith(f".{one}") for one in ("discord.com", "discordapp.com"))


def _paragraphs(answer: Diagnosis, ticket: Ticket | None, link: str) -> Iterator[Paragraph]:
    id = answer.causes[0].id if answer.causes else answer.outcome
    sure = f", {answer.causes[0].probability:.0%} sure" if answer.causes else ""
    yield (
        ("bold", headline(answer)),
        ("plain", " ("),
        ("code", id),
        ("plain", f"{sure}). "),
        *_pieces(explanation(answer)),
    )
    yield ("bold", "Do first:"), ("plain", " "), *_pieces(do_first(answer))
    yield ("bold", "Don't:"), ("plain", " "), *_pieces(what_not_to_do(answer))
    about: Paragraph = (("code", ticket.name), ("plain", ", ")) if ticket and ticket.place else ()
    where: Paragraph = (("plain", " Comment: "), ("code", link)) if _leads(link) else ()
    by = f" at {measured_at(answer)}, by {author(answer)}."
    yield *about, ("code", address_of(answer)), ("plain", by), *where


def _leads(link: str) -> bool:
    return link.startswith(("https://", "http://"))


def _pieces(text: str) -> Paragraph:
    """Text in which words in backticks become code."""
    return tuple(("code" if isinstance(one, Code) else "plain", one.text) for one in words(text))


def _marked(paragraphs: Iterator[Paragraph], bold: str, most: int) -> str:
    """Paragraphs with the chat's own markup and no one else's; as many complete pieces as there is room for."""
    lines: list[str] = []
    left = most
    for paragraph in paragraphs:
        line = "".join(_cut((_piece(kind, text, bold) for kind, text in paragraph), left - 1))
        lines.append(line)
        left -= len(line) + 1
    return "\n".join(lines)


def _cut(pieces: Iterator[str], most: int) -> Sequence[str]:
    """The pieces that fit, complete: half a piece would leave markup open."""
    kept: list[str] = []
    for piece in pieces:
        most -= len(piece)
        if most < 0:
            break
        kept.append(piece)
    return kept


def _piece(kind: str, text: str, bold: str) -> str:
    if kind == "code":
        text = one_line(text).replace("`", "'").strip()
        return f"`{text}`" if text else ""
    plain = in_plain_chat(text)
    if kind == "bold":
        return f"{bold}{plain}{bold}"
    head, tail = " " * text.startswith(" "), " " * (text.endswith(" ") and bool(text.strip()))
    return f"{head}{plain}{tail}"
