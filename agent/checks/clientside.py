"""The client's side: a server that is idle while its clients wait, or that gets far more requests than usual."""

import re

from agent.checks.client_errors import has_counters, pool_reported, starved_reported
from agent.checks.cpu import main_thread_share
from agent.checks.crowd import all_seen
from agent.checks.types import Family, Found, Limits
from agent.checks.versus_baseline import as_ever, cited, compared, fallen, risen, times
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

POOL_WORDS = deferred(
    r"no connections? (is |are )?available|max(imum)?connections ?error|maxconnectionserror|"
    # A server that has too many is what an alerting rule says.
    r"(?<!has )(?<!have )(?<!redis )(?<!valkey )too many connections|"
    # The pool of PHP's or another server's own processes or threads holds no connections.
    r"(?<!fpm )(?<!fpm-)(?<!thread )(?<!worker )(?<!process )pool\W+(\w+\W+){0,3}"
    r"(exhaust\w*|timed? ?out|time-?out|full|empty|no idle)|exhausted\W+(\w+\W+){0,3}pool|"
    r"get (a |an )?(jedis |redis )?(resource|connection|client) from (the |a )?(connection )?pool|"
    r"waiting for (a |an idle )?connection|pool ?timeout ?(error|exception)",
    re.IGNORECASE,
)
"""Words of client libraries whose own pool has no connection left: redis-py, Jedis, Lettuce, go-redis, node-redis."""
STARVED_WORDS = deferred(
    r"\bbusy ?= ?[1-9]\d*|\bqs: ?[1-9]\d*|\bin: ?[1-9]\d{2,}|event[- ]loop (is |was )?(block|lag|delay)\w*|"
    r"thread ?pool (is |was )?(starv|exhaust|full|busy)\w*|(gc|garbage) (pause|collect)\w*|stop-the-world|"
    r"(client|application|app|pod)s?('s)? (cpu|threads?) (is |are |at )",
    re.IGNORECASE,
)
"""Words with which a client says that it's busy itself: StackExchange.Redis' report, an event loop that lags."""
BLIP_WORDS = deferred(
    r"\b(blip|hiccup|retr(y|ies|ied|ying)|outage|failover|restart\w*|incident|interruption|glitch|short (stop|break)|"
    r"reboot\w*|maintenance|stall(ed)?)\b",
    re.IGNORECASE,
)
"""Words for what is over, and whose load stayed."""
UNMEASURED = 0.45
"""How likely a cause of the client's is by its words alone."""
BLOCKING = frozenset(
    ("blpop", "brpop", "brpoplpush", "blmove", "blmpop", "bzpopmin", "bzpopmax", "bzmpop", "xread", "xreadgroup",
     "wait", "waitaof")
)  # fmt: skip
IDLE_CITED: tuple[Cited, ...] = (
    ("commandstats", "busy_share"), ("latency_sample", "median_ms"), ("info", "rejected_connections.delta"),
    ("info", "connected_clients"), ("info", "maxclients"),
)  # fmt: skip


def idle(view: View, limits: Limits) -> bool | None:
    """Whether the server answers promptly, turns nobody away and has hardly anything to do; None if that isn't known.

    One figure shows that it isn't idle; that it is takes all of them.
    """
    busy, median = view.number("commandstats", "busy_share"), view.number("latency_sample", "median_ms")
    share, rejected = main_thread_share(view), view.number("info", "rejected_connections.delta")
    works = (busy or 0) > limits["idle_busy_share"] or (share or 0) > 2 * limits["idle_busy_share"]
    slow = (median or 0) > 10 or (view.number("latency_sample", "over_10ms_share") or 0) > 0.2
    turned_away = (rejected or 0) > 0 or view.first_unavailable("maxclients") is not None
    if works or slow or turned_away or (view.number("clients", "paused") or 0) > 0:
        return False
    return None if None in (busy, median, rejected) else True


def _owners(view: View) -> list[tuple[str, float, float]]:
    """Place, clients, and those of them that wait in a blocking command, of each owner that is shown."""
    found = []
    for number in range(1, 21):
        at = f"o{number}"
        count = view.number("clients", f"{at}.count")
        if count is None:
            break
        who = [view.text("clients", f"{at}.{field}") for field in ("name", "address")]
        waiting = sum(
            view.number("clients", f"g{group}.count") or 0 for group in range(1, 21)
            if "b" in view.text("clients", f"g{group}.flags")
            and view.text("clients", f"g{group}.cmd") in BLOCKING
            and [view.text("clients", f"g{group}.{field}") for field in ("name", "address")] == who
        )  # fmt: skip
        found.append((at, count, waiting))
    return found


def _held(view: View, limits: Limits, owners: list[tuple[str, float, float]]) -> str | None:
    """The owner of several connections that all rest: taken from a pool and not given back, or waiting in it."""
    for at, count, waiting in owners:
        rests = view.number("clients", f"{at}.idle_median") or 0
        if count >= 2 and waiting == 0 and rests >= limits["held_idle_seconds"]:
            return at
    return None


def pool(view: View, limits: Limits) -> Found:
    """The client's own pool is empty while the server is idle: not given back, or held by commands that block."""
    told = pool_reported(view)
    if told is None and not mention(POOL_WORDS, view.symptom):
        return
    if not (calm := idle(view, limits)):
        if calm is None and told:
            why = f"The client reports that {told.means}; whether the server is idle couldn't be measured."
            yield view.cause("pool-exhausted", UNMEASURED, why, ("symptom", "text"), *told.cited)
        if calm is False:
            because = "The server isn't idle, so connections may simply be waiting for its answers."
            refused = view.first_unavailable("maxclients")
            held_back = [(refused, "unavailable")] if refused else []
            held_back += [("clients", "paused")] if view.number("clients", "paused") else []
            yield view.not_("pool-exhausted", because, *IDLE_CITED, *held_back)
        return
    owners = _owners(view)
    # A whole pool that waits: without a single connection left for anything else.
    blocked = next((at for at, count, waiting in owners if waiting >= 2 and waiting >= 0.8 * count), None)
    some = next((at for at, count, waiting in owners if waiting >= 2 and waiting >= 0.4 * count), None)
    resting = _held(view, limits, owners)
    used = view.number("info", "connected_clients")
    clients = "" if used is None else f" ({used:.0f} clients)"
    reported = f"The client reports that its connection pool is exhausted, while the server is idle{clients}"
    cited: tuple[Cited, ...] = (("symptom", "text"), *(told.cited if told else ()), *IDLE_CITED)
    if at := blocked or some:
        who = _who(view, at)
        why = f"{reported}, and the connections of {who} are waiting in a blocking command: they occupy its pool."
        group = _group(view, at)
        likely = 0.93 if not resting else 0.45
        yield view.cause(
            "blocking-in-pool", likely if blocked else 0.6, why, *cited, ("clients", f"{group}.cmd"),
            ("clients", f"{group}.flags"), ("clients", f"{group}.count"), ("clients", f"{at}.count"),
        )  # fmt: skip
    if not blocked or resting:
        rests = [("clients", f"{resting}.{field}") for field in ("count", "idle_median")] if resting else []
        why = f"{reported}, so they are all in use within the application."
        if resting:
            why = (
                f"{reported}; the connections of {_who(view, resting)} are idle: taken from the pool and not returned."
            )
        yield view.cause("pool-exhausted", 0.9 if resting else 0.45 if some else 0.8, why, *cited, *rests)
    if not blocked and not some and view.number("clients", "blocked") is not None and all_seen(view):
        because = "No application's connections are waiting in a blocking command."
        yield view.not_("blocking-in-pool", because, ("clients", "blocked"))


def _who(view: View, at: str) -> str:
    return view.text("clients", f"{at}.name") or view.text("clients", f"{at}.address")


def _group(view: View, owner: str) -> str:
    """The largest group of an owner's that waits in a command."""
    who = [view.text("clients", f"{owner}.{field}") for field in ("name", "address")]
    return next(
        (f"g{number}" for number in range(1, 21)
         if "b" in view.text("clients", f"g{number}.flags")
         and [view.text("clients", f"g{number}.{field}") for field in ("name", "address")] == who), "g1"
    )  # fmt: skip


def starved(view: View, limits: Limits) -> Found:
    """The client reports itself busy, and the server is idle."""
    told, words = starved_reported(view), mention(STARVED_WORDS, view.symptom)
    if told is None and (words is None or has_counters(view)):
        # A client that counts its threads and has some left isn't busy, whatever its counters are called.
        return
    says = told.means if told else f"it is busy ({words[0] if words else ''})"
    cited = (("symptom", "text"), *(told.cited if told else ()))
    calm = idle(view, limits)
    if calm:
        why = f"The client's own report says that {says}, while the server is idle and answers promptly."
        yield view.cause("client-starved", 0.8, why, *cited, *IDLE_CITED[:3])
    elif calm is None and told:
        why = f"The client's own report says that {says}; whether the server is idle couldn't be measured."
        yield view.cause("client-starved", UNMEASURED, why, *cited)
    elif calm is False and view.last("commandstats") and view.last("latency_sample"):
        yield view.not_("client-starved", "The server itself isn't idle.", *IDLE_CITED[:2])


BUSIER = ("connections_per_second", "ops_per_second")
UNMOVED = ("keys", "hit_ratio")
"""What real visitors would change, and attempts of the same ones don't."""


def retry_storm(view: View, limits: Limits) -> Found:
    """Connections and commands come far more often than they used to, after something is over."""
    rate = view.number("info", "total_connections_received.rate")
    if rate is not None and times(view, BUSIER[0]) is not None:
        yield from _storm_since(view, limits, rate)
    else:
        yield from _storm_ever(view, limits)


def _storm_since(view: View, limits: Limits, rate: float) -> Found:
    """Compared with the baseline: many times its connections and commands, for the same data."""
    reported = mention(BLIP_WORDS, view.symptom) is not None
    cites: tuple[Cited, ...] = (("info", "total_connections_received.rate"), *cited(*BUSIER, *UNMOVED))
    if all(as_ever(view, limits, figure) for figure in BUSIER):
        if reported or rate >= limits["churn_connections_per_second"]:
            yield view.not_("retry-storm", f"As in the baseline: {compared(view, BUSIER)}.", *cites)
        return
    far = (times(view, BUSIER[0]) or 0) >= limits["storm_ratio"] and risen(view, limits, BUSIER[1])
    if rate < limits["churn_connections_per_second"] or not far:
        if reported:
            yield view.not_("retry-storm", f"Compared with the baseline: {compared(view, BUSIER)}.", *cites)
        return
    moved = [one for one in UNMOVED if risen(view, limits, one) or fallen(view, limits, one)]
    why = f"Compared with the baseline: {compared(view, BUSIER)}"
    if moved:
        why += f"; but {compared(view, moved)}, so it may be different work and not retries."
        yield view.cause("retry-storm", 0.6 if reported else 0.35, why, *cites)
    elif reported:
        why += ", for the same data: the reported incident is over, but the load has stayed."
        yield view.cause("retry-storm", 0.93, why, ("symptom", "text"), *cites)
    else:
        yield view.cause("retry-storm", 0.7, f"{why}, for the same data: these look like retries.", *cites)


def _storm_ever(view: View, limits: Limits) -> Found:
    """Without a good day to compare with: against the average of this server's life."""
    rate = view.number("info", "total_connections_received.rate")
    commands = view.number("info", "total_commands_processed.rate")
    usual = _before(view, "total_connections_received")
    usually = _before(view, "total_commands_processed")
    if rate is None or commands is None or usual is None or usually is None:
        return
    cites: tuple[Cited, ...] = tuple(
        ("info", f"{field}{suffix}") for field in ("total_connections_received", "total_commands_processed")
        for suffix in (".rate", "", ".delta")
    )  # fmt: skip
    cites = (*cites, ("info", "uptime_in_seconds"))
    times = rate / max(usual, 0.1)
    if rate < limits["churn_connections_per_second"] or times < limits["storm_ratio"]:
        if mention(BLIP_WORDS, view.symptom):
            because = f"{rate:.0f} new connections a second, compared with {usual:.1f} on average before."
            yield view.not_("retry-storm", because, cites[0], cites[1], cites[6])
        return
    why = (
        f"{rate:.0f} new connections and {commands:.0f} commands a second, compared "
        f"with {usual:.1f} and {usually:.0f} before"
    )
    if mention(BLIP_WORDS, view.symptom):
        why += ": the reported incident is over, but the load has stayed."
        yield view.cause("retry-storm", 0.88, why, *cites, ("symptom", "text"))
    else:
        yield view.cause(
            "retry-storm", 0.45, f"{why}: these may be retries, or clients now connect differently.", *cites
        )


def _before(view: View, counter: str) -> float | None:
    """A counter's average rate from the start of the server until the window."""
    total, now = view.number("info", counter), view.number("info", f"{counter}.delta")
    uptime, window = view.number("info", "uptime_in_seconds"), view.number("info", "window_seconds") or 2
    if total is None or now is None or uptime is None or uptime - window < 5:
        # A server this young has no habits.
        return None
    return max(0.0, total - now) / (uptime - window)


FAMILY = Family(
    checks=(pool, starved, retry_storm),
    needs={
        "pool-exhausted": (), "blocking-in-pool": (), "client-starved": (), "retry-storm": ("baseline",),
    },
    consequences={
        "retry-storm": {"connection-churn": 0.5, "cpu-saturated": 0.5},
        "slow-on-command": {"client-starved": 0.4},
        "maxclients-exhausted": {"retry-storm": 0.5},
        "auth-failure": {"retry-storm": 0.5},
    },
)  # fmt: skip
