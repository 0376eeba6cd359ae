"""Alerts about a server's own figures: whether it answers, its memory, its clients, and its last save."""

from agent.alerts.answered import ORDER, RECENT, Answered, since_start, started_lately, unread, uptime, window
from agent.alerts.rules import Alert
from agent.evidence.view import Cited, View
from agent.report.quantities import bytes_text, number_text, seconds_text, share_text

NEAR = 90.0
"""Percent of a limit from which these rules fire, where the alert doesn't say."""
DAY = 86_400.0
FEW, MANY = 5, 100
"""Clients below which, and above which, the community's rules fire."""
REFUSED = ("noauth", "wrongpass", "denied", "protected")
"""Kinds of refusals by a server that answers."""
_UPTIME: Cited = ("info", "uptime_in_seconds")


def down(view: View, alert: Alert) -> Answered:
    """Whether it answers; an exporter that can't log in or connect reports it as down, too."""
    kind = view.unavailable("connect")
    stage: Cited = ("connect", "stage")
    if kind in REFUSED:
        told = "no, it answers, but it refuses this login; an exporter with a wrong password reports it as down, too"
        return Answered("no", told, view, (stage, ("connect", "unavailable")))
    if kind in ("dns", "untrusted"):
        why = "its name doesn't resolve here" if kind == "dns" else "it isn't certain that this is the server"
        return Answered("unknown", f"can't tell, because {why}", view, (("connect", "unavailable"),))
    if kind == "maxclients":
        told = "it runs, but refuses new connections, an exporter's as well, because it is at maxclients"
        return Answered("now", told, view, (("connect", "unavailable"), ("info", "maxclients")))
    if kind is not None:
        return Answered("now", f"yes, it doesn't answer ({kind})", view, (("connect", "unavailable"), stage))
    if view.number("info", "loading"):
        return Answered("now", "yes, it is still loading its data set", view, (("info", "loading"), _UPTIME))
    if view.number("info", "rejected_connections.delta"):
        told = "it answers, but refuses new connections, an exporter's as well, because it is at maxclients"
        return Answered("now", told, view, (("info", "rejected_connections.delta"), ("info", "maxclients")))
    up = uptime(view)
    if up is None:
        return unread(view, "INFO")
    if up < RECENT:
        return Answered("over", f"not any more, it answers and started {seconds_text(up)} ago", view, (_UPTIME,))
    failed = sum(view.number("info", f"errorstat_{word}.count.delta") or 0 for word in ("WRONGPASS", "NOAUTH"))
    login = f"; but {number_text(failed)} logins failed {window(view)}, perhaps the exporter's" if failed else ""
    told = f"no, it answers and has been up for {seconds_text(up)}{login}"
    return Answered("no", told, view, (_UPTIME, ("info", "errorstat_WRONGPASS.count.delta")))


def system_memory(view: View, alert: Alert) -> Answered:
    """used_memory against the machine's memory."""
    whole = view.number("info", "total_system_memory")
    return _memory(view, alert, whole, "the machine's memory", ("info", "total_system_memory"))


def maxmemory(view: View, alert: Alert) -> Answered:
    """used_memory against maxmemory."""
    most = view.number("info", "maxmemory")
    if most == 0:
        return Answered("no", "no, maxmemory is 0, which means no limit", view, (("info", "maxmemory"),))
    return _memory(view, alert, most, "maxmemory", ("info", "maxmemory"))


def memory(view: View, alert: Alert) -> Answered:
    """used_memory against either: rules of this name use one or the other."""
    limit, machine = maxmemory(view, alert), system_memory(view, alert)
    return min((limit, machine), key=lambda one: ORDER.index(one.state))


def _memory(view: View, alert: Alert, most: float | None, of: str, cited: Cited) -> Answered:
    used, peak = view.number("info", "used_memory"), view.number("info", "used_memory_peak")
    if used is None or not most:
        return unread(view, "INFO memory")
    near = alert.threshold / 100 if alert.is_share and alert.threshold else NEAR / 100
    share = f"Redis uses {bytes_text(used)}, {share_text(used / most)} of {of} ({bytes_text(most)})"
    evidence: tuple[Cited, ...] = (("info", "used_memory"), cited, ("info", "used_memory_peak"))
    if used / most > near:
        return Answered("now", f"yes, {share}", view, evidence)
    if peak is not None and peak / most > near:
        return Answered("over", f"not any more, {share}; its peak was {share_text(peak / most)}", view, evidence)
    if started_lately(view):
        up = seconds_text(uptime(view) or 0)
        return Answered("over", f"not now, {share}; it started {up} ago, and what was before is lost", view, evidence)
    return Answered("no", f"no, {share}, and never used more than {share_text((peak or used) / most)}", view, evidence)


def connections(view: View, alert: Alert) -> Answered:
    """The clients against maxclients, or against the number that the alert names."""
    clients, most = view.number("info", "connected_clients"), view.number("info", "maxclients")
    if clients is None:
        return unread(view, "INFO clients")
    limit = f", {share_text(clients / most)} of maxclients ({number_text(most)})" if most else ""
    told = f"{_clients(clients)}{limit}"
    evidence: tuple[Cited, ...] = (("info", "connected_clients"), ("info", "maxclients"))
    evidence += (("info", "rejected_connections"),)
    refused = view.number("info", "rejected_connections") or 0
    share = (alert.threshold or NEAR) / 100 if alert.is_share or alert.threshold is None else NEAR / 100
    above = alert.threshold if alert.threshold is not None and not alert.is_share else None
    if (most and clients / most > share) or (above is not None and clients > above):
        return Answered("now", f"yes, {told}", view, evidence)
    if above is None and alert.value is not None and alert.value > NEAR and alert.value == int(alert.value):
        # A rule without a limit in its words counts clients, as the exporter's own does: its value is a number of them.
        if clients > MANY:
            return Answered("now", f"yes, if the rule counts clients: {told}", view, evidence)
        return Answered("over", f"not any more: {number_text(alert.value)} clients then; now {told}", view, evidence)
    if refused:
        times = f"{number_text(refused)} connections were refused at the limit {since_start(view)}"
        return Answered("over", f"not any more, {told}; {times}", view, evidence)
    if started_lately(view):
        up = seconds_text(uptime(view) or 0)
        return Answered("over", f"not now, {told}; it started {up} ago, which cut all connections", view, evidence)
    return Answered("no", f"no, {told}, and none was ever refused {since_start(view)}", view, evidence)


def _clients(count: float) -> str:
    return f"{number_text(count)} {'client is' if count == 1 else 'clients are'} connected"


def few_connections(view: View, alert: Alert) -> Answered:
    """Whether the applications are connected; this program's own connections don't count."""
    clients = view.number("info", "connected_clients")
    if clients is None:
        return unread(view, "INFO clients")
    listed = view.number("clients", "connected")
    others = clients if listed is None else listed
    least = alert.threshold if alert.threshold is not None and not alert.is_share else FEW
    opened = view.number("info", "total_connections_received")
    evidence: tuple[Cited, ...] = (
        ("clients", "connected"), ("info", "connected_clients"), ("info", "total_connections_received"), _UPTIME,
    )  # fmt: skip
    told = _clients(others)
    if others < least:
        came = f"; {number_text(opened)} connections were opened {since_start(view)}" if opened is not None else ""
        return Answered("now", f"yes, {told}{came}", view, evidence)
    if started_lately(view):
        up = seconds_text(uptime(view) or 0)
        return Answered("over", f"not any more, {told}; the server started {up} ago", view, evidence)
    return Answered("no", f"not now, {told}; how many were connected before isn't recorded", view, evidence)


def rejected(view: View, alert: Alert) -> Answered:
    """Connections refused at maxclients."""
    now, total = view.number("info", "rejected_connections.delta"), view.number("info", "rejected_connections")
    evidence: tuple[Cited, ...] = (
        ("info", "rejected_connections.delta"), ("info", "rejected_connections"), ("info", "connected_clients"),
        ("info", "maxclients"), _UPTIME,
    )  # fmt: skip
    if view.unavailable("connect") == "maxclients":
        return Answered("now", "yes, it refused this connection too", view, (("connect", "unavailable"),))
    if total is None:
        return unread(view, "INFO stats")
    if now:
        were = "connection was" if now == 1 else "connections were"
        return Answered("now", f"yes, {number_text(now)} {were} refused {window(view)}", view, evidence)
    count = f"none {window(view)}" if now is not None else "how many now isn't known"
    if total:
        told = f"not any more: {count}, {number_text(total)} {since_start(view)}"
        return Answered("over", told, view, evidence)
    if started_lately(view):
        return Answered("over", f"not now: {count}, none {since_start(view)}; earlier counts are lost", view, evidence)
    return Answered("no", f"no: {count}, none {since_start(view)}, so it isn't this server", view, evidence)


def backup(view: View, alert: Alert) -> Answered:
    """The age of the last RDB save."""
    age, changes = view.number("persistence", "rdb_last_save_age"), view.number("info", "rdb_changes_since_last_save")
    if age is None:
        return unread(view, "INFO persistence")
    limit = alert.threshold * 3600 if alert.threshold is not None and not alert.is_share else DAY
    saved, save = view.get("persistence", "rdb_saved_since_start"), view.text("persistence", "config.save")
    evidence: tuple[Cited, ...] = (
        ("persistence", "rdb_last_save_age"), ("info", "rdb_changes_since_last_save"), ("persistence", "config.save"),
        ("persistence", "rdb_saved_since_start"), ("persistence", "rdb_last_bgsave_status"),
    )  # fmt: skip
    # Before the first save it's the time of the start that stands in rdb_last_save_time.
    last = f"the last save was {seconds_text(age)} ago" if saved is not False else (
        f"nothing was saved since the server started {seconds_text(age)} ago"
    )  # fmt: skip
    more = (
        f", with {number_text(changes)} {'change' if changes == 1 else 'changes'} since"
        if changes
        else ", and nothing changed since" * (changes == 0)
    )
    failed = "; the last one failed" if view.text("persistence", "rdb_last_bgsave_status") == "err" else ""
    off = (
        "; saving is switched off (save is empty)" if view.get("persistence", "config.save") == "" and not save else ""
    )
    if age > limit:
        return Answered("now", f"yes, {last}{more}{failed}{off}", view, evidence)
    if saved is not False and age < RECENT:
        return Answered("over", f"not any more, {last}{failed}{off}", view, evidence)
    return Answered("no", f"no, {last}{more}{failed}{off}", view, evidence)
