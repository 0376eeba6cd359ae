"""Libraries that introduce themselves to a server too old for that, and give up when it refuses."""

import re

from agent.checks.types import Family, Found, Limits
from agent.evidence.view import View
from tools.patterns import deferred

CANT_CONNECT = deferred(
    r"\b(?:can(?:no|['\u2019])?t|could(?:n['\u2019]t| not)|unable to|fail(?:s|ed|ing)? to|won['\u2019]t|refuses? to)"
    r" (?:\w+ )?(?:connect|start|boot|initiali[sz]e|come up)|\bconnection (?:fails|failed|failure)|"
    r"\bSETINFO\b|\bHELLO\b",
    re.IGNORECASE,
)
"""Words of people whose client doesn't come up: "can't connect" is what they see, not a denial."""
KNOWS = (7, 2)
"""The first version that knows CLIENT SETINFO."""
OF_NEW = 0.9


def greeting_refused(view: View, limits: Limits) -> Found:
    """Each new connection's CLIENT SETINFO is refused, and the report is about connecting."""
    version = re.match(r"(\d{1,4})\.(\d{1,4})", view.text("info", "redis_version"))
    if version is None or (int(version[1]), int(version[2])) >= KNOWS:
        return
    failed = view.number("commandstats", "client.failed_calls.delta") or 0
    failed += view.number("commandstats", "client.rejected_calls.delta") or 0
    new = view.number("info", "total_connections_received.delta") or 0
    if failed < limits["errors_of_a_client"] or failed < OF_NEW * new:
        return
    if not CANT_CONNECT.search(view.symptom):
        return
    why = (
        f"{failed:.0f} calls of CLIENT were refused over the window, for {new:.0f} new connections: a newer library"
        f" introduces itself with CLIENT SETINFO, which came with 7.2 and which this one ({version[0]}) doesn't know."
        " Most libraries go on without it; one that takes the refusal for a failed login never connects"
    )
    yield view.cause(
        "client-errors", 0.75, f"{why}.", ("commandstats", "client.failed_calls.delta"),
        ("commandstats", "client.rejected_calls.delta"), ("info", "total_connections_received.delta"),
        ("info", "redis_version"), ("symptom", "text"),
    )  # fmt: skip


FAMILY = Family(checks=(greeting_refused,), needs={})
