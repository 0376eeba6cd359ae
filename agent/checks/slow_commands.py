"""Slow commands: which, on what key, at what cost and by whom, and what takes long without holding anybody up."""

import re
from collections import Counter
from collections.abc import Mapping

from agent.checks.freeing import frees
from agent.checks.held_up import in_threads, noticed
from agent.checks.senders import sender
from agent.checks.slow_remedies import QUICK, SCRIPTS, WHOLE, Work, monitor_of, remedy_of, unpatterned, unwanted_of
from agent.checks.types import Found, Limits, Placeholder
from agent.checks.words import SLOW, TIMED_OUT
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred
from tools.server.command_classes import known_class

NOT_WORK = frozenset(
    ("INFO", "CLIENT", "CONFIG", "SLOWLOG", "COMMANDLOG", "PING", "AUTH", "SUBSCRIBE", "REPLCONF", "EXEC", "BGSAVE",
     "BGREWRITEAOF", "PSYNC", "SYNC")
)  # fmt: skip
"""Commands whose cost isn't a client's own work: EXEC by what it contains, others by their fork."""
THRESHOLDS: Mapping[str, float] = {
    "slow_command_usec": 50_000, "cheap_command_usec": 200, "walk_usec": 5_000, "slow_recent_seconds": 600,
    "slow_once_seconds": 10,
}  # fmt: skip
"""The runbook's own value, for the plan, which is derived only from readings; a test keeps the two in step."""
STARVED = 0.6
"""The share of waiting at which a command's duration says more about the machine than about the command."""
MANY_PATTERNS = 1000
"""Number of patterns at which comparing them with each message becomes noticeable: about 0.2 us each."""
HELD_UP_USEC = 1_000_000
"""Microseconds of one command after which waiting clients give up: client timeouts are about that long."""
BUSY_SHARE = 0.03
"""Share of the window at which a command of ten milliseconds recurs."""
NAMED = deferred(
    r"\b(ft|json|ts)\.\w+|\bv(sim|add)\b|\bsearch\w*|\bquer(y|ies)\b|\baggregat\w*|\bvector\w*|\bsimilarit\w*|"
    r"\bembedding\w*|\brecommend\w*|\btime.?series\b",
    re.IGNORECASE,
)
"""Words for what a module's commands are used for."""


def slow_command(view: View, limits: Limits) -> Found:
    """The slow log and commandstats name one costly command; their durations exclude waiting behind others."""
    best = _best(view, limits)
    if best is None:
        slowest = view.number("slowlog", "max_usec")
        # An empty slow log only means something if it's known to be on.
        known = bool(slowest) or view.number("config_get", "slowlog-log-slower-than") is not None
        if slowest is not None and slowest < limits["slow_command_usec"] and known and not slowlog_off(view):
            because = f"The slowest entry of the slow log took {slowest / 1000:.1f} ms."
            yield view.not_("slow-on-command", because, ("slowlog", "max_usec"), ("slowlog", "newest_age"))
        return
    probability, command, why = best
    low, at = command.lower(), _entry(view, command)
    cited: list[Cited] = [
        ("slowlog", f"{command}.max_usec"), ("slowlog", f"{command}.count"), ("slowlog", f"{command}.newest_age"),
        ("commandstats", f"{low}.usec_per_call.delta"), ("commandstats", f"{low}.usec.delta"),
        ("commandstats", f"{low}.calls.delta"), ("commandstats", f"{low}.usec_per_call"),
    ]  # fmt: skip
    cited += [
        ("slowlog", f"{at}.{field}") for field in ("key", "name", "client") if view.text("slowlog", f"{at}.{field}")
    ]
    if command == "PUBLISH":
        cited.append(("info", "pubsub_patterns"))
    elif _patterned(view, command):
        cited += [("info", "pubsub_patterns"), ("config_get", "notify-keyspace-events")]
    if in_threads(view, low):
        cited += [("latency_sample", "max_ms"), ("process", "main_run_share"), ("process", "main_wait_share")]
        cited += [("info", "used_cpu_user_main_thread.rate"), ("info", "used_cpu_sys_main_thread.rate")]
    yield view.cause("slow-on-command", probability, why, *cited)


def slowlog_off(view: View) -> bool:
    """Whether the slow log is switched off."""
    slower, length = view.number("config_get", "slowlog-log-slower-than"), view.number("config_get", "slowlog-max-len")
    return (slower is not None and slower < 0) or length == 0


def _best(view: View, limits: Limits) -> tuple[float, str, str] | None:
    def rank(found: tuple[float, str, str]) -> tuple[float, float, float]:
        spent = view.number("commandstats", f"{found[1].lower()}.usec.delta") or 0
        return found[0], spent, view.number("slowlog", f"{found[1]}.max_usec") or 0

    return max(_suspects(view, limits), key=rank, default=None)


def _suspects(view: View, limits: Limits) -> list[tuple[float, str, str]]:
    commands = {name for field in view.fields("slowlog") if (name := field.removesuffix(".max_usec")) != field}
    for field in view.fields("commandstats"):
        if (name := field.removesuffix(".calls.delta")) != field:
            commands.add(name.upper())
    commands -= {"TOTAL", "WRITES"}
    found = (_suspect(view, limits, command) for command in sorted(commands))
    return [suspect for suspect in found if suspect is not None]


def _suspect(view: View, limits: Limits, command: str) -> tuple[float, str, str] | None:
    low = command.lower()
    if command.partition("|")[0] in NOT_WORK or frees(view, command):
        return None
    usec = view.number("slowlog", f"{command}.max_usec") or 0
    age = view.number("slowlog", f"{command}.newest_age")
    count = view.number("slowlog", f"{command}.count") or 0
    window = view.number("commandstats", "window_seconds") or 2
    share = (view.number("commandstats", f"{low}.usec.delta") or 0) / 1e6 / window
    each = view.number("commandstats", f"{low}.usec_per_call.delta") or 0
    calls = view.number("commandstats", f"{low}.calls.delta") or 0
    felt = _work(view, command) is not Work.CHEAP and noticed(view, share, each)
    if not (usec or felt) and age is None and each < min(limits["slow_command_usec"] / 10, 2 * limits["walk_usec"]):
        return None
    young = age is not None and age <= limits["slow_recent_seconds"]
    recent = young and usec >= limits["slow_command_usec"]
    leads = (
        view.text("commandstats", "top").upper() == command and (view.number("commandstats", "top_share") or 0) > 0.5
    )
    long = f"{command}{_on(view, command)} took up to {max(usec, each) / 1000:.0f} ms"
    who = _by(view, command)
    if in_threads(view, low):
        asked = mention(NAMED, view.symptom) is not None or command in view.symptom.upper().split()
        why = f"{long}, {each / 1000:.0f} ms a call, in its own threads: only its callers wait{who}."
        slow = each >= limits["slow_command_usec"]
        return (0.7 if slow and asked else 0.4, command, why) if slow or recent else None
    starved = _waited(view)
    least = limits["slow_command_usec"]
    # Commands that walk a whole value are judged by their longest call, all others by the average.
    own = (max(usec, each) if command in WHOLE | SCRIPTS else each) * (1 - starved)
    patterned = _patterned(view, command)
    # What the thread did run of it is a lot by itself.
    heavy = (_work(view, command) is not Work.CHEAP or patterned) and (
        share * (1 - starved) >= 0.2 and each * (1 - starved) >= limits["slow_command_usec"] / 10
    )
    if starved and not heavy and (recent or each >= least) and own < least:
        why = (
            f"{long}, but the server's thread spent {starved:.0%} of its time "
            "waiting for a core: much of it is waiting."
        )
        return 0.45, command, why
    if calls and (each >= limits["slow_command_usec"] or (share >= 0.2 and each >= limits["slow_command_usec"] / 10)):
        costs = f"{long}, {each / 1000:.0f} ms a call on average over {calls:.0f}, and {share:.0%} of the window"
        if patterned:
            each_of = "each message" if command == "PUBLISH" else "the notification of each write"
            why = f"{costs}{who}: {each_of} is compared with all {_patterns(view):.0f} patterns of subscribers."
            return 0.94, command, f"{why} Everything else waits behind it."
        if _work(view, command) is Work.CHEAP:
            why = (
                f"{costs}{who}. The command itself is cheap, so there is something "
                "behind it: a huge value, memory being"
            )
            return 0.6, command, f"{why} freed, or the machine."
        return 0.94, command, f"{costs}{who}; everything else waits behind it."
    if recent and calls and each < 5 * limits["cheap_command_usec"] and command not in WHOLE | SCRIPTS:
        why = f"{long}, yet {each:.0f} us on average over {calls:.0f} calls: something held it up while it ran."
        return 0.4, command, why
    if recent and command in QUICK:
        return 0.4, command, f"{long}, although the command itself is cheap: something held the server up while it ran."
    if recent and count >= 2 and calls:
        return 0.92, command, f"{long}, repeatedly{who}; everything else waits behind it."
    if command in WHOLE and calls and leads and young and each >= limits["walk_usec"]:
        why = f"{long} and most of the server's time, repeatedly{who}; everything else waits behind it."
        return 0.85, command, why
    if recent and count >= 2 and age is not None and age <= 60:
        why = f"{long}, {count:.0f} times, last {age:.0f} s ago{who}; everything else waits behind it."
        return 0.88, command, why
    if recent and command in WHOLE:
        # A one-off is history, unless it has only just happened.
        newly = age is not None and age <= limits["slow_once_seconds"]
        why = f"{long}, last {age:.0f} s ago{who}; everything else waited behind it."
        return 0.65 if newly else 0.4, command, why
    if calls >= 2 and (felt or (each >= 2 * limits["walk_usec"] and share >= BUSY_SHARE)) and not starved:
        # Nobody waits long for one of these, but a report of slowness may well mean them.
        asked = mention(SLOW, view.symptom) is not None
        costs = f"{long}, {each / 1000:.0f} ms a call on average over {calls:.0f}, and {share:.0%} of the window"
        return 0.6 if asked else 0.4, command, f"{costs}{who}; everything else waits behind it."
    if recent and usec >= HELD_UP_USEC and age is not None and age <= limits["slow_once_seconds"]:
        asked = any(mention(words, view.symptom) is not None for words in (SLOW, TIMED_OUT))
        why = f"{long} once, {age:.0f} s ago{who}, and nobody was served in the meantime; it isn't running now."
        return 0.6 if asked else 0.4, command, why
    if recent:
        return 0.4, command, f"{long} once, {age:.0f} s ago, and not within the window."
    return None


def _patterns(view: View) -> float:
    return view.number("info", "pubsub_patterns") or 0


def _patterned(view: View, command: str) -> bool:
    """Whether it sends messages that are compared with very many patterns: as its work, or of each key that it
    changes."""
    known = known_class(command.lower())
    notifies = bool(view.text("config_get", "notify-keyspace-events")) and known is not None and known.writes
    return (command == "PUBLISH" or notifies) and _patterns(view) >= MANY_PATTERNS


def _waited(view: View) -> float:
    """The share of the main thread's working time spent waiting for a core; 0 if small or unknown.

    The server's figures are wall time, so they contain that much waiting.
    """
    run, wait = view.number("process", "main_run_share"), view.number("process", "main_wait_share")
    if run is None or wait is None or run + wait < 0.1:
        return 0.0
    share = wait / (run + wait)
    return share if share >= STARVED else 0.0


def _entry(view: View, command: str) -> str:
    """The position of a command's newest slow log entry, such as `e3`; a nonexistent one if there is none."""
    rows = view.rows("slowlog", "e").items()
    return next((f"e{number}" for number, row in rows if row.get("command") == command), "e1")


def _entries(view: View, command: str, *fields: str) -> tuple[str, ...]:
    """The most common values of some fields of a command's slow log entries; empty for unknown ones."""
    own = (row for row in view.rows("slowlog", "e").values() if row.get("command") == command)
    seen = Counter(values for row in own if any(values := tuple(str(row.get(field) or "") for field in fields)))
    return seen.most_common(1)[0][0] if seen else ("",) * len(fields)


def _key(view: View, command: str) -> str:
    return _entries(view, command, "key")[0]


def _caller(view: View, command: str) -> str:
    name, address = _entries(view, command, "name", "client")
    return " at ".join(filter(None, (name, address)))


def _on(view: View, command: str) -> str:
    return f" on {key}" if (key := _key(view, command)) else ""


def _by(view: View, command: str) -> str:
    return f", sent by {who}" if (who := _caller(view, command)) else ""


def _work(view: View, command: str) -> Work:
    """What kind of work a command is."""
    own = (row.get("args") for row in view.rows("slowlog", "e").values() if row.get("command") == command)
    arguments = max((number for number in own if isinstance(number, int | float)), default=0)
    module = view.get("commandstats", f"{command.lower()}.module") is True
    return Work.of(command, int(arguments), module=module)


def _slow(view: View) -> str:
    best = _best(view, THRESHOLDS)
    return best[1] if best else ""


def _remedy(view: View) -> tuple[str, ...]:
    """What the sender of the slow command should do, by its kind and key."""
    if not (command := _slow(view)):
        return ()
    who = _caller(view, command) or "the application"
    if _patterned(view, command):
        return (unpatterned(_patterns(view), sender(view, "psubscribe") or "those who subscribe"),)
    return (remedy_of(command, _work(view, command), _key(view, command), who),)


def _unwanted(view: View) -> tuple[str, ...]:
    """What an application never needs, as an ACL rule; never a command it depends on."""
    return unwanted_of(_slow(view))


def _watched_from(view: View) -> tuple[str, ...]:
    """The milliseconds from which the latency monitor should record what delayed a cheap command."""
    command = _slow(view)
    off = view.number("config_get", "latency-monitor-threshold") == 0
    if _patterned(view, command):
        return ()
    return monitor_of(_work(view, command)) if command and off else ()


PLACEHOLDERS = (
    Placeholder(name="slow_remedy", example="In checkout-api replace KEYS with SCAN.", values=_remedy),
    Placeholder(name="unwanted_command", example="-keys", values=_unwanted),
    Placeholder(name="latency_monitor_ms", example="100", values=_watched_from),
)
