"""A server that anybody can reach, and the traces of those who did."""

from agent.checks.counted import times
from agent.checks.types import Family, Found, Limits
from agent.evidence.view import Cited, View
from tools.patterns import deferred

LOOPBACK = deferred(r"-?(?:127(?:\.\d{1,3}){3}|::1|localhost)")
CRON = deferred(r"(?:^|/)(?:cron(?:\.d|tabs?)?|\.ssh|init\.d|systemd|profile\.d)(?:/|$)")
"""Folders into which intruders have a dump written so that the machine executes it."""
PLANTED = deferred(r"authorized_keys|crontab|root|.*\.(?:so|php|jsp|sh)")
"""Names given to such a dump."""


def exposed(view: View) -> bool:
    """Whether its settings leave it open beyond loopback, without a password, to a user that may do everything."""
    bind, protected = view.text("config_drift", "bind"), view.text("config_drift", "protected_mode")
    if view.get("config_drift", "password_set") is not False or protected != "no":
        return False
    # Without a password in the URL an ACL may still require one: then this program wouldn't be the default user.
    if view.get("access", "user.default") is not True:
        return False
    return not bind or any(not LOOPBACK.fullmatch(address) for address in bind.split())


def exposed_instance(view: View, limits: Limits) -> Found:
    """Open to everybody, with traces of somebody unwelcome."""
    bind = view.text("config_drift", "bind")
    cited: tuple[Cited, ...] = (
        ("config_drift", "bind"), ("config_drift", "protected_mode"), ("config_drift", "password_set"),
        ("access", "user.default"),
    )  # fmt: skip
    if view.get("config_drift", "password_set") is None:
        return
    if not exposed(view):
        if bind and all(LOOPBACK.fullmatch(address) for address in bind.split()):
            yield view.not_("exposed-instance", f"It listens only on loopback ({bind}).", cited[0])
        elif view.get("config_drift", "password_set") is True:
            yield view.not_("exposed-instance", "The default user has a password.", cited[2])
        elif view.text("config_drift", "protected_mode") == "yes":
            yield view.not_("exposed-instance", "Protected mode admits nobody from other machines.", cited[1])
        return
    traces = list(_traces(view))
    why = f"It listens on {bind or 'every address'} without a password or protected mode, and the default user"
    why += " may do everything"
    told_of = [one for one in traces if one[1] is not None]
    if traces and not told_of:
        told = "; ".join(one[0] for one in traces)
        yield view.cause("exposed-instance", 0.45, f"{why}. This may have been an operator: {told}.", *cited,
                         *(one[2] for one in traces))  # fmt: skip
    elif traces:
        strong = any(one[1] for one in traces)
        told = "; ".join(one[0] for one in traces)
        # A trace that an operator might leave too is less likely innocent beside another one.
        probability = 0.96 if strong else 0.88 if len(traces) > 1 else 0.8
        yield view.cause("exposed-instance", probability, f"{why}. Traces: {told}.", *cited, *(t[2] for t in traces))
    else:
        yield view.cause("exposed-instance", 0.4, f"{why}; there is no sign of an intruder.", *cited)


def _traces(view: View) -> list[tuple[str, bool | None, Cited]]:
    """What a stranger left, each with whether it's proof enough by itself; None if an operator leaves the same."""
    found: list[tuple[str, bool | None, Cited]] = []
    folder, file = view.text("persistence", "config.dir"), view.text("persistence", "config.dbfilename")
    if CRON.search(folder):
        found.append((f"its dump would be written to {folder}", True, ("persistence", "config.dir")))
    if file and PLANTED.fullmatch(file):
        found.append((f"its dump would be called {file}", True, ("persistence", "config.dbfilename")))
    for name in ("config|set", "config"):
        if failed := view.number("commandstats", f"{name}.failed_calls"):
            # It isn't counted by parameter: a mistyped name is refused like dir and dbfilename.
            what = f"{failed:.0f} CONFIG SETs were refused, for dir and dbfilename or another parameter"
            found.append((what, None, ("commandstats", f"{name}.failed_calls")))
    for name in ("flushall", "flushdb"):
        if calls := view.number("commandstats", f"{name}.calls"):
            found.append((f"{name.upper()} was called {times(calls)}", False, ("commandstats", f"{name}.calls")))
    for event, what in (
        ("security_attack", "the log shows that a web page or scanner connected to it"),
        ("module_failed", "an attempt to load a module failed"),
    ):
        if view.number("log", f"{event}.count"):
            found.append((what, True, ("log", f"{event}.count")))
    return found


FAMILY = Family(
    checks=(exposed_instance,),
    needs={"exposed-instance": ("config_drift",)},
    consequences={"exposed-instance": {"data-gone": 0.9, "config-drift": 0.6}},
)
