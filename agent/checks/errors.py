"""Errors of one client: what it sends is refused by any server."""

import re
from collections.abc import Iterator

from agent.checks.amounts import size
from agent.checks.counted import times
from agent.checks.error_meanings import fails_on_replica, meaning_of
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.words import READONLY
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

ELSEWHERE = frozenset(
    ("NOAUTH", "WRONGPASS", "NOPERM", "DENIED", "MOVED", "ASK", "CROSSSLOT", "CLUSTERDOWN", "TRYAGAIN", "READONLY",
     "MASTERDOWN", "NOMASTERLINK", "MISCONF", "LOADING", "BUSY", "UNKILLABLE", "NOTBUSY", "NOREPLICAS", "NOSCRIPT",
     "OOM", "INPROG", "NOGOODSLAVE", "IOERR", "NOQUORUM")
)  # fmt: skip
"""Errors that report the server's own state, or that have a cause of their own."""
CUSTOMARY = frozenset(("BUSYGROUP", "NOPROTO", "UNBLOCKED", "EXECABORT"))
"""Errors that a program expects: a group that already exists, a greeting that an old server doesn't know.

An EXECABORT follows the error of a queued command.
"""
GREETING = frozenset(("hello", "client", "auth", "command", "config", "cluster", "sentinel", "info", "ping"))
"""Commands that a library sends by itself when it connects, and can do without if refused."""
SAVES = frozenset(("bgsave", "save", "bgrewriteaof"))
"""Commands that are refused while another save runs, which isn't their sender's mistake."""
OF_REPLICAS = frozenset(("replconf", "psync", "sync", "migrate", "restore-asking"))
"""Commands of a replica, or of a move of slots: what is refused of them is between two servers, and no application's
mistake."""
_NOT_MEANT = GREETING | SAVES | OF_REPLICAS
_EVALSHA = ("evalsha", "evalsha_ro")
_FCALL = ("fcall", "fcall_ro")
LONGEST_ARGUMENT, USUAL_LONGEST = "proto-max-bulk-len", 512 << 20
"""The parameter that limits an argument, and its default in bytes."""
TOO_LONG = deferred(
    r"protocol error|bulk length|too (long|big|large)|\bupload|\b(large|big|huge|long) "
    r"(value|report|file|document|object|image|payload|key|message|blob|request|entr|item)|broken pipe",
    re.IGNORECASE,
)
"""Words for a refused argument."""
GREETED_BEFORE = (7, 2)
"""The first version that supports CLIENT SETINFO, with which libraries introduce themselves."""
LEAST_GREETED, MOST_GREETED = 1.8, 3.2
"""Refusals per new connection: of a library's name and version, and of one more thing by some."""


def greetings_refused(view: View) -> bool:
    """Whether all ERR errors are an older server's answers to a newer library that introduces itself."""
    version = re.match(r"(\d{1,4})\.(\d{1,4})", view.text("info", "redis_version"))
    connections = view.number("info", "total_connections_received.delta") or 0
    count = view.number("info", "errorstat_ERR.count.delta") or 0
    if version is None or (int(version[1]), int(version[2])) >= GREETED_BEFORE or not connections:
        return False
    return not _failing(view) and LEAST_GREETED <= count / connections <= MOST_GREETED


def who(view: View, command: str) -> tuple[str, tuple[Cited, ...]]:
    """The clients whose last command was this one, as "name at address", and the fields for it; empty if not seen."""
    word = command.replace("|", ":")
    for number in range(1, 21):
        at = f"o{number}"
        if view.get("clients", f"{at}.count") is None:
            break
        if word in view.text("clients", f"{at}.cmds").split():
            name, address = view.text("clients", f"{at}.name"), view.text("clients", f"{at}.address")
            cited = (("clients", f"{at}.name"), ("clients", f"{at}.address"), ("clients", f"{at}.cmds"))
            return (f"{name} at {address}" if name else address), cited
    return "", ()


def _failing(view: View) -> dict[str, float]:
    """Calls over the window that failed or were refused, by command, without those of a library's greeting."""
    found: dict[str, float] = {}
    for field in view.fields("commandstats"):
        name, _, kind = field.removesuffix(".delta").rpartition(".")
        if not field.endswith(".delta") or kind not in ("failed_calls", "rejected_calls"):
            continue
        if (count := view.number("commandstats", field)) and name.partition("|")[0] not in _NOT_MEANT:
            found[name] = found.get(name, 0) + count
    return found


def _share(view: View, command: str, failed: float) -> float:
    """The share of a command's calls over the window that failed; refused calls aren't counted."""
    calls = view.number("commandstats", f"{command}.calls.delta") or 0
    refused = view.number("commandstats", f"{command}.rejected_calls.delta") or 0
    return min(1.0, failed / max(1.0, calls + refused))


def _counted(view: View) -> Iterator[tuple[str, float]]:
    for field in view.errors("info"):
        match = re.fullmatch(r"errorstat_([\w#-]{1,64})\.count\.delta", field)
        if match and (count := view.number("info", field)):
            yield match[1], count


def function_missing(view: View, limits: Limits) -> Found:
    """FCALL fails although the server has no function at all: nobody loaded the library here."""
    loaded = view.number("memory", "number_of_functions")
    failed = sum(view.number("commandstats", f"{name}.failed_calls.delta") or 0 for name in _FCALL)
    calls = sum(view.number("commandstats", f"{name}.calls.delta") or 0 for name in _FCALL)
    if loaded != 0 or failed < limits["errors_of_a_client"] or failed < limits["errors_share"] * calls:
        return
    by, clients = who(view, "fcall")
    why = f"{failed:.0f} calls of FCALL failed over the window, and this server has no function"
    why += f" (number_of_functions is 0){f'; {by} sends them' if by else ''}"
    cited: list[Cited] = [("memory", "number_of_functions"), ("memory", "number_of_libraries")]
    cited += [("commandstats", f"{name}.{of}.delta") for name in _FCALL for of in ("failed_calls", "calls")]
    cited += [("info", "errorstat_ERR.count.delta"), ("info", "uptime_in_seconds"), *clients]
    yield view.cause("script-missing", 0.95, f"{why}.", *cited)


def script_missing(view: View, limits: Limits) -> Found:
    """EVALSHA of scripts that the server doesn't have, again and again: nobody reloads them."""
    count = view.number("info", "errorstat_NOSCRIPT.count.delta")
    if view.number("info", "total_error_replies") is None and count is None:
        return
    calls = sum(view.number("commandstats", f"{name}.calls.delta") or 0 for name in _EVALSHA)
    cited: list[Cited] = [
        ("info", "errorstat_NOSCRIPT.count.delta"), ("commandstats", "evalsha.failed_calls.delta"),
        ("commandstats", "evalsha.calls.delta"), ("memory", "number_of_cached_scripts"),
    ]  # fmt: skip
    if not count:
        return
    done = calls or view.number("info", "total_commands_processed.delta") or count
    share = min(1.0, count / max(1.0, done))
    why = (
        f"{count:.0f} calls over the window, {share:.0%} of {'EVALSHA' if calls else 'all'}, named a script that isn't"
    )
    why += " loaded (NOSCRIPT)"
    told, more = _lost(view)
    by, clients = who(view, "evalsha")
    why += f", sent by {by}" if by else ""
    why += f"; {told}." if told else "."
    cited += [*more, *clients]
    if count >= limits["errors_of_a_client"] and share >= limits["errors_share"]:
        yield view.cause("script-missing", 0.95, f"{why} The client doesn't reload it.", *cited)
    elif count >= limits["errors_of_a_client"] and share >= limits["errors_share_few"]:
        yield view.cause("script-missing", 0.7, why, *cited)
    else:
        because = f"{why} An occasional one is normal: it tells a client to load its script."
        yield view.cause("script-missing", 0.2, because, *cited)


def _lost(view: View) -> tuple[str, tuple[Cited, ...]]:
    """How the scripts were lost, as far as known."""
    flushed = view.number("commandstats", "script|flush.calls")
    if flushed:
        return f"SCRIPT FLUSH was called {times(flushed)}", (("commandstats", "script|flush.calls"),)
    dropped = view.number("info", "evicted_scripts.delta")
    if dropped:
        return (
            f"the server drops scripts loaded by EVAL to make room for newer ones ({dropped:.0f} over the window)",
            (("info", "evicted_scripts.delta"),),
        )
    offset = view.number("info", "second_repl_offset")
    if offset is not None and offset > 0 and view.text("info", "role") == "master":
        return (
            "this node was a replica until a failover, and scripts aren't copied to replicas",
            (("info", "second_repl_offset"), ("info", "role")),
        )
    up = view.number("info", "uptime_in_seconds")
    if up is not None and up < 7 * 86_400:
        return f"it started {_ago(up)} ago, and a server starts without scripts", (("info", "uptime_in_seconds"),)
    return "", ()


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def client_errors(view: View, limits: Limits) -> Found:
    """A large share of one command's calls fail with one error: somebody sends what this server can't do."""
    counted = dict(_counted(view))
    errors = {name: count for name, count in counted.items() if name not in ELSEWHERE | CUSTOMARY}
    if "ERR" in errors and greetings_refused(view):
        del errors["ERR"]
    if "ERR" in errors:
        saves = sum(view.number("commandstats", f"{name}.failed_calls.delta") or 0 for name in SAVES)
        errors["ERR"] -= min(errors["ERR"], saves)
    if not errors and "EXECABORT" in counted and not set(counted) & ELSEWHERE:
        errors = {"EXECABORT": counted["EXECABORT"]}
    least = limits["errors_of_a_client"]
    found = [(name, count) for name, count in errors.items() if count >= least]
    if not found:
        return
    name, count = max(found, key=lambda one: one[1])
    failing = _failing(view)
    # Calls refused because of the server's state fail too: only a command with as many failures as errors is meant.
    near = [one for one in failing if abs(failing[one] - count) <= max(2.0, 0.25 * count)]
    alone = not set(counted) & ELSEWHERE and len(errors) == 1
    command = max(near or (list(failing) if alone else []), key=failing.__getitem__, default="")
    cited: list[Cited] = [("info", f"errorstat_{name}.count.delta")]
    meant, shown = meaning_of(view, name, command)
    meaning = f" ({meant})" if meant else ""
    cited += shown
    if command:
        share = _share(view, command, failing[command])
        by, clients = who(view, command)
        why = f"{count:.0f} calls over the window failed with {name}{meaning}: {share:.0%} of {command.upper()}'s calls"
        why += f", which {by} sends." if by else "; CLIENT LIST didn't show who sends them."
        cited += [
            ("commandstats", f"{command}.failed_calls.delta"), ("commandstats", f"{command}.rejected_calls.delta"),
            ("commandstats", f"{command}.calls.delta"), *clients,
        ]  # fmt: skip
        large, some = share >= limits["errors_share"], share >= limits["errors_share_few"]
    else:
        # A server keeps no figures for a command it doesn't know.
        done = view.number("info", "total_commands_processed.delta") or count
        share = min(1.0, count / max(1.0, done))
        unknown = name == "ERR" and not failing
        what: str = "a command or form that this server doesn't know" if unknown else "which command isn't known"
        if unknown and (limit := _too_long(view)):
            what, refused = limit
            why = f"{count:.0f} requests over the window were refused: {what}."
            yield view.cause("query-buffer-hog", 0.92, why, *refused, *cited)
            return
        why = f"{count:.0f} calls over the window failed with {name}, {share:.1%} of all: {what}."
        cited += [("info", "total_commands_processed.delta"), ("info", "total_error_replies.delta")]
        large, some = share >= limits["errors_share_few"], share >= limits["errors_share_all"]
        greeting = any(
            view.number("commandstats", field)
            for field in view.fields("commandstats")
            if field.endswith(("failed_calls.delta", "rejected_calls.delta"))
            and re.split(r"[|.]", field)[0] in _NOT_MEANT
        )
        if greeting:
            return
    if large and command and fails_on_replica(view, name, command):
        said = mention(READONLY, view.symptom) is not None
        told = f"{count:.0f} calls of {command.upper()} failed over the window, and this server is a replica of "
        told += f"{view.text('replication', 'master_host')}: before 7.0 a script that writes fails there with ERR, "
        told += "and READONLY is only in its text. Commands that read work"
        told += f"; {by} sends them." if by else "."
        more: list[Cited] = [("replication", "role"), ("replication", "master_host"), *cited]
        yield view.cause("replica-write-or-stale", 0.93 if said else 0.8, told, *more)
    elif large:
        yield view.cause("client-errors", 0.92, why, *cited)
    elif some:
        yield view.cause("client-errors", 0.7, why, *cited)


def _too_long(view: View) -> tuple[str, tuple[Cited, ...]] | None:
    """What refuses arguments for their length, if it is set lower than usual and the report speaks of it."""
    tool, field = "config_drift", f"{LONGEST_ARGUMENT}.running"
    if view.number(tool, field) is None:
        tool, field = "config_get", LONGEST_ARGUMENT
    limit = view.number(tool, field)
    if limit is None or limit >= USUAL_LONGEST or not TOO_LONG.search(view.symptom):
        return None
    what = (
        f"{LONGEST_ARGUMENT} is {size(limit)} here instead of the usual 512 MiB, and an argument longer than that is "
        "answered with a protocol error that ends its connection"
    )
    return what, ((tool, field), ("symptom", "text"))


def failing_command(view: View) -> tuple[str, ...]:
    """The command with most failures over the window, with who sends it."""
    failing = _failing(view)
    if not failing:
        return ("the refused command (INFO commandstats shows which one fails)",)
    command = max(failing, key=failing.__getitem__)
    by, _ = who(view, command)
    return (f"{command.upper()} by {by}" if by else command.upper(),)


def script_caller(view: View) -> tuple[str, ...]:
    """Who calls scripts by their hash."""
    by = who(view, "evalsha")[0] or who(view, "fcall")[0]
    return (by or "the application that calls EVALSHA or FCALL",)


def script_writer(view: View) -> tuple[str, ...]:
    """Who loads scripts."""
    seen = (who(view, command)[0] for command in ("eval", "script|load", "script", "function|load"))
    return (next((by for by in seen if by), "the application that sends EVAL or SCRIPT LOAD"),)


FAMILY = Family(
    checks=(script_missing, function_missing, client_errors),
    needs={"script-missing": ("info", "commandstats"), "client-errors": ("info", "commandstats")},
    consequences={"script-missing": {"client-errors": 0.5}},
    placeholders=(
        Placeholder(name="failing_command", example="LPUSH by orders at 10.0.0.5", values=failing_command),
        Placeholder(name="script_caller", example="orders at 10.0.0.5", values=script_caller),
        Placeholder(name="script_writer", example="orders at 10.0.0.5", values=script_writer),
    ),
)
