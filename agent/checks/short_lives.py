"""How runs of a server ended: told to soon after each start, or by an error of their own."""

from agent.answer.diagnosis import Cause
from agent.checks.types import Found, Limits
from agent.checks.words import RESTARTS
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View

LEAST, RECENT = 2, 1800.0
"""Runs in a row that were told to end, and seconds since the last of them, that make a habit of it."""
STOPS: tuple[Cited, ...] = (
    ("log", "stops.count"), ("log", "stops.asked"), ("log", "stops.longest"), ("log", "stops.newest_age"),
    ("log", "stops.served"),
)  # fmt: skip


FATAL = {
    "module_failed": "a module couldn't be loaded, or its data (its own, or a primary's that it copied) needs a module "
    "that it doesn't have",
    "aof_write_error": "it couldn't write its append-only file",
    "start_refused": "it couldn't use the file of the cluster's nodes, or create its threads",
}
"""What the last event of a log that ends in a fatal error says."""


def fatal(view: View) -> str:
    """What a log that ends in a fatal error says last, where there are words for it."""
    return FATAL.get(view.text("log", "last1.event"), "") if view.get("log", "end") == "failed" else ""


def ended_again(view: View) -> tuple[str, bool] | None:
    """That the newest runs were all told to end soon after their start, as a sentence, and whether they ever served."""
    count, asked = view.number("log", "stops.count") or 0, view.number("log", "stops.asked") or 0
    age, longest = view.number("log", "stops.newest_age"), view.number("log", "stops.longest")
    if count < LEAST or asked < LEAST or age is None or age > RECENT or longest is None:
        return None
    served = (view.number("log", "stops.served") or 0) > 0
    when = "soon after they were ready" if served else "before they had loaded their data"
    why = (
        f"According to its log its last {count:.0f} runs were each told to shut down (SIGTERM or SHUTDOWN) {when}, "
        f"{longest:.0f} s after their start at most, the last one {age:.0f} s ago: something else ends it."
    )
    return why, served


def ended_soon(view: View, limits: Limits) -> Found:
    """A server that serves, and whose runs before were each ended from outside."""
    if view.number("info", "uptime_in_seconds") is None or (found := ended_again(view)) is None:
        return
    likely = 0.9 if mention(RESTARTS, view.symptom) else 0.7
    yield view.cause("process-down", likely, found[0], *STOPS, ("info", "uptime_in_seconds"))


def is_ended_again(cause: Cause) -> bool:
    """Whether a cause is that something keeps ending the server."""
    return any(one.field == STOPS[0][1] for one in cause.evidence)
