"""Prompts and command lines: which command's output stands below them, and of which server."""

import re
from typing import NamedTuple

from tools.paste.pieces import Form
from tools.patterns import deferred

Mode = Form | None
CONTAINERS = frozenset(
    ("ACL", "CLIENT", "CLUSTER", "COMMANDLOG", "CONFIG", "FUNCTION", "HOTKEYS", "LATENCY", "MEMORY", "MODULE", "OBJECT",
     "PUBSUB", "SCRIPT", "SENTINEL", "SLOWLOG", "XINFO")
)  # fmt: skip
"""Commands whose second word says what they do."""
FORMS: dict[tuple[str, ...], Form] = {
    ("INFO",): "info", ("SLOWLOG", "GET"): "slowlog", ("COMMANDLOG", "GET"): "commandlog",
    ("CLIENT", "LIST"): "client-list", ("CLIENT", "INFO"): "client-list", ("CONFIG", "GET"): "config",
    ("LATENCY", "LATEST"): "latency-latest", ("LATENCY", "HISTORY"): "latency-history",
    ("LATENCY", "DOCTOR"): "latency-doctor", ("MEMORY", "STATS"): "memory-stats", ("MEMORY", "DOCTOR"): "memory-doctor",
    ("CLUSTER", "NODES"): "cluster-nodes", ("CLUSTER", "INFO"): "cluster-info", ("CLUSTER", "SHARDS"): "cluster-shards",
    ("CLUSTER", "SLOTS"): "cluster-slots", ("SENTINEL", "MASTERS"): "sentinel", ("SENTINEL", "MASTER"): "sentinel",
    ("SENTINEL", "REPLICAS"): "sentinel", ("SENTINEL", "SENTINELS"): "sentinel", ("SENTINEL", "CKQUORUM"): "sentinel",
    ("SENTINEL", "GET-MASTER-ADDR-BY-NAME"): "sentinel", ("ACL", "LOG"): "acl-log", ("ROLE",): "role",
}  # fmt: skip
_RENAMED = {("SENTINEL", "SLAVES"): ("SENTINEL", "REPLICAS"), ("SENTINEL", "PRIMARIES"): ("SENTINEL", "MASTERS")}
_HOST = r"(?:[\w.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]|[0-9a-fA-F:]{2,39})"
_CLI = deferred(
    rf"\s{{0,40}}(?:redis |valkey )?(?P<node>{_HOST}:\d{{1,5}}|/[\w./-]{{1,200}}|not connected|redis|valkey)"
    r"(?:\[\d{1,5}\])?(?:\((?:TX|[a-z -]{1,24})\))?> ?(?P<rest>.{0,4096})"
)
"""redis-cli's own prompt, and what was typed behind it."""
_SHELL = deferred(
    r"(?:[^$#%>\n]{0,100}?[$#%\u276f\u279c]\s{1,4})?(?P<before>(?:[\w./=:@{}\"'-]{1,120}\s{1,4}){0,24}?)"
    r"(?:[\w./-]{0,100}/)?(?P<cli>(?:redis|valkey|keydb)-cli)(?P<rest>(?:\s.{0,4096})?)"
)
"""A shell's line that runs redis-cli, be it in a container."""
_OTHER = deferred(
    r"[^\n$#%>]{0,100}[$#%\u276f\u279c]\s{1,4}(?:sudo )?"
    r"(?:kubectl|oc|docker|podman|dmesg|journalctl|cat|tail|head|grep|less|curl|free|top|uptime|ps|systemctl|date|ls|aws|gcloud|helm|exit|ssh|sh|sudo|printf|echo|nc|telnet|netstat|ss|df|iostat|vmstat|uname|rediagnose)\b.{0,4096}"
)
_BARE = deferred(
    r"[\s#*`'\"]{0,8}(?P<command>INFO(?: [A-Za-z]{2,20}){0,4}|"
    r"(?:SLOWLOG|COMMANDLOG) GET(?: -?\d{1,6})?(?: [a-z-]{4,14})?|"
    r"CLIENT LIST(?: TYPE [a-z]{3,10})?|CONFIG GET [\w*?-]{1,40}|LATENCY (?:LATEST|DOCTOR|HISTORY [\w-]{1,40})|"
    r"MEMORY (?:STATS|DOCTOR)|CLUSTER (?:NODES|INFO|SHARDS|SLOTS)|ACL LOG(?: \d{1,5})?|ROLE|DBSIZE|"
    r"SENTINEL (?:MASTERS|(?:MASTER|REPLICAS|SLAVES|SENTINELS) [\w.-]{1,64}))[\s:*`'\"]{0,8}"
)
"""A command that stands alone above its reply, as a heading does."""
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([^\s"\']\S*)')
_MODES: dict[str, Form] = {
    "--bigkeys": "bigkeys", "--memkeys": "bigkeys", "--hotkeys": "bigkeys", "--stat": "stat",
    "--latency": "latency-cli", "--latency-history": "latency-cli", "--latency-dist": "latency-cli",
    "--intrinsic-latency": "latency-cli",
}  # fmt: skip
_WITH_VALUE = frozenset(
    ("-h", "-p", "-s", "-a", "-u", "-n", "-i", "-r", "-d", "-D", "-t", "-X", "--user", "--pass", "--sni", "--cacert",
     "--cacertdir", "--cert", "--key", "--tls-ciphers", "--tls-ciphersuites", "--memkeys-samples", "--show-pushes",
     "--pattern", "--count", "--quoted-pattern")
)  # fmt: skip


class Prompt(NamedTuple):
    """A line that says what stands below it."""

    command: tuple[str, ...] | None
    """Null for a shell's command or a mode of redis-cli."""
    node: str | None
    mode: Mode = None
    """What a mode of redis-cli prints."""
    typed: bool = True
    """Whether there is a prompt: what only has the look of a command may be a reply's own line."""


def prompt(line: str) -> Prompt | None:
    """What a line asks for, if it's a prompt, a command line, or a command that stands alone."""
    if ">" in line and (found := _CLI.fullmatch(line)):
        named = found["node"]
        return Prompt(command(_words(found["rest"])), named if ":" in named or named[0] == "/" else None)
    if "-cli" in line and (found := _SHELL.fullmatch(line)):
        return _of_shell(found["rest"])
    if ("$ " in line or "# " in line or "% " in line) and _OTHER.fullmatch(line):
        return Prompt(None, None)
    if len(line) < 96 and (found := _BARE.fullmatch(line)) and not line.lstrip().startswith('"'):
        return Prompt(command(_words(found["command"])), None, typed=False)
    return None


def command(words: list[str]) -> tuple[str, ...] | None:
    """A command as the wire has it; of one that may carry data only its name."""
    if not words:
        return None
    name = words[0].upper()[:40]
    if name in CONTAINERS and len(words) > 1:
        head = _RENAMED.get((name, words[1].upper()), (name, words[1].upper()[:40]))
        if head in FORMS:
            return (*head, *(word[:128] for word in words[2:12]))
        return head
    if (name,) in FORMS:
        return (name, *(word[:40] for word in words[1:12]))
    return (name,) if name.replace(".", "").replace("_", "").isalpha() else None


def form_of(words: tuple[str, ...]) -> Form:
    """What the reply to a command is."""
    return FORMS.get(words[:2]) or FORMS.get(words[:1]) or "reply"


def _words(text: str) -> list[str]:
    found = (match.groups("") for match in _WORD.finditer(text))
    return [double or single or bare for double, single, bare in found]


def _of_shell(rest: str) -> Prompt:
    words = _words(rest.split("|")[0].split(">")[0].split(" 2>")[0])
    host, port, node, mode, at = "", "", None, None, 0
    while at < len(words) and words[at].startswith("-"):
        word = words[at]
        mode = _MODES.get(word, mode)
        if word in _WITH_VALUE and at + 1 < len(words):
            value = words[at + 1]
            host, port = (value, port) if word == "-h" else (host, value) if word == "-p" else (host, port)
            if word == "-u":
                node = re.sub(r"^[\w+]{1,20}://|/.*$", "", value.rpartition("@")[2] or value) or None
            elif word == "-s":
                node = value
            at += 1
        elif word == "--intrinsic-latency":
            at += 1
        at += 1
    if node is None and (host or port):
        node = f"{host or '127.0.0.1'}:{port or '6379'}"
    return Prompt(None if mode else command(words[at:]), node[:255] if node else None, mode)
