"""Why a server failed to start: the last lines of its log, of which only plain parts are passed on."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tools.host.directives import DIRECTIVES
from tools.host.log_lines import Line
from tools.host.process import plain_path
from tools.patterns import deferred, possible
from tools.records import Scalar, Values

Rules = tuple[tuple[str, re.Pattern[str]], ...]
REASONS = (
    "config", "dump-version", "dump-corrupt", "acl-file", "module", "tls-files", "port-in-use", "permission",
    "cluster-file", "threads",
)  # fmt: skip
_LONGEST, _MOST = 2048, 200
"""Characters of a line, and lines of an attempt, that are looked at."""
_NEAR_THE_END = 4
"""Lines from the log's end in which a start has to fail whose beginning the tail doesn't show."""
_FILE = r"'?(?P<file>[^':\s]{1,256})'?"
_ERRNOS = {
    "Permission denied": "permission", "Operation not permitted": "permission", "Read-only file system": "read-only",
    "No such file or directory": "missing", "Not a directory": "not-a-directory", "Is a directory": "is-a-directory",
    "No space left on device": "no-space", "Device or resource busy": "busy", "Address already in use": "in-use",
    "Cannot assign requested address": "no-such-address", "Cannot allocate memory": "no-memory",
    "Resource temporarily unavailable": "limit", "file too short": "not-a-module",
    "invalid ELF header": "not-a-module", "undefined symbol": "other-version", "wrong ELF class": "other-machine",
}  # fmt: skip
_ERRNO = deferred("|".join(map(re.escape, _ERRNOS)))
_BAD_LINE = deferred(
    r"Reading the configuration file, at line (?P<line>\d{1,7})\s+>>> '(?P<written>[^\n]{0,400}?)'\s+"
    r"(?P<problem>[^\n]*)"
)
_UNRESOLVED = deferred(r"Unresolved Configuration\(s\) Detected:\s*(?:\S+ .{0,40}?)?>>> '(?P<written>[^\n']{0,400})")
_VERSION = deferred(
    r"(?P<product>Redis|Valkey) version=(?P<version>\d{1,3}(\.\d{1,3}){1,2})|"
    r"FATAL CONFIG FILE ERROR \((?P<other>Redis|Version) (?P<of>\d{1,3}(\.\d{1,3}){1,2})\)"
)
_RULES: Rules = tuple(
    (reason, deferred(pattern))
    for reason, pattern in (
        ("permission", r"Can't open the log file: (Permission denied|Read-only file system)"),
        ("config", r"Can't open the log file: .*"),
        ("permission", rf"(can.t open config file|Can't chdir to|opening file) {_FILE}: Permission denied"),
        ("permission", r">>> '(dir|aclfile|pidfile|unixsocket) [^\n]*\n(Permission denied)"),
        ("config", rf"can.t open config file {_FILE}: .*"),
        ("config", rf"Can't chdir to {_FILE}: .*"),
        ("permission", rf"entinel config file {_FILE} is not writable: [^\n]*"),
        ("cluster-file", rf"cluster configuration file {_FILE} is already (?P<held>used) by a different"),
        ("permission", rf"Can't open {_FILE} in order to acquire a lock: Permission denied"),
        ("cluster-file", rf"Can't open {_FILE} in order to acquire a lock: [^\n]*"),
        ("cluster-file", r"Unrecoverable error: corrupted cluster config"),
        ("threads", r"Can't init(ialize)? [Bb]ackground [Jj]obs[^\n]*"),
        ("config", r"Reading the configuration file, at line \d"),
        ("config", r"Unresolved Configuration\(s\) Detected|Module Configuration detected without loadmodule"),
        ("config", r"FATAL CONFIG FILE ERROR|Failed finding TLS support|Bad directive or wrong number of arg"),
        ("permission", rf"can't open the (RDB|append|AOF)[\w ]{{0,24}}? file {_FILE}[\w ]*: Permission denied"),
        ("permission", r"Fatal error loading the DB: Permission denied"),
        ("permission", r"Can't open the append-only file: (Permission denied|Read-only file system)"),
        ("permission", r"(append only file|AOF|appendonly|manifest)[^\n]{0,200}?: Permission denied"),
        ("module", r"module data I can't load: no matching module (type )?'(?P<type>[\w-]{1,16})'"),
        ("module", r"for the module type '(?P<type>[\w-]{1,16})', that the responsible module is not able to load"),
        ("dump-version", r"Can't handle RDB format version (?P<format>\d{1,5})"),
        ("dump-corrupt", r"(?P<unsigned>Wrong signature) trying to load DB"),
        ("dump-corrupt", r"Short read or OOM loading DB|Internal error in RDB|Wrong RDB checksum|RDB CRC error|"
                         r"Unexpected EOF reading RDB|Unknown (RDB|type or opcode)|Error loading data from RDB"),
        ("acl-file", rf"because of ACL errors: {_FILE}:(?P<line>\d{{1,7}}):"),
        ("acl-file", rf"Error loading ACLs, opening file {_FILE}: .*"),
        ("acl-file", r"Error loading ACL rule [^\n]{0,200}? for the user named '(?P<user>[\w.@-]{1,32})'"),
        ("acl-file", r"because of ACL errors|Critical error while loading ACLs"),
        ("module", rf"Module {_FILE} failed to load[^\n]*"),
        ("module", rf"Can't load module from {_FILE}: server aborting"),
        ("module", rf"Module {_FILE} initialization failed"),
        ("tls-files", rf"Failed to load (certificate|private key|CA certificate[()\w/ ]{{0,32}}): {_FILE}[^\n]*"),
        ("tls-files", r"Failed to (configure|initialize) TLS"),
        ("port-in-use", r"listening socket (?P<address>[0-9A-Fa-f:.*\[\]]{1,64}): bind: Address already in use"),
        ("port-in-use", r"Unix socket: bind: Address already in use"),
        ("permission", r"listening socket (?P<address>[0-9A-Fa-f:.*\[\]]{1,64}): bind: Permission denied"),
        ("permission", r"Unix socket: bind: Permission denied"),
        ("config", r"listening socket (?P<address>[0-9A-Fa-f:.*\[\]]{1,64}): (bind: )?[^\n]*"),
        ("config", r"Unix socket: bind: [^\n]*|Configured to not listen anywhere"),
    )
)  # fmt: skip
"""What a last line means, the most specific first: a reason and what it names."""
_DIRECTIVE_OF = (
    ("log file", "logfile"), ("chdir", "dir"), ("Unix socket", "unixsocket"), ("listening socket", "bind"),
    ("TLS support", "tls-port"),
)  # fmt: skip
_OF_AOF = deferred(r"AOF loading aborted|RDB preamble of|reading the append only file")
"""Then it's the append-only file whose beginning, a dump, is damaged."""
_HYPHENATED = deferred(r"[a-z][a-z0-9]{0,24}(-[a-z0-9]{1,24}){1,6}")


class Attempt(NamedTuple):
    """One life of a server in its log."""

    lines: tuple[str, ...]
    began: bool
    """Whether its first line is the log's of a start."""
    served: bool
    """Whether it got as far as accepting connections."""

    @property
    def text(self) -> str:
        """What it said; of one whose beginning isn't seen only the end."""
        lines = self.lines[-_MOST:] if self.began else self.lines[-_NEAR_THE_END:]
        return "\n".join(line[:_LONGEST] for line in lines)


def attempts(lines: Iterable[tuple[Line, str | None]]) -> Iterator[Attempt]:
    """The lives in a log's lines, each with the name of its event; a refused configuration is a life of its own."""
    held: list[str] = []
    began = served = named = False
    for line, event in lines:
        refused = event == "config_bad" and not (held and began and not served)
        if held and (event == "starting" or (event == "started" and named) or refused):
            yield Attempt(lines=tuple(held), began=began, served=served)
            held, began, served, named = [], False, False, False
        began = began or event in ("starting", "started") or refused
        named = named or event == "started"
        served = served or event == "ready"
        held.append(line.text)
    if held:
        yield Attempt(lines=tuple(held), began=began, served=served)


def start_failure(lines: Sequence[tuple[Line, str | None]]) -> Values:
    """Why the last run in a log never served, as `start_failed.*`; empty if it did or ended otherwise.

    `reason` is one of `REASONS`, `count` how many lives in a row ended for it. As far as it's told: `line` and
    `directive` of the configuration (of an ACL file `line` and `user`), `like` for a directive that was meant, `file`,
    `address`, `format` (of a dump), `type` (of a module's data), `errno` in a word, `version` of the server.
    """
    lives = list(attempts(lines))
    values: Values = {}
    for life in reversed(lives):
        failed = {} if life.served else _failure(life.text)
        if not failed or (values and failed["reason"] != values["start_failed.reason"]):
            break
        if not values:
            values = {f"start_failed.{name}": value for name, value in failed.items()}
            values["start_failed.count"] = 0
        values["start_failed.count"] = int(str(values["start_failed.count"])) + 1
    if values and (version := _version(lives)):
        values["start_failed.version"] = version
    return values


def _failure(text: str) -> Values:
    for reason, pattern in _RULES:
        if possible(pattern, text) and (found := pattern.search(text)):
            if reason == "dump-corrupt" and _OF_AOF.search(text):
                return {}
            values: Values = {"reason": reason}
            told = found.groupdict()
            for name in ("line", "format"):
                if told.get(name):
                    values[name] = int(told[name])
            values |= {name: told[name] for name in ("user", "type") if told.get(name)}
            if told.get("held"):
                values["problem"] = "held"
            if told.get("unsigned"):
                values["problem"] = "signature"
            if path := told.get("file"):
                values["file"] = plain_path(path)
            if address := told.get("address"):
                values["address"] = address
            if errno := _ERRNO.search(found[0]):
                values["errno"] = _ERRNOS[errno[0]]
            if reason in ("config", "permission"):
                values |= _directive(text, found[0])
            return values
    return {}


def _directive(text: str, matched: str) -> Values:
    """The configuration's line that was refused, and its directive if it's nearly one: a line may hold a secret."""
    if found := list(_BAD_LINE.finditer(text)):
        last = found[-1]
        errno = _ERRNO.search(last["problem"])
        return {
            "line": int(last["line"]), **_named(last["written"]),
            **({"errno": _ERRNOS[errno[0]]} if errno else {}),
            "problem": "unknown" if "Bad directive" in last["problem"] else "errno" if errno else "value",
        }  # fmt: skip
    if unresolved := _UNRESOLVED.search(text):
        return {**_named(unresolved["written"]), "problem": "unknown"}
    return next(({"directive": name} for words, name in _DIRECTIVE_OF if words in matched), {})


def _named(written: str) -> dict[str, Scalar]:
    word, _, rest = written.strip().partition(" ")
    word = word.lower()
    if word in DIRECTIVES:
        return {"directive": word}
    if meant := difflib.get_close_matches(word[:64], DIRECTIVES, 1, 0.8):
        return {"directive": word, "like": meant[0]} if re.fullmatch(r"[a-z0-9_-]{2,64}", word) else {"like": meant[0]}
    return {"directive": word} if rest and _HYPHENATED.fullmatch(word) else {}


def _version(lives: Sequence[Attempt]) -> str | None:
    """Product and version of the newest life that tells it: "redis 7.0.15"."""
    for life in reversed(lives):
        for line in reversed(life.lines):
            if found := _VERSION.search(line[:_LONGEST]):
                product = (found["product"] or found["other"]).lower().replace("version", "valkey")
                return f"{product} {found['version'] or found['of']}"
    return None
