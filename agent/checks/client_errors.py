"""What clients' own errors say, and which cause that would be where nobody could look at the server."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agent.answer.open_points import ClientSays
from agent.checks.types import Family, Found, Limits
from agent.evidence.view import CLIENT_ERRORS, Cited, View
from tools.records import Scalar

CITED = ("library", "name", "stage", "side", "workers_busy", "workers_min", "workers_queued", "unanswered", "pool_idle",
         "pool_size", "pool_waiting", "code", "endpoint")  # fmt: skip
"""Fields of an error that a finding rests on."""
STARVES = frozenset(("reply-timeout", "backlog-timeout", "unsent", "lock-lost"))
"""Errors that a client whose threads or event loop have no time makes."""
SUGGESTS: Mapping[str, tuple[str, float]] = {
    "out-of-memory": ("oom-noeviction", 0.4), "read-only": ("replica-write-or-stale", 0.4),
    "loading": ("loading-dataset", 0.45), "script-running": ("lua-busy", 0.45),
    "saving-fails": ("bgsave-disk-full", 0.35), "primary-down": ("replica-link-down", 0.4),
    "too-few-replicas": ("noreplicas", 0.45), "cluster-down": ("cluster-slots-down", 0.45),
    "clients-full": ("maxclients-exhausted", 0.45), "protected-mode": ("protected-mode-denied", 0.45),
    "no-password": ("auth-failure", 0.45), "wrong-password": ("auth-failure", 0.45),
    "no-permission": ("auth-failure", 0.45), "moved": ("non-cluster-client", 0.4),
    "cross-slot": ("non-cluster-client", 0.4), "no-script": ("script-missing", 0.45),
    "unresolved": ("outside-redis", 0.45), "unreachable": ("outside-redis", 0.4), "refused": ("process-down", 0.4),
    "tls": ("tls-mismatch", 0.45), "connect-timeout": ("firewall-drop", 0.35),
    "slots-unknown": ("announced-address-unreachable", 0.35), "wrong-type": ("client-errors", 0.4),
    "no-group": ("client-errors", 0.4), "unknown-command": ("client-errors", 0.4),
}  # fmt: skip
"""By error: the cause that it would be, and how likely by the words alone."""


IS_REPLICA = 0.75
"""How likely a client writes to a replica where the server says that it is one."""


class Said(NamedTuple):
    """One error that clients report."""

    at: str
    """Its place in the reading, such as e1."""
    values: Mapping[str, Scalar]

    @property
    def means(self) -> str:
        """What it says, as a part of a sentence about the client."""
        return str(self.values.get("means", ""))

    @property
    def cited(self) -> tuple[Cited, ...]:
        """The fields that show it."""
        return tuple((CLIENT_ERRORS, f"{self.at}.{name}") for name in CITED if name in self.values)


def said(view: View) -> Iterator[Said]:
    """The errors that clients report, the surest first."""
    for number, values in view.rows(CLIENT_ERRORS, "e").items():
        yield Said(f"e{number}", values)


def pool_reported(view: View) -> Said | None:
    """An error by which the client's own pool has no connection left."""
    return next((one for one in said(view) if one.values.get("name") == "pool-empty"), None)


def starved_reported(view: View) -> Said | None:
    """An error by which the client's own threads or its event loop have no time."""
    return next(
        (one for one in said(view) if one.values.get("name") in STARVES and one.values.get("side") == "client"), None
    )


def has_counters(view: View) -> bool:
    """Whether a client counts its own threads: what it's made of is more than its words."""
    return any("workers_busy" in one.values for one in said(view))


def suggested(view: View, limits: Limits) -> Found:
    """Where the server itself wasn't looked at, as by a paste of an error: what the error would mean."""
    if view.unavailable("process") != "not-pasted" or view.number("info", "total_commands_processed") is not None:
        return
    looked = view.unavailable("info") is None and view.last("info") is not None
    for one in said(view):
        id, likely = SUGGESTS.get(str(one.values.get("name")), ("", 0.0))
        if id == "replica-write-or-stale" and view.text("replication", "role") == "slave":
            why = f"{_whose(one)} says that {one.means}, and the server is a replica."
            yield view.cause(id, IS_REPLICA, why, ("replication", "role"), ("replication", "master_host"), *one.cited)
        elif id and not (id == "replica-write-or-stale" and looked and view.text("replication", "role")):
            beside = "the server's own counters weren't pasted" if looked else "the server itself wasn't looked at"
            why = f"{_whose(one)} says that {one.means}; {beside}."
            yield view.cause(id, likely, why, ("symptom", "text"), *one.cited)


def client_says(view: View) -> tuple[ClientSays, ...]:
    """What clients' errors say, in a sentence each."""
    return tuple(
        ClientSays(
            told=f"{_whose(one)} says: {one.means}{_figures(one.values)}.", library=str(one.values.get("library", "")),
            stage=str(one.values.get("stage", "")), side=str(one.values.get("side", "")),
            weight=float(str(one.values.get("weight", 0))), evidence=view.cite(*one.cited),
        )
        for one in said(view)
    )  # fmt: skip


def _whose(one: Said) -> str:
    library = str(one.values.get("library", ""))
    return "A client" if library == "a client" else f"The client ({library})"


def _figures(values: Mapping[str, Scalar]) -> str:
    """What it carries that its meaning doesn't say."""
    timeout, count = values.get("timeout_ms"), values.get("count")
    idle, size, waiting = (values.get(f"pool_{name}") for name in ("idle", "size", "waiting"))
    parts = [
        f"error reply {values['code']}" if values.get("code") else "",
        f"at {values['endpoint']}" if values.get("endpoint") else "",
        f"command {values['command']}" if values.get("command") else "",
        f"time-out {float(timeout) / 1000:g} s" if isinstance(timeout, int | float) else "",
        f"{idle} of {size} connections free" if size is not None else "",
        f"{waiting} commands wait for a connection" if waiting else "",
        f"{count:,} times" if isinstance(count, int) and count > 1 else "",
    ]
    told = ", ".join(filter(None, parts))
    return f" ({told})" if told else ""


FAMILY = Family(checks=(suggested,), needs={})
