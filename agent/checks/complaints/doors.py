"""Where and by whom a server can be reached, compared with the report and with what was done there."""

from collections.abc import Iterator

from agent.checks.addresses import FROM_ELSEWHERE, asked_address, is_local_only
from agent.checks.complaints.complaint import Complaint, complaint
from agent.checks.exposure import exposed
from agent.checks.types import Limits
from agent.checks.words import REFUSED
from agent.evidence.report_words import mention
from agent.evidence.view import View
from tools.patterns import deferred

FOREIGN = deferred(r"/(etc|usr|bin|sbin|boot|proc|sys|root/\.ssh|home/[^/]+/\.ssh|var/spool/cron\w*|var/www)(/.*)?")
"""Folders in which nobody keeps a server's data."""


def doors(view: View, limits: Limits) -> Iterator[Complaint]:
    """A refused connect where it isn't known to listen, a system folder, and an open door that was used."""
    listens = ("process", "listens_at")
    if view.get("process", "listening") is True and mention(REFUSED, view.symptom):
        if asked := asked_address(view):
            yield complaint(f"the report is about a refused connection, and nothing listens at {asked}", listens)
        elif is_local_only(view) and mention(FROM_ELSEWHERE, view.symptom):
            yield complaint(
                "the report is about connections refused elsewhere, and the server listens only here", listens
            )
    folder = view.text("persistence", "config.dir")
    if FOREIGN.fullmatch(folder):
        yield complaint(f"its data is written to {folder}", ("persistence", "config.dir"))
    servers = view.number("same_server", "runs") or 0
    if servers > 1 and "master" in view.text("same_server", "roles").split(","):
        yield complaint(
            f"connections to this one address reach {servers:.0f} different servers",
            ("same_server", "runs"), ("same_server", "roles"),
        )  # fmt: skip
    if not exposed(view):
        return
    for name, kind in (("flushall", "calls"), ("config|set", "failed_calls")):
        if count := view.number("commandstats", f"{name}.{kind}"):
            told = "was called" if kind == "calls" else "failed"
            yield complaint(
                f"anyone who can reach {view.text('config_drift', 'bind') or 'it'} "
        f"may do everything, and {name.upper()} "
                f"{told} {count:.0f} times",
                ("commandstats", f"{name}.{kind}"), ("config_drift", "bind"),
            )  # fmt: skip
