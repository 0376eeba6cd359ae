"""Clients: who is connected, and who is kept out."""

import re

from agent.checks.from_history import connections
from agent.checks.listening import where
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.versus_baseline import against, risen, weigh
from agent.checks.words import CONNECTIONS_CLIMB
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View

DEFAULT_MAXCLIENTS = 10000
RESERVED_FDS = 32
"""File descriptors that the server reserves: maxclients can't exceed the limit minus these."""
REFUSALS = ("MISCONF", "OOM", "READONLY", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "NOAUTH", "WRONGPASS", "NOPERM")
"""Errors after which an application drops its connection and reconnects, although it has a pool."""
FEW_CLIENTS = 8
"""Fewer connected clients than this can't be a leak even if they grow: the check requires as many of one owner."""


def exhausted(view: View) -> tuple[bool, float | None]:
    """Whether the server turns clients away, and the share of maxclients in use where that is known."""
    refused = view.first_unavailable("maxclients") is not None
    rejected = view.number("info", "rejected_connections.delta") or 0
    limit, clients = view.number("info", "maxclients"), view.number("info", "connected_clients")
    if not limit or clients is None:
        return refused or rejected > 0, None
    used = clients + sum(view.number("info", field) or 0 for field in ("connected_slaves", "cluster_connections"))
    return refused or rejected > 0 or used >= limit, used / limit


def maxclients(view: View, limits: Limits) -> Found:
    """Rejections now, or every slot taken; rejections since the start are history."""
    full, share = exhausted(view)
    refused = view.first_unavailable("maxclients")
    cited = (
        (refused or "connect", "unavailable"), ("info", "rejected_connections.delta"), ("info", "connected_clients"),
        ("info", "maxclients"), ("process", "num_fds"),
    )  # fmt: skip
    if full:
        limit = view.number("info", "maxclients")
        of = f"{limit:.0f} clients" if limit else "clients"
        why = f"The server has reached its limit of {of} and turns new ones away."
        yield view.cause("maxclients-exhausted", 0.96, why, *cited)
    elif share is not None and share > limits["clients_of_maxclients_share"]:
        why = f"{share:.0%} of maxclients is in use; nobody was turned away over the window."
        yield view.cause("maxclients-exhausted", 0.4, why, *cited[1:])
    elif share is not None and view.number("info", "rejected_connections.delta") is not None:
        because = f"{share:.0%} of maxclients is in use, and no connection was rejected over the window."
        yield view.not_("maxclients-exhausted", because, *cited[1:])


def fd_limit(view: View, limits: Limits) -> Found:
    """maxclients is exactly what the file limit leaves, so raising it with CONFIG SET can't work."""
    soft, fds = view.number("process", "nofile_soft"), view.number("process", "num_fds")
    limit = view.number("info", "maxclients") or view.number("config_get", "maxclients")
    full, _ = exhausted(view)
    cited = (
        ("process", "nofile_soft"), ("process", "num_fds"), ("info", "maxclients"),
        ("info", "rejected_connections.delta"), ("connect", "unavailable"), ("sockets", "established"),
    )  # fmt: skip
    if soft is not None:
        starved = fds is not None and fds >= soft - 2
        clamped = limit == soft - RESERVED_FDS and limit < DEFAULT_MAXCLIENTS
        unread = limit is None and full and soft - RESERVED_FDS < DEFAULT_MAXCLIENTS
        if starved:
            why = (
                f"The process has {fds:.0f} of its {soft:.0f} file descriptors "
                "open, so it can't accept more connections."
            )
            yield view.cause("fd-limit-clamp", 0.97, why, *cited)
        elif clamped or unread:
            why = (
                f"The file limit of {soft:.0f} leaves room for {soft - RESERVED_FDS:.0f} "
                "clients; CONFIG SET can't go above that."
            )
            asked = re.search(r"max ?clients|file descriptor|ulimit|nofile|too many open", view.symptom, re.IGNORECASE)
            yield view.cause("fd-limit-clamp", 0.98 if full else 0.9 if asked else 0.3, why, *cited)
    elif limit and full and _power_of_two(int(limit) + RESERVED_FDS):
        why = f"maxclients is {limit:.0f}, which is a file limit of {limit + RESERVED_FDS:.0f} minus 32."
        yield view.cause("fd-limit-clamp", 0.6, why, *cited)


def _power_of_two(number: int) -> bool:
    return number >= 64 and number & (number - 1) == 0


def leak(view: View, limits: Limits) -> Found:
    """Many clients of one owner that have done nothing since they connected."""
    limit = view.number("info", "maxclients") or DEFAULT_MAXCLIENTS
    growing = (view.number("info", "connected_clients.delta") or 0) > 0
    enough = max(8, min(limits["leak_clients"], limit / 2))
    for number in range(1, 21):
        at = f"o{number}"
        count, unused = view.number("clients", f"{at}.count"), view.number("clients", f"{at}.unused")
        idle = view.number("clients", f"{at}.idle_median")
        if count is None or unused is None or idle is None:
            return
        more = risen(view, limits, f"{at}_clients")
        grown = connections(view, view.text("clients", f"{at}.name"))
        if grown and grown.now < limits["leak_grown_ratio"] * grown.first:
            grown = None
        # Compared with the good day or with the past a handful is enough, if the owner had few then.
        few = unused >= (max(8, enough * 0.4) if growing else 8) and (growing or more or grown)
        # Whether they grow so slowly shows only over a longer time, in which somebody says that they do.
        said = unused >= max(8, enough * 0.4) and mention(CONNECTIONS_CLIMB, view.symptom) is not None
        if unused / count < 0.6 or idle < limits["leak_idle_seconds"] or not (unused >= enough or few or said):
            continue
        owner = view.text("clients", f"{at}.name") or view.text("clients", f"{at}.address")
        why = f"{unused:.0f} of {count:.0f} clients of {owner} have done nothing since they connected"
        cites = [("clients", f"{at}.{field}") for field in ("unused", "count", "idle_median", "address")]
        if not (unused >= enough or few):
            why += "; whether their number grows, as reported, a look of seconds doesn't show."
            yield view.cause("connection-leak", 0.55, why, *cites, ("symptom", "text"))
            return
        why += ", and their number is growing." if growing else "."
        likely = 0.92 if growing else 0.8 if unused >= enough else 0.6
        if grown:
            why += f" According to the history there were {grown.first:.0f} until {grown.until}."
            likely, cites = max(likely, 0.88), [*cites, *grown.cited]
        cause = view.cause("connection-leak", likely, why, *cites, ("info", "connected_clients.delta"))
        yield weigh(view, limits, cause, [f"{at}_clients"], out=True)
        return


@against("connections_per_second")
def churn(view: View, limits: Limits) -> Found:
    """A connection for every few commands."""
    rate = view.number("info", "total_connections_received.rate")
    commands = view.number("info", "total_commands_processed.rate")
    if rate is None or commands is None:
        return
    cited = (
        ("info", "total_connections_received.rate"), ("info", "total_commands_processed.rate"),
        ("info", "used_cpu_sys.rate"), ("info", "used_cpu_user.rate"), ("info", "connected_clients.delta"),
    )  # fmt: skip
    if rate < limits["churn_connections_per_second"]:
        yield view.not_("connection-churn", f"{rate:.1f} new connections a second.", cited[0])
        return
    each = commands / rate
    why = (
        f"{rate:.0f} new connections a second for {commands:.0f} commands a second: {each:.1f} commands per connection."
    )
    refused = sum(view.number("info", f"errorstat_{name}.count.rate") or 0 for name in REFUSALS)
    if refused >= rate / 2:
        # A refused client that reconnects has no other problem.
        yield view.cause("connection-churn", 0.45, why, *cited)
    elif each <= limits["churn_commands_per_connection"]:
        yield view.cause("connection-churn", 0.93, why, *cited)
    elif rate >= 5 * limits["churn_connections_per_second"]:
        yield view.cause("connection-churn", 0.75, why, *cited)
    else:
        yield view.cause("connection-churn", 0.35, why, *cited)


def _maxclients_target(view: View) -> tuple[str, ...]:
    """A higher maxclients that the file limit allows."""
    limit = view.number("info", "maxclients") or view.number("config_get", "maxclients")
    if limit is None:
        return ()
    hard = view.number("process", "nofile_hard")
    target = DEFAULT_MAXCLIENTS if limit < DEFAULT_MAXCLIENTS else 2 * limit
    if hard is not None and hard > 0:
        target = min(target, hard - RESERVED_FDS)
    return (f"{target:.0f}",) if target > limit else ()


def no_leak(view: View, limits: Limits) -> tuple[Cited, ...]:
    """Fewer clients than the check requires of one owner: a handful is enough only if they grow."""
    clients, grown = view.number("info", "connected_clients"), view.number("info", "connected_clients.delta")
    most = view.number("info", "maxclients")
    # An unchanged gauge has no delta.
    enough = FEW_CLIENTS if (grown or 0) > 0 or not most else max(FEW_CLIENTS, min(limits["leak_clients"], most / 2))
    if mention(CONNECTIONS_CLIMB, view.symptom):
        # Then most of a few at rest are enough, too.
        enough = max(8, 0.4 * enough)
    return where(clients is not None and clients < enough, ("info", "connected_clients"))


FAMILY = Family(
    checks=(maxclients, fd_limit, leak, churn),
    needs={
        "maxclients-exhausted": ("info",), "fd-limit-clamp": ("config_get", "process"),
        "connection-leak": ("clients",), "connection-churn": ("info",),
    },
    consequences={
        "connection-churn": {"cpu-saturated": 0.5},
        "fd-limit-clamp": {"maxclients-exhausted": 0.95},
    },
    placeholders=(
        Placeholder(name="maxclients_target", example="10000", values=_maxclients_target),
    ),
)  # fmt: skip
