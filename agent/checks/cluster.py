"""Cluster: whether every slot is served, and by whom."""

from agent.answer.diagnosis import Cause
from agent.checks.cpu import main_thread_share
from agent.checks.elections import (
    PLACEHOLDERS,
    SHOWN,
    cut_off,
    heir,
    lost_primaries,
    obstacle,
    outvoted,
    told,
    without_majority,
)
from agent.checks.ends import with_other
from agent.checks.joined import LONE, is_alone, never_joined
from agent.checks.slot_migrations import failed_migration
from agent.checks.slot_owners import redirected_in_circles, unclaimed
from agent.checks.types import Family, Found, Limits
from agent.evidence.view import Cited, View

SLOTS = 16384
HOT_KEY = 0.2
"""Of the CPU of all commands: one key that takes as much is worth its name."""
LEAST_RATE = 100.0
"""Commands a second below which a node isn't hot, whatever its share: our own look costs as much."""
NEARLY_ALL = 0.95
"""Of all primaries' commands."""


def slots_down(view: View, limits: Limits) -> Found:
    """Slots that have no working primary, as this node sees it."""
    unserved, state = view.number("cluster", "slots_unserved"), view.text("cluster", "cluster_state")
    failed, nobody = view.number("cluster", "cluster_slots_fail") or 0, view.number("cluster", "slots_unassigned") or 0
    cited = (
        ("cluster", "cluster_state"), ("cluster", "slots_unserved"), ("cluster", "cluster_slots_fail"),
        ("cluster", "cluster_slots_pfail"), ("cluster", "slots_unassigned"), ("cluster", "down1.address"),
        ("cluster", "down1.state"), ("cluster", "down1.slots"), ("cluster", "down1.replicas_ok"),
        ("cluster", "down2.address"),
        ("cluster", "cluster-require-full-coverage"), ("info", "errorstat_CLUSTERDOWN.count.delta"),
        ("cluster", "majority"), ("cluster", "primaries_ok"),
    )  # fmt: skip
    if unserved is None:
        return
    whole = view.text("cluster", "cluster-require-full-coverage") != "no"
    reach = "every key is refused as a result" if whole else "their keys are refused, while the others are served"
    if unserved > 0 and (by := outvoted(view)):
        yield from cut_off(view, by)
    elif homeless := _homeless(view):
        # Such a node is never called failed: CLUSTER INFO counts its slots as served, and no replica stands for them.
        why = (
            f"{homeless:.0f} of {SLOTS} slots belong to a primary whose address is no longer known: at its old address"
        )
        why += " a different node answers, as happens after a restart without nodes.conf; clients are sent nowhere."
        yield view.cause("cluster-slots-down", 0.97, why, *cited, ("cluster", "nodes.noaddr"))
    elif unserved > 0:
        why = f"{unserved:.0f} of {SLOTS} slots have no working primary"
        if nobody:
            why += f", and {nobody:.0f} of them belong to no node{never_joined(view)}"
        why += told(view) + without_majority(view)
        # What only this node suspects may be its own link.
        agreed = failed or nobody or state == "fail" or _unreached(view, view.text("cluster", "down1.address"))
        unheard = _unheard(view)
        cause = view.cause(
            "cluster-slots-down",
            0.98 if agreed else 0.6,
            f"{why}; {reach}.{unheard}",
            *cited,
            *(HEARD if unheard else ()),
            *(LONE if is_alone(view) else ()),
        )
        yield _with_heirs(view, cause)
    elif state == "fail":
        why = (
            "This node says that the cluster is down although every slot has a "
            "primary: it is cut off from the majority."
        )
        yield view.cause(
            "cluster-slots-down", 0.85, why, *cited, ("cluster", "nodes.pfail"), ("cluster", "disconnected")
        )
    else:
        yield view.not_("cluster-slots-down", "Every slot has a working primary.", *cited[:2])


def _homeless(view: View) -> float:
    """Slots of primaries whose address this node doesn't know any more."""
    named = (f"down{number}" for number in range(1, SHOWN + 1))
    return sum(
        view.number("cluster", f"{at}.slots") or 0
        for at in named
        # Once it has failed as well, only the empty address shows it.
        if view.text("cluster", f"{at}.state") == "noaddr" or view.text("cluster", f"{at}.address").startswith(":")
    )


HEARD: tuple[Cited, ...] = ("cluster", "cluster_stats_messages_received"), ("info", "uptime_in_seconds")


def _unheard(view: View) -> str:
    """That this node has heard from no other since its start, with what that may mean; else nothing."""
    heard, up = view.number(*HEARD[0]), view.number(*HEARD[1]) or 0
    if heard != 0 or (view.number("cluster", "nodes") or 0) < 2:
        return ""
    return (
        f" This node hasn't heard from any other since it started {up:.0f} s ago: either all of them are down, or they"
        " run at new addresses, as restarted containers do, and its nodes.conf only has the old ones."
    )


def _with_heirs(view: View, cause: Cause) -> Cause:
    """With what keeps the failed primaries' replicas from being elected, as those replicas tell it."""
    for lost in lost_primaries(view):
        if (replica := heir(view, lost.address)) and replica.node != view.node:
            cause = with_other(cause, replica, *obstacle(replica)[1])
    return cause


def _unreached(view: View, node: str) -> bool:
    return (peer := view.peer(node)) is not None and peer.unavailable("connect") is not None


MANY_MOVED, MOSTLY_MOVED = 10, 0.3
"""Redirections over the window from which on a small share means something, and the least share of fewer: a client
that knows clusters is redirected once for each slot that moved."""
MOVED_ALWAYS = 100
"""Redirections since the start from which on their share of all commands means something."""


def redirected_in_passing(view: View, limits: Limits) -> float:
    """How many commands over the window got MOVED, if they are as few as while clients learn of moved slots; else 0."""
    moved = view.number("info", "errorstat_MOVED.count.delta")
    done = view.number("info", "total_commands_processed.delta")
    if not moved or done is None:
        return 0.0
    return moved if moved / (moved + done) < _telling_share(view, moved, limits) else 0.0


def _telling_share(view: View, moved: float, limits: Limits) -> float:
    """The share of the commands over the window from which on redirections mean something."""
    ever = view.number("info", "errorstat_MOVED.count") or 0
    done = view.number("info", "total_commands_processed") or 0
    # A quiet moment of a client that has done it all along is no sign that it learned.
    always = ever >= MOVED_ALWAYS and ever >= limits["moved_share"] * (ever + done)
    return limits["moved_share"] if moved >= MANY_MOVED or always else MOSTLY_MOVED


def non_cluster_client(view: View, limits: Limits) -> Found:
    """Clients that send keys to whichever node they know, or several slots' keys in one command."""
    if view.number("cluster", "slots_unserved") is None:
        return
    moved = view.number("info", "errorstat_MOVED.count.delta") or 0
    crossed = view.number("info", "errorstat_CROSSSLOT.count.delta") or 0
    window = view.number("info", "window_seconds") or 2
    done = (view.number("info", "total_commands_processed.rate") or 0) * window
    cited = (
        ("info", "errorstat_MOVED.count.delta"), ("info", "errorstat_CROSSSLOT.count.delta"),
        ("info", "total_commands_processed.rate"), ("cluster", "cluster_state"), ("cluster", "slots_migrating"),
    )  # fmt: skip
    share = moved / max(1.0, moved + done)
    if crossed > 0:
        why = (
            f"{crossed:.0f} commands over the window used keys from several slots "
            "(CROSSSLOT), which never works in a cluster."
        )
        yield view.cause("non-cluster-client", 0.94 if crossed > 1 else 0.85, why, *cited)
    elif moved > 1 and share >= _telling_share(view, moved, limits) and not unclaimed(view):
        why = f"{moved:.0f} commands over the window, {share:.0%}, were sent to the wrong node (MOVED)"
        yield view.cause(
            "non-cluster-client", 0.94, f"{why}: that client doesn't know which node serves which slot.", *cited
        )
    elif moved > 0:
        why = f"{moved:.0f} commands over the window got MOVED, as happens while a client refreshes its slot map."
        yield view.cause("non-cluster-client", 0.35, why, *cited)
    elif view.number("info", "total_error_replies") is not None and not any(
        view.number("info", f"errorstat_{name}.count") for name in ("MOVED", "CROSSSLOT")
    ):
        # A server that counts errors lists only those that occurred.
        because = "No client has got MOVED or CROSSSLOT since startup."
        yield view.not_("non-cluster-client", because, ("info", "total_error_replies"), cited[3])


def open_slot(view: View, limits: Limits) -> Found:
    """A migration that nobody goes on with."""
    migrating, importing = view.number("cluster", "slots_migrating"), view.number("cluster", "slots_importing")
    if migrating is None or importing is None:
        return
    cited: tuple[Cited, ...] = (
        ("cluster", "slots_migrating"), ("cluster", "slots_importing"), ("cluster", "open1.slot"),
        ("cluster", "open1.direction"), ("cluster", "open1.peer"), ("cluster", "open1.keys"),
        ("info", "errorstat_ASK.count.delta"), ("info", "errorstat_TRYAGAIN.count.delta"),
        ("commandstats", "migrate.calls.delta"),
    )  # fmt: skip
    if not migrating + importing:
        if not unclaimed(view):
            yield view.not_("open-slot", "No slot is migrating or importing here.", *cited[:2])
        return
    asked = sum(view.number("info", f"errorstat_{word}.count.delta") or 0 for word in ("ASK", "TRYAGAIN"))
    what = f"{migrating + importing:.0f} slots are open here ({migrating:.0f} migrating, {importing:.0f} importing)"
    if _moving(view):
        yield view.cause(
            "open-slot", 0.4, f"{what}, and their keys are being moved: a migration is in progress.", *cited
        )
        return
    why = f"{what}, but nothing is moving their keys"
    why += f"; {asked:.0f} commands over the window got ASK or TRYAGAIN." if asked else "."
    if failed := _refusals(view, "migrate"):
        why += f" MIGRATE failed {failed:.0f} times"
        exists = any(one.number("info", "errorstat_BUSYKEY.count.delta") for one in (view, *view.peers))
        why += (
            ": the other node has such a key already (BUSYKEY); compare both before one is replaced." if exists else "."
        )
        cited = (*cited, ("commandstats", "migrate.failed_calls.delta"), ("info", "errorstat_BUSYKEY.count.delta"))
    yield view.cause("open-slot", 0.95 if asked else 0.88, why, *cited)


def _moving(view: View) -> bool:
    """Whether keys are being moved away from this node or to it."""
    names = ("migrate", "restore", "restore-asking", "cluster|migrateslots")
    return any((one.number("commandstats", f"{name}.calls.delta") or 0) > _refusals(one, name)
               for one in (view, *view.peers) for name in names)  # fmt: skip


def _refusals(view: View, name: str) -> float:
    return view.number("commandstats", f"{name}.failed_calls.delta") or 0


def _at_work(view: View) -> float | None:
    """CPU seconds a second of the main thread, and those in which it was ready and waited for a core."""
    share = main_thread_share(view)
    return share if share is None else min(1.0, share + (view.number("process", "main_wait_share") or 0))


def hot_shard(view: View, limits: Limits) -> Found:
    """One primary does most of the work, by its commands and by its CPU."""
    others = [peer for peer in view.peers_with("cluster") if (peer.number("cluster", "my_slots") or 0) > 0]
    mine, cpu = view.number("info", "total_commands_processed.rate"), _at_work(view)
    if mine is not None:
        # A message has no key, and any node takes it.
        mine -= (view.number("commandstats", "publish.calls.delta") or 0) / (view.number("info", "window_seconds") or 2)
    if not view.number("cluster", "my_slots") or not others or mine is None or cpu is None:
        return
    rates = [rate for peer in others if (rate := peer.number("info", "total_commands_processed.rate")) is not None]
    shares = [share for peer in others if (share := _at_work(peer)) is not None]
    if not rates or not shares:
        return
    factor = limits["hot_shard_factor"]
    usual, idle = sum(rates) / len(rates), sum(shares) / len(shares)
    cited = (
        ("info", "total_commands_processed.rate"), ("info", "used_cpu_user_main_thread.rate"),
        ("info", "used_cpu_sys_main_thread.rate"), ("cluster", "my_share"), ("cluster", "slot1.slot"),
        ("cluster", "slot1.key_count"), ("cluster", "hot1.slot"), ("cluster", "hot1.cpu_usec"),
        ("cluster", "hotkey1.key"), ("cluster", "hotkey1.share"), ("commandstats", "top"),
        ("process", "main_wait_share"),
    )  # fmt: skip
    if mine < LEAST_RATE or mine < factor * max(usual, 1) or cpu < max(2 * idle, limits["hot_shard_cpu"] / 2):
        return
    hot = cpu >= limits["hot_shard_cpu"] and cpu >= factor * idle
    why = f"This node runs {mine:.0f} commands a second and uses {cpu:.0%} of a core"
    why += f", while the others run {usual:.0f} and use {idle:.0%}"
    share = view.number("cluster", "my_share")
    why += f", and it has {share:.0%} of the slots." if share is not None else "."
    why += _hottest(view, factor)
    of_all = mine / (mine + sum(rates)) if mine else 0.0
    cause = view.cause("hot-shard", 0.94 if hot else 0.75 if of_all >= NEARLY_ALL else 0.4, why, *cited)
    theirs = others[0].cite(("info", "total_commands_processed.rate"), ("info", "used_cpu_user_main_thread.rate"))
    yield cause.model_copy(update={"evidence": (*cause.evidence, *theirs)})


def _hottest(view: View, factor: float) -> str:
    """The slot and the key that took most of the CPU since they were counted, where the server does; else nothing."""
    told = ""
    first, second = (view.number("cluster", f"hot{number}.cpu_usec") for number in (1, 2))
    if first and first >= factor * (second or 0):
        told += f" Slot {view.text('cluster', 'hot1.slot')} has taken {first / 1e6:.1f} s of CPU, the next busiest"
        told += f" {(second or 0) / 1e6:.1f} s."
    if (share := view.number("cluster", "hotkey1.share")) is not None and share >= HOT_KEY:
        told += f" The key {view.text('cluster', 'hotkey1.key')} took {share:.0%} of the CPU while HOTKEYS counted."
    return told


FAMILY = Family(
    checks=(slots_down, non_cluster_client, open_slot, redirected_in_circles, failed_migration, hot_shard),
    needs={
        "cluster-slots-down": ("cluster",), "non-cluster-client": (), "open-slot": ("cluster",), "hot-shard": (),
    },
    consequences={
        # Where one node is hot, its full core is what comes of it; it isn't a server that is too small.
        "hot-shard": {"cpu-saturated": 0.6},
        "cluster-slots-down": {"non-cluster-client": 0.8, "replica-link-down": 0.5},
        "open-slot": {"non-cluster-client": 0.8},
    },
    placeholders=PLACEHOLDERS,
)  # fmt: skip
