"""Settings that differ from what a restart would bring."""

import re

from agent.checks.types import Family, Found, Limits
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View

RESTART_WORDS = re.compile(
    r"\b(restart\w*|reboot\w*|redeploy\w*|fail-?over|new pod|rescheduled|start(s|ed)? (again|anew)|power cut)\b",
    re.IGNORECASE,
)
BACK_WORDS = re.compile(
    r"\b(back|again|return(s|ed)?|revert\w*|forg[eo]t\w*|lost|old (value|setting|limit)s?|each time|every time|"
    r"after (each|every)|surviv\w*|persist\w*|default\w*)\b",
    re.IGNORECASE,
)
"""Together with a restart: what was fixed doesn't stay so."""
FILE_WORDS = re.compile(
    r"config(uration)? (file )?(and|differs|drift)|redis\.conf|valkey\.conf|config set\b.*\b(last|stay|survive|file)|"
    r"setting.*(not|isn't|never) (applied|in the file|kept)",
    re.IGNORECASE,
)
SHOWN = 6


def drifted(view: View) -> list[str]:
    """The parameters whose running value isn't the file's, as far as they're shown."""
    found = (re.fullmatch(r"(.+)\.(running|differs)", field) for field in view.fields("config_drift"))
    return list(dict.fromkeys(match[1] for match in found if match))


def config_drift(view: View, limits: Limits) -> Found:
    """What runs isn't what the file says: a hint by itself, the cause where the trouble came with a restart."""
    reading = view.last("config_drift")
    if reading is None or reading.unavailable:
        return
    names = drifted(view)
    counted: tuple[Cited, ...] = (
        ("config_drift", "drifted"), ("config_drift", "only_running"), ("config_drift", "config_file"),
    )  # fmt: skip
    if not names:
        if view.number("config_drift", "drifted") == 0 and not view.number("config_drift", "includes_unread"):
            yield view.not_("config-drift", "What runs is what the configuration file says.", *counted[::2])
        return
    # What the ticket names comes first.
    reported = [
        name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", view.symptom, re.IGNORECASE)
    ]
    names = [*reported, *(name for name in names if name not in reported)]
    cited: tuple[Cited, ...] = (
        *counted,
        *(("config_drift", f"{name}.{what}") for name in names[:3] for what in ("file", "running", "differs")),
    )  # fmt: skip
    in_file = any(view.text("config_drift", f"{name}.file") != "" for name in names)
    without = view.get("config_drift", "config_file") == ""
    why = f"{', '.join(names[:SHOWN])} {'run' if len(names) > 1 else 'runs'} with another value than the file's"
    why += ": the server was started without a file, so" if without else ", so"
    why += " a restart brings the old one back."
    if speaks_of_settings(view.symptom):
        # What an argument of the command line set is in no file either, and comes back by itself.
        yield view.cause("config-drift", 0.93 if in_file else 0.8, why, *cited, ("symptom", "text"))
    else:
        yield view.cause("config-drift", 0.55 if reported else 0.3, why, *cited)


def speaks_of_settings(symptom: str) -> bool:
    """Whether a report is of settings that don't last, or of the file."""
    returns = mention(RESTART_WORDS, symptom) and BACK_WORDS.search(symptom)
    return returns is not None or FILE_WORDS.search(symptom) is not None


FAMILY = Family(
    checks=(config_drift,),
    needs={
        "config-drift": ("config_drift",),
    },
)  # fmt: skip
