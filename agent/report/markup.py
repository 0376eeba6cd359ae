"""Untrusted text in Markdown and in chats: it can't become markup, a link, a picture, a mention or a reference."""

import re

from tools.patterns import deferred
from tools.text import one_line, printable

JOINER = "&#8203;"
"""Invisibly breaks a mention, a reference or a link: a zero-width space, which the output sink lets through."""
_SPACE = "\u200b"
_SCHEME = deferred(r"(?i)[a-z0-9+.-](?=://)|(?:mailto|xmpp|tel|sms|data|javascript)(?=:\S)")
_WWW = deferred(r"(?i)(www)(?=\.)")
_SMILEY = deferred(r":(?=(?:100|1234|[\w+-]*[A-Za-z_+-][\w+-]*):)")
_MENTION = deferred(r"@(?=\w)|#(?=\w)|(?<=GH-)(?=\d)|(?<=gh-)(?=\d)")
_DOMAIN = deferred(r"(?<=[A-Za-z0-9-])\.(?=[A-Za-z]{2,24}(?![\w-]))")
_LINK = deferred(r"\](?=[(\[:])|!(?=\[)")
_LOOKALIKES = str.maketrans({"*": "\u2217", "`": "'", "~": "\u223c", "|": "\u00a6"})
"""Marks for bold, code, struck-out or hidden text that a chat has no escape for."""

_BRACKETS = str.maketrans({"<": "\u2039", ">": "\u203a", "\\": "\u29f5"})


def in_markdown(text: str) -> str:
    """Text on one line of Markdown (GitHub's, GitLab's)."""
    text = re.sub(r"([\\`*\[\]~|])", r"\\\1", one_line(text, len(text) + 1))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
    # References first: the joiner contains a # of its own.
    text = _MENTION.sub(lambda found: found[0] + JOINER, text)
    text = _SCHEME.sub(rf"\g<0>{JOINER}", text)
    text = _WWW.sub(rf"\1{JOINER}", text)
    return _SMILEY.sub(f":{JOINER}", text)


def code_in_markdown(text: str) -> str:
    """A Markdown code span, whatever backticks it contains; empty for an empty text."""
    text = one_line(text, len(text) + 1).strip()
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else ""


def without_list_mark(line: str) -> str:
    """A line of Markdown that can't start a list, a quote, a heading or a rule."""
    return re.sub(r"^(\d+)([.)])|^([-+=#>])", r"\1\\\2\3", line)


def in_chat(text: str) -> str:
    """Text on one line of a chat in Slack's mrkdwn, or in the Markdown of services that accept Slack's form.

    Neither has an escape for all its marks that the other wouldn't show. So marks are replaced by look-alikes, and a
    mention, a link or a picture is broken by a zero-width space.
    """
    text = " ".join(unlinked(text).translate(_LOOKALIKES).split())
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", "\uff3f", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"^(?=[-+#>=]|\d+[.)]\s)", _SPACE, text)


def in_plain_chat(text: str) -> str:
    """Text on one line of a chat that may or may not decode entities: Discord, Google Chat.

    Like `in_chat`, with look-alikes in place of brackets and the backslash: there is no escape that both understand,
    and an entity that one would decode into a bracket is broken.
    """
    text = " ".join(unlinked(text).translate(_LOOKALIKES | _BRACKETS).split())
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", "\uff3f", text)
    text = re.sub(r"&(?=#|\w)", f"&{_SPACE}", text)
    return re.sub(r"^(?=[-+#>=]|\d+[.)]\s)", _SPACE, text)


def unexpanded(text: str) -> str:
    """Text on one line of a card without markup: nothing in it becomes a link or a field that a relay fills in."""
    text = unlinked(text).replace("\n", " ").replace("\t", " ")
    text = re.sub(r"<(?=\w)", f"<{_SPACE}", text)
    return re.sub(r"[{$@%](?=\{)", lambda found: found[0] + _SPACE, text)


def unlinked(text: str) -> str:
    """Text for an unknown relay: no mention, link or picture, wherever it is passed on to."""
    text = printable(text)
    text = _SCHEME.sub(rf"\g<0>{_SPACE}", text)
    text = _DOMAIN.sub(f"{_SPACE}.", _WWW.sub(rf"\1{_SPACE}", text))
    text = _LINK.sub(rf"\g<0>{_SPACE}", text)
    text = re.sub(r"<(?=[!@#:/?A-Za-z])", f"<{_SPACE}", text)
    return _SMILEY.sub(f":{_SPACE}", _MENTION.sub(lambda found: found[0] + _SPACE, text))
