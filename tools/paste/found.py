"""What a form's recogniser hands back, and what several of them need."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from tools.credentials import hide_secrets, is_secret
from tools.paste.human import shown
from tools.paste.pieces import Form
from tools.paste.prompts import Prompt, form_of
from tools.paste.replies import Reply, without_secrets
from tools.patterns import deferred
from tools.records import Values

MOST_TEXT = 256 * 1024
"""Characters of a text that is kept as it is, such as a log's."""
LOOKS = re.compile(r"pass|pwd|secret|token|auth|cred|api.?key|://|@|[0-9a-f]{64}|\S{200}", re.IGNORECASE)
"""Without any of these a line has no secret that could be found in it."""
ELIDED = deferred(
    r"\s*(?:\.{2,}|…|\[ ?(?:\.{3}|…)[^\]\n]{0,80}\]|<(?:snip|cut|truncated)[^>\n]{0,40}>|"
    r"-{2,}\s*(?:snip|more)[^\n]{0,40}|\(?(?:truncated|snip)\)?)\s*"
)
"""A line that somebody put in the place of others."""


class Found(NamedTuple):
    """A piece of the lines up to `end`."""

    end: int
    form: Form
    text: str
    command: tuple[str, ...] | None = None
    reply: Any = None
    values: Values | None = None
    cut: bool = False
    at: float | None = None
    node: str | None = None
    label: str | None = None
    others: tuple["Found", ...] = ()
    """Further pieces of the same lines."""


def of_reply(end: int, found: Reply, above: Prompt | None = None) -> Found:
    """The piece of a reply, its secrets taken out."""
    reply = without_secrets(found.command, found.reply)
    return Found(
        end, "error" if isinstance(reply, dict) else form_of(found.command), shown(reply), found.command, reply,
        cut=found.cut, node=above.node if above else None,
    )  # fmt: skip


def of_text(end: int, command: tuple[str, ...], lines: Iterable[str], cut: bool, above: Prompt | None) -> Found:
    """The piece of a reply that is lines of text."""
    text = "\r\n".join(lines) + "\r\n" if command[0] == "INFO" or command[1:] == ("INFO",) else "\n".join(lines) + "\n"
    node = above.node if above else None
    return Found(end, form_of(command), text.replace("\r\n", "\n"), command, text, cut=cut, node=node)


def safe(line: str) -> str:
    """A line of `name:value` or the like without secrets; figures are none, whatever they're of."""
    if not LOOKS.search(line) or line.startswith(
        ("cmdstat_", "latency_percentiles_usec_", "errorstat_", "acl_access_")
    ):
        return line
    name, colon, value = line.partition(":")
    if colon and is_secret(name.strip()) and not value.strip().isdecimal():
        return f"{name}:***"
    return hide_secrets(line)


def hidden(lines: Iterable[str]) -> str:
    """Text that is kept as it is, without secrets."""
    return hide_secrets("\n".join(_after_names(lines)))


def _after_names(lines: Iterable[str]) -> Iterable[str]:
    """Lines in which no secret stands below its name, as in redis-cli's raw output."""
    named = False
    for line in lines:
        yield "***" if named and line.strip() else line
        words = line.split(None, 1)
        named = len(words) == 1 and is_secret(words[0].strip("\"':,"))
