"""Settings that differ from what a restart would bring."""

import re

from agent.checks.appendonly import since_start
from agent.checks.counted import times as counted_times
from agent.checks.types import Family, Found, Limits
from agent.evidence.managed import service_of
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

RESTART_WORDS = deferred(
    r"\b(restart\w*|reboot\w*|redeploy\w*|fail-?over|new pod|rescheduled|start(s|ed)? (again|anew)|power cut)\b",
    re.IGNORECASE,
)
BACK_WORDS = deferred(
    r"\b(back|again|return(s|ed)?|revert\w*|forg[eo]t\w*|lost|old (value|setting|limit)s?|each time|every time|"
    r"after (each|every)|surviv\w*|persist\w*|default\w*)\b",
    re.IGNORECASE,
)
"""Words that, with a restart, mean that a fix doesn't last."""
FILE_WORDS = deferred(
    r"config(uration)? (file )?(and|differs|drift)|redis\.conf|valkey\.conf|config set\b.*\b(last|stay|survive|file)|"
    r"setting.*(not|isn't|never) (applied|in the file|kept)",
    re.IGNORECASE,
)
SHOWN = 6


def drifted(view: View) -> list[str]:
    """The shown parameters whose running value differs from the file's."""
    found = (re.fullmatch(r"(.+)\.(running|differs)", field) for field in view.fields("config_drift"))
    return list(dict.fromkeys(match[1] for match in found if match))


def config_drift(view: View, limits: Limits) -> Found:
    """The running values aren't those a restart would bring: a hint by itself, the cause if the trouble began with a
    restart.

    Command-line arguments are configuration too. They can't be read (a server overwrites them with its title), but what
    differs without any CONFIG SET call was given there.
    """
    reading = view.last("config_drift")
    if reading is None or reading.unavailable or service_of(view) is not None:
        # A managed server has no file that a person edits.
        return
    names = drifted(view)
    counted: tuple[Cited, ...] = (
        ("config_drift", "drifted"), ("config_drift", "only_running"), ("config_drift", "config_file"),
    )  # fmt: skip
    if not names:
        if view.number("config_drift", "drifted") == 0 and not view.number("config_drift", "includes_unread"):
            yield view.not_("config-drift", "The running values match the configuration file.", *counted[::2])
        return
    calls, edited = view.number("config_drift", "set_calls"), view.get("config_drift", "file_edited") is True
    if calls == 0 and not edited:
        because = (
            "CONFIG SET hasn't been called since startup: the values that differ "
            "from the file come from the command line."
        )
        yield view.not_("config-drift", because, ("config_drift", "set_calls"), *counted)
        return
    given = view.get("config_drift", "from_arguments")
    if given is True and not edited:
        because = (
            "The command line is exactly as long as it is with the values that differ from the file, so they come from "
            "there; whether CONFIG SET was called isn't counted by itself here."
        )
        yield view.not_("config-drift", because, ("config_drift", "from_arguments"), *counted)
        return
    written = [name for name in names if view.text("config_drift", f"{name}.file") != ""]
    if calls == 0:
        # The file is newer than the process: what it doesn't contain comes from the command line, and stays.
        names = written
        if not names:
            return
    # What the report names comes first.
    reported = [
        name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", view.symptom, re.IGNORECASE)
    ]
    names = [*reported, *(name for name in names if name not in reported)]
    cited: tuple[Cited, ...] = (
        *counted,
        *(("config_drift", f"{name}.{what}") for name in names[:3] for what in ("file", "running", "differs")),
    )  # fmt: skip
    cited = (*cited, ("config_drift", "set_calls"), ("config_drift", "file_edited"), ("log", "no_config.count"))
    without = view.get("config_drift", "config_file") == ""
    # If started with neither a file nor an argument, everything that isn't a default was set since.
    bare = without and since_start(view, "no_config") is not None
    # It must have had arguments, since there is no file; which ones can't be known without a count of CONFIG SET calls.
    argued = without and not bare and calls is None and since_start(view, "config_loaded") is not None
    what = f"{', '.join(names[:SHOWN])} {'run' if len(names) > 1 else 'runs'} with"
    if calls == 0:
        why = (
            f"{what} a different value from the file, which was edited after "
            "startup: a restart applies the file's value."
        )
    elif without and not bare:
        why = (
            f"{what} a different value from the built-in one, and the server was "
            "started without a file: what CONFIG SET "
        )
        why += "changed is lost at a restart, and the command-line arguments apply again."
    else:
        why = f"{what} a different value from {'the built-in one' if without else 'the file'}"
        why += ": the server was started without a file, so" if without else ", so"
        why += " a restart brings back the old one."
    sure = bool(written) or bare or (without and bool(calls))
    # Somebody's CONFIG GET, an exporter's too, counts the same as a CONFIG SET before 7.0.
    uncounted = bool(written) and calls is None and reading.has("set_calls") and given is not False
    if given is False:
        why += " The command line has no room for them."
        cited = (*cited, ("config_drift", "from_arguments"))
    if uncounted:
        why += " Unless the command line gave it: whether CONFIG SET was called isn't counted by itself here."
    if speaks_of_settings(view.symptom):
        likely = 0.93 if written else 0.8 if bare else 0.65 if sure else 0.45 if argued else 0.5
        likely = 0.7 if uncounted else likely
        yield view.cause("config-drift", likely, why, *cited, ("symptom", "text"))
    else:
        yield view.cause("config-drift", 0.55 if reported and sure else 0.3 if sure else 0.2, why, *cited)


REWRITE: tuple[Cited, ...] = ("log", "config_rewrite_failed.count"), ("log", "config_rewrite_failed.newest_age")
_LATELY = 86_400.0
"""Seconds for which a file that couldn't be written counts."""


def unkept(view: View, limits: Limits) -> Found:
    """The configuration file can't be written, so what a failover or a person changed at runtime is lost."""
    age, life = view.number(*REWRITE[1]), view.number("log", "started_age")
    if age is None or age > _LATELY or (life is not None and age > life):
        return
    count = view.number(*REWRITE[0]) or 1
    why = (
        f"According to its log it couldn't write its configuration file {counted_times(count)}, the newest time "
        f"{age:.0f} s ago: "
    )
    why += (
        "after a restart this sentinel names the primary, the replicas and the epoch of back then."
        if view.is_sentinel
        else "after a restart it has the role and the settings of back then."
    )
    speaks = speaks_of_settings(view.symptom)
    # A sentinel can't do without; a server's own file may be read-only on purpose.
    likely = 0.93 if view.is_sentinel else 0.9 if speaks else 0.45
    yield view.cause("config-drift", likely, why, *REWRITE, *((("symptom", "text"),) if speaks else ()))


def speaks_of_settings(symptom: str) -> bool:
    """Whether a report is about settings that don't last, or about the file."""
    returns = mention(RESTART_WORDS, symptom) and BACK_WORDS.search(symptom)
    return returns is not None or FILE_WORDS.search(symptom) is not None


FAMILY = Family(
    checks=(config_drift, unkept),
    needs={
        "config-drift": ("config_drift",),
    },
)  # fmt: skip
