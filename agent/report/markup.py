"""Words of others in Markdown and in chats: no markup, link, picture, mention or reference comes of them."""

import re

from tools.patterns import deferred
from tools.text import one_line, printable

JOINER = "&#8203;"
"""Breaks a mention, a reference or a link and isn't seen: a zero-width space, written so that a sink lets it pass."""
_SPACE = "\u200b"
_SCHEME = deferred(r"(?i)[a-z0-9+.-](?=://)|(?:mailto|xmpp|tel|sms|data|javascript)(?=:\S)")
_WWW = deferred(r"(?i)(www)(?=\.)")
_SMILEY = deferred(r":(?=(?:100|1234|[\w+-]*[A-Za-z_+-][\w+-]*):)")
_MENTION = deferred(r"@(?=\w)|#(?=\w)|(?<=GH-)(?=\d)|(?<=gh-)(?=\d)")
_DOMAIN = deferred(r"(?<=[A-Za-z0-9-])\.(?=[A-Za-z]{2,24}(?![\w-]))")
_LINK = deferred(r"\](?=[(\[:])|!(?=\[)")
_LOOKALIKES = str.maketrans({"*": "\u2217", "`": "'", "~": "\u223c", "|": "\u00a6"})
"""What a chat takes for bold, code, struck or hidden text, and has no escape for."""

_BRACKETS = str.maketrans({"<": "\u2039", ">": "\u203a", "\\": "\u29f5"})


def in_markdown(text: str) -> str:
    """Words on one line of Markdown (GitHub's, GitLab's)."""
    text = re.sub(r"([\\`*\[\]~|])", r"\\\1", one_line(text, len(text) + 1))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
    # References first: the joiner holds a # of its own.
    text = _MENTION.sub(lambda found: found[0] + JOINER, text)
    text = _SCHEME.sub(rf"\g<0>{JOINER}", text)
    text = _WWW.sub(rf"\1{JOINER}", text)
    return _SMILEY.sub(f":{JOINER}", text)


def code_in_markdown(text: str) -> str:
    """A code span of Markdown, whatever backticks are in it; empty for nothing."""
    text = one_line(text, len(text) + 1).strip()
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else ""


def without_list_mark(line: str) -> str:
    """A line of Markdown that doesn't begin a list, a quote, a heading or a rule of its own."""
    return re.sub(r"^(\d+)([.)])|^([-+=#>])", r"\1\\\2\3", line)


def in_chat(text: str) -> str:
    """Words on one line of a chat in Slack's mrkdwn, or in the Markdown of those that take Slack's form.

    Neither has an escape for all of its marks that the other doesn't show: marks are replaced by what looks like them,
    and what would be a mention, a link or a picture is broken by a space without width.
    """
    text = " ".join(unlinked(text).translate(_LOOKALIKES).split())
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", "\uff3f", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"^(?=[-+#>=]|\d+[.)]\s)", _SPACE, text)


def in_plain_chat(text: str) -> str:
    """Words on one line of a chat that may or may not know entities: Discord, Google Chat.

    As `in_chat`, with what looks like the brackets and the backslash in their place: neither has an escape that both
    understand, and an entity that one would turn back into a bracket is broken.
    """
    text = " ".join(unlinked(text).translate(_LOOKALIKES | _BRACKETS).split())
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", "\uff3f", text)
    text = re.sub(r"&(?=#|\w)", f"&{_SPACE}", text)
    return re.sub(r"^(?=[-+#>=]|\d+[.)]\s)", _SPACE, text)


def unexpanded(text: str) -> str:
    """Words on one line of a card, which has no markup: nothing of them is linked, or filled in by who passes it on."""
    text = unlinked(text).replace("\n", " ").replace("\t", " ")
    text = re.sub(r"<(?=\w)", f"<{_SPACE}", text)
    return re.sub(r"[{$@%](?=\{)", lambda found: found[0] + _SPACE, text)


def unlinked(text: str) -> str:
    """Words for a relay that isn't known: no mention, link or picture in whatever it passes them on to."""
    text = printable(text)
    text = _SCHEME.sub(rf"\g<0>{_SPACE}", text)
    text = _DOMAIN.sub(f"{_SPACE}.", _WWW.sub(rf"\1{_SPACE}", text))
    text = _LINK.sub(rf"\g<0>{_SPACE}", text)
    text = re.sub(r"<(?=[!@#:/?A-Za-z])", f"<{_SPACE}", text)
    return _SMILEY.sub(f":{_SPACE}", _MENTION.sub(lambda found: found[0] + _SPACE, text))
