"""Lines of redis.conf."""

import re

from tools.credentials import HIDDEN, hide_secrets, is_secret
from tools.host.config_file import amount
from tools.host.directives import DIRECTIVES
from tools.paste.found import Found, hidden
from tools.paste.lines import Lines
from tools.paste.prompts import Prompt
from tools.patterns import deferred
from tools.records import Values

_LINE = re.compile(r"\s{0,40}(?P<name>[a-z][a-z0-9_-]{1,60})\s{1,20}(?P<value>\S[^\n]{0,2000}?)\s*")
_PLAIN = deferred(
    r"\"[^\"]*\"|'[^']*'|yes|no|-?\d{1,19}(?:[kmgKMG][bB]?|%)?|(?:volatile|allkeys)-[a-z]{2,8}|noeviction|always|everysec|"
    r"[\d.]{7,15}|/\S{1,500}|[\w.-]{1,60}\.(?:log|rdb|aof|conf|pid|acl)|(?:\d{1,9} ){1,7}\d{1,9}|"
    r"(?:normal|replica|slave|pubsub)(?: \d{1,9}[kmg]?b?){3}|[\d.: a-f*-]{2,200}|notice|verbose|debug|warning"
)
"""Values that no sentence goes on with."""
_SENTINEL = deferred(r"[a-z]{2,12}(?:-[a-z]{2,16}){0,4} \S{1,200}(?: \S{1,200}){0,6}|(?:myid|announce-ip) \S{1,64}")
COMMENTS = 30
"""Lines of comment above the first directive at most."""
_REPEATED = frozenset(("save", "client-output-buffer-limit", "rename-command", "include", "loadmodule"))


def config_file(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """Directives, with the comments between them: what a server would begin with, as CONFIG GET shows amounts."""
    if _directive(lines[at].text) is None and not _heads(lines, at):
        return None
    begin = at
    values: Values = {}
    count = 0
    while at < len(lines) and not lines[at].fence:
        text = lines[at].text
        if found := _directive(text):
            name, value = found
            if name == "sentinel":
                _of_sentinel(values, value)
                count += 1
                at += 1
                continue
            before = values.get(name)
            values[name] = f"{before} {value}" if name in _REPEATED and before is not None else value
            count += 1
        elif text.strip() and not text.lstrip().startswith("#"):
            break
        at += 1
    if count < 2 and not begin + 1 == at == len(lines):
        return None
    reply = [str(one) for pair in values.items() if "." not in pair[0] for one in pair]
    return Found(at, "config-file", hidden(lines.texts(begin, min(at, begin + 5000))), reply=reply, values=values)


def _of_sentinel(values: Values, value: str) -> None:
    """A sentinel's directive: whom it watches, how many must agree, and how many it knows beside itself."""
    words = value.split()
    if words[0] == "monitor" and len(words) == 5 and words[4].isdecimal():
        values |= {"sentinel.monitors": f"{words[2]}:{words[3]}", "sentinel.quorum": int(words[4][:9])}
    elif words[0] == "known-sentinel":
        values["sentinel.known"] = int(str(values.get("sentinel.known") or 0)) + 1


def _heads(lines: Lines, at: int) -> bool:
    """Whether a comment begins the file: one of the lines below it is a directive."""
    end = at
    while end < min(at + COMMENTS, len(lines)) and (lines[end].blank or lines[end].text.lstrip().startswith("#")):
        end += 1
    return end > at and lines[at].text.lstrip().startswith("#") and _directive(lines[end].text) is not None


def _directive(text: str) -> tuple[str, str] | None:
    found = _LINE.fullmatch(text)
    if not found:
        return None
    if found["name"] == "sentinel" and _SENTINEL.fullmatch(found["value"]):
        return "sentinel", HIDDEN if "auth" in found["value"] else found["value"]
    if found["name"] not in DIRECTIVES:
        return None
    name, value = found["name"], found["value"]
    if is_secret(name):
        return name, HIDDEN
    if not _PLAIN.fullmatch(value):
        return None
    words = value.strip("\"'").split()
    return name, hide_secrets(" ".join(str(amount(word)) for word in words))
