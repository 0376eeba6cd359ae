"""Replies that are lines of text: INFO, CLIENT LIST, CLUSTER NODES and INFO, what the doctors say, and errors."""

import re
from collections.abc import Callable
from pathlib import Path

from tools.connection.shapes import whole_number
from tools.credentials import hide_secrets
from tools.paste.found import ELIDED, LOOKS, Found, of_reply, of_text, safe
from tools.paste.lines import Lines
from tools.paste.literals import literal
from tools.paste.prompts import Prompt
from tools.paste.replies import Reply, error
from tools.patterns import deferred

INFO_FIELDS = frozenset((Path(__file__).with_name("info_fields.txt")).read_text(encoding="utf-8").split())
"""The names of INFO's fields, of every version that was seen."""
NUMBERED = deferred(
    r"cmdstat_[\w.|-]{1,120}|errorstat_[\w.:-]{1,120}|latency_percentiles_usec_[\w.|-]{1,120}|db\d{1,5}|slave\d{1,5}|"
    r"master\d{1,5}|io_thread_\d{1,4}|listener\d{1,3}|module|db\d{1,5}_distrib_\w{1,40}|cluster_[a-z_-]{1,60}|"
    r"search_\w{1,60}"
)
"""Names that a server makes."""
_SECTION = deferred(r"\s{0,200}# {0,2}([A-Z][A-Za-z]{1,24}(?: [A-Z][a-z]{1,20})?|[a-z]{2,20}_[a-z_]{2,60})\s*")
_FIELD = re.compile(
    r"\s{0,200}(?P<name>[A-Za-z][\w.|@-]{0,127}|errorstat_[^\s]{1,127}?)\s?:[ ]?(?P<value>[^\n]{0,8192})"
)
_SPACED = frozenset(
    ("os", "executable", "config_file", "monotonic_clock", "gcc_version", "listener0", "listener1", "availability_zone",
     "paused_reason", "server_name", "tls_server_cert_serial")
)  # fmt: skip
"""Fields with spaces in their values."""
_CLUSTER_STATE = deferred(r"cluster_(?!enabled|connections)\w+|total_cluster_links_buffer_limit_exceeded")
_CLIENT = deferred(r"\s{0,200}(?:id=\d{1,20} )?addr=\S{0,300} (?:laddr=\S{0,300} )?fd=")
_CLIENT_REST = deferred(r"\s{0,200}[a-z][a-z-]{1,15}=\S{0,300}(?: [a-z][a-z-]{1,15}=\S{0,300}){0,40}\s*")
_NODE = deferred(
    r"\s{0,200}[0-9a-f]{40} \S{0,300} (?:[a-z?!-]+,?){1,8} (?:-|[0-9a-f]{40}) \d+ \d+ \d+ (?:dis)?connected"
)
_DOCTORS: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (
        ("LATENCY", "DOCTOR"),
        deferred(
            r"\s{0,200}(?:(?:Dave, )?(?:I have observed|no) latency spikes? |I'm sorry, Dave|"
            r"(?:No )?[Ll]atency spikes? (?:is|are|was|were) (?:\w+ )?observed|"
            r".{0,40}Latency monitoring is disabled in this)"
        ),
    ),
    (("MEMORY", "DOCTOR"), deferred(r"\s{0,200}(?:Hi Sam, |Sam, (?:this instance|I ))")),
)
_DOCTOR_LINE = deferred(
    r"\s{0,200}(?:\d{1,3}\. [\w-]+: |- |\* |(?:I have a few|Here is some) advice|I (?:detected|can't find)|"
    r"While |Please|I'm here|  )"
)
_ERROR_WORDS = (
    "ERR|OOM|MISCONF|READONLY|NOAUTH|WRONGPASS|NOPERM|LOADING|BUSY|CLUSTERDOWN|MOVED|ASK|CROSSSLOT|TRYAGAIN|MASTERDOWN|"
    "NOREPLICAS|NOSCRIPT|WRONGTYPE|EXECABORT|UNKILLABLE|NOGOODSLAVE|NOQUORUM|DENIED|NOMASTERLINK|INPROG|IOERR"
)
_ERROR = deferred(rf"\s*(?:\(error\) (?P<shown>\S[^\n]{{0,2000}})|-?(?P<raw>(?:{_ERROR_WORDS}) [^\n]{{1,2000}}))")
_SIZE = r"\d{1,6}(?:\.\d{1,6})?[KMGTkmgt]i?[Bb]?"
_INLINE = re.compile(
    r"\b(?P<name>[a-z]{2,20}_[a-z0-9_]{2,60}|maxmemory|maxclients|role)[\"'`]?(?:\s?[:=]|\s{0,40}\|)\s{0,2}[\"'`]?"
    rf"(?P<value>{_SIZE}|\d{{1,3}}\.\d{{1,3}}\.\d{{1,3}}|-?\d{{1,19}}(?:\.\d{{1,6}})?B?|ok|err|up|down|master|slave|"
    r"noeviction|(?:allkeys|volatile)-[a-z]{2,8})(?![\w.%:/-])"
)
_WRITTEN_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)([BKMGTbkmgt])(?:i?[Bb])?")


def known(name: str) -> bool:
    """Whether INFO has a field of this name."""
    return name in INFO_FIELDS or NUMBERED.fullmatch(name) is not None


def info(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """INFO, or CLUSTER INFO, whole or a part of it, with its headers or without."""
    first = lines[at].text
    if not (_SECTION.fullmatch(first) and _field_follows(lines, at + 1)) and not _known_field(first):
        return None
    taken: list[str] = []
    names: set[str] = set()
    headed = cut = False
    blank = False
    end = at
    while at < len(lines):
        line = lines[at]
        if line.fence or (at > end and _is_prompt(line.text)):
            break
        if line.blank:
            blank, at = True, at + 1
            continue
        text = line.text.strip()
        if section := _SECTION.fullmatch(text):
            name = f"# {section[1]}"
            if name in names or not (_field_follows(lines, at + 1) or headed):
                break
            headed = True
            if taken:
                taken.append("")
        elif ELIDED.fullmatch(text) and taken:
            cut, at = True, at + 1
            continue
        elif found := _FIELD.fullmatch(text):
            name, value = found["name"], literal(found["value"].rstrip())
            unknown = not known(name)
            if (name in names and name != "module") or (unknown and (blank or not (headed or taken))):
                break
            if unknown and " " in value.strip() and not headed:
                break
            text = safe(f"{name}:{value}")
        else:
            break
        taken.append(f"# {section[1]}" if section else text)
        names.add(name)
        blank, at = False, at + 1
        end = at
    cut = cut or _cut_off(lines, end)
    fields = names - {name for name in names if name.startswith("#")}
    if not fields:
        return None
    own = bool(above and above.command and above.command[:2] == ("CLUSTER", "INFO"))
    if not headed and (own or all(_CLUSTER_STATE.fullmatch(name) for name in fields)):
        return of_text(end, ("CLUSTER", "INFO"), taken, cut, above)
    moment = next((line.partition(":")[2] for line in taken if line.startswith("server_time_usec:")), "")
    usec = whole_number(moment)
    return of_text(end, ("INFO",), taken, cut, above)._replace(at=usec / 1e6 if usec else None)


def _known_field(text: str) -> bool:
    found = _FIELD.fullmatch(text)
    if not found or not known(found["name"]):
        return False
    value = literal(found["value"].strip())
    return " " not in value or found["name"] in _SPACED


def _field_follows(lines: Lines, at: int) -> bool:
    return _FIELD.fullmatch(lines[at].text) is not None and not lines[at].text.lstrip().startswith("#")


def _is_prompt(text: str) -> bool:
    return "> " in text[:80] and text.split("> ")[0].rpartition(":")[2].rstrip("])").split("[")[0].isdecimal()


def _cut_off(lines: Lines, end: int) -> bool:
    """Whether what stands behind the last field is the beginning of another."""
    rest = lines[end].text.strip()
    return bool(rest) and (bool(ELIDED.fullmatch(rest)) or any(name.startswith(rest) for name in INFO_FIELDS))


def inline(text: str) -> dict[str, str]:
    """INFO's fields that a sentence or a table quotes with their figures."""
    if "_" not in text and "max" not in text and "role" not in text:
        return {}
    return {
        found["name"]: value
        for found in _INLINE.finditer(text[:65536])
        if found["name"] in INFO_FIELDS and (value := _quoted(found["name"], found["value"])) is not None
    }


def _quoted(name: str, value: str) -> str | None:
    """A quoted value as INFO would have it; None where a field has no such unit."""
    if not value[0].isdigit() or value[-1].isdigit() or name.endswith("_human"):
        return value
    size = bytes_of(value) if f"{name}_human" in INFO_FIELDS else None
    return None if size is None else str(size)


def bytes_of(written: str) -> int | None:
    """The bytes of a size as INFO writes it for people; None for what is none."""
    found = _WRITTEN_SIZE.fullmatch(written.strip())
    return round(float(found[1]) * 1024 ** "BKMGT".index(found[2].upper())) if found else None


def clients(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """CLIENT LIST's lines, also where a mail has wrapped them."""
    if "addr=" not in lines[at].text[:40] or not _CLIENT.match(lines[at].text):
        return None
    taken: list[str] = []
    cut = False
    end = at
    while at < len(lines):
        text = lines[at].text.strip()
        if _CLIENT.match(text):
            taken.append(text)
        elif taken and text and _CLIENT_REST.fullmatch(text):
            taken[-1] += " " + text
        elif ELIDED.fullmatch(text) and taken:
            cut = True
        else:
            break
        at += 1
        end = at
    cut = cut or not re.search(r" cmd=\S", taken[-1])
    return of_text(end, ("CLIENT", "LIST"), map(_client, taken), cut, above)


def _client(line: str) -> str:
    """A client's line: only its names are somebody's text."""
    if not line.startswith("id="):
        line = f"id=0 {line}"
    return " ".join(
        hide_secrets(part) if part.startswith(("name=", "lib-name=", "user=")) and LOOKS.search(part) else part
        for part in line.split(" ", 128)
    )


def cluster_nodes(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """CLUSTER NODES' lines."""
    return _run(lines, at, above, _NODE, ("CLUSTER", "NODES"))


def _run(lines: Lines, at: int, above: Prompt | None, each: re.Pattern[str], command: tuple[str, ...]) -> Found | None:
    end = at
    while end < len(lines) and each.match(lines[end].text):
        end += 1
    if end == at:
        return None
    return of_text(end, command, (text.strip() for text in lines.texts(at, end)), False, above)


def doctors(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """What LATENCY DOCTOR and MEMORY DOCTOR say."""
    text = lines[at].text
    command = None
    if "atency" in text or "Sam" in text[:12] or "Dave" in text[:24]:
        command = next((name for name, begins in _DOCTORS if begins.match(text)), None)
    if above and above.command and above.command[1:2] == ("DOCTOR",):
        command = above.command[:2]
    if command is None:
        return None
    end = at + 1
    while end < min(len(lines), at + 80) and not lines[end].fence:
        line = lines[end].text
        # A paragraph of its own goes on only with what a doctor's paragraphs begin with.
        if not line.strip() or (not lines[end - 1].text.strip() and not _DOCTOR_LINE.match(line)):
            if line.strip():
                break
            if not _DOCTOR_LINE.match(lines[end + 1].text):
                break
        elif _is_prompt(line) or _known_field(line):
            break
        end += 1
    said = hide_secrets("\n".join(lines.texts(at, end)))
    return Found(end, "latency-doctor" if command[0] == "LATENCY" else "memory-doctor", said, command, said,
                 node=above.node if above else None)  # fmt: skip


_UNREACHED = deferred(
    r"\s{0,200}(?:Could not connect to (?:Redis|Valkey|Server) at (?P<node>\S{1,300}): |"
    r"(?:I/O )?[Ee]rror: (?=Server closed|Connection|"
    r"Broken|I/O))(?P<why>[A-Z][^\n]{0,300})"
)
_WHY = (
    ("refused", "Connection refused"), ("timeout", "timed out"), ("timeout", "temporarily unavailable"),
    ("dns", "not known"), ("dns", "name resolution"), ("reset", "reset by peer"), ("reset", "Server closed"),
    ("reset", "Broken pipe"), ("tls", "SSL"), ("tls", "certificate"), ("unreachable", "No route"),
    ("unreachable", "unreachable"),
)  # fmt: skip
_AUTH_FAILED = deferred(r"\s{0,200}(?:Warning: )?AUTH failed: (?P<why>[^\n]{1,300})")


def unreached(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """What redis-cli says where it reached no server, or lost it: `kind` is why."""
    text = lines[at].text
    node = above.node if above else None
    if "AUTH failed" not in text and "onnect" not in text and "rror: " not in text:
        return None
    if failed := _AUTH_FAILED.fullmatch(text):
        said = error(failed["why"])
        return Found(at + 1, "error", said["error"], ("AUTH",), said, node=node)
    found = _UNREACHED.fullmatch(text)
    if not found:
        return None
    kind = next((kind for kind, words in _WHY if words in found["why"]), "other")
    return Found(at + 1, "client-error", hide_secrets(text.strip()), values={"client": "redis-cli", "kind": kind},
                 node=hide_secrets(found["node"]) if found["node"] else node)  # fmt: skip


def errors(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """A server's error, alone on its line."""
    text = lines[at].text
    found = _ERROR.fullmatch(text) if "(error)" in text or text.lstrip()[:2].lstrip("-").isupper() else None
    if not found:
        return None
    said = error((found["shown"] or found["raw"]).strip())
    if above and above.command:
        return of_reply(at + 1, Reply(above.command, said, False), above)
    return Found(at + 1, "error", said["error"], None, said, node=above.node if above else None)


TEXTS: tuple[Callable[[Lines, int, Prompt | None], Found | None], ...] = (
    info, clients, cluster_nodes, doctors, unreached, errors,
)  # fmt: skip
