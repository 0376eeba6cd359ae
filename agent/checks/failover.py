"""Sentinel and failover: whether a decision is possible, and whether there is exactly one master."""

from collections.abc import Sequence

from agent.checks import disagreeing
from agent.checks.failover_reasons import STARTING
from agent.checks.types import Family, Found, Limits
from agent.checks.watched import PLACEHOLDERS, down, locked_out, masters, refusing_login, replicas
from agent.checks.words import SPLIT
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View, ended_at

LACKS = {
    "no-quorum": "the quorum",
    "no-majority": "the majority",
    "no-quorum-no-majority": "the quorum and the majority",
}
"""CKQUORUM's answers that mean that no decision is possible, and what there are too few sentinels for."""
UNMET = "it knows no other sentinel"
PASSING = ("stale-info", "no-ping")
"""Reasons that usually bar a replica only for a moment."""
WRITES = (
    "set", "setex", "mset", "hset", "hdel", "lpush", "rpush", "lpop", "rpop", "sadd", "srem", "zadd", "zrem", "incr",
    "incrby", "decr", "del", "unlink", "expire", "xadd", "getset", "append", "eval", "evalsha", "exec",
)  # fmt: skip
"""Commands with which applications write."""


def noquorum(view: View, limits: Limits) -> Found:
    """Too few sentinels can be reached to agree on a failover, or to authorise it."""
    for at in masters(view):
        answer, name = view.text("sentinel", f"{at}.ckquorum"), view.text("sentinel", f"{at}.name")
        cited = [
            ("sentinel", f"{at}.{field}")
            for field in ("ckquorum", "usable_sentinels", "quorum", "num-other-sentinels", "sentinels_reachable",
                          "s1.address", "s1.flags", "s_down", "flags")
        ]  # fmt: skip
        usable, quorum = view.number("sentinel", f"{at}.usable_sentinels"), view.number("sentinel", f"{at}.quorum")
        if answer == "ok":
            because = (
                f"{usable or 0:.0f} sentinels can be reached for {name}, enough for its quorum of {quorum or 0:.0f}."
            )
            yield view.not_("sentinel-noquorum", because, *cited[:3])
        elif answer in LACKS:
            known = (view.number("sentinel", f"{at}.num-other-sentinels") or 0) + 1
            many = f"only {usable or 0:.0f} of {known:.0f} sentinels can be reached" if known > 1 else UNMET
            why = f"Sentinel can't fail {name} over: {many}, too few for {LACKS[answer]} (quorum {quorum or 0:.0f})"
            why += ", and the master is down." if down(view, at) else "; this matters at the next failure."
            # One isolated sentinel is no obstacle to those that reach each other.
            alone = any(_says_ok(peer, name) for peer in view.peers_with("sentinel"))
            yield view.cause("sentinel-noquorum", 0.4 if alone else 0.98 if down(view, at) else 0.96, why, *cited)


def _says_ok(view: View, name: str) -> bool:
    return any(
        view.text("sentinel", f"{at}.ckquorum") == "ok" for at in masters(view)
        if view.text("sentinel", f"{at}.name") == name
    )  # fmt: skip


def unpromotable(view: View, at: str) -> tuple[float, str]:
    """How certainly a failover of this master would find no replica, according to this sentinel, and why."""
    good, count = view.number("sentinel", f"{at}.good_replicas"), view.number("sentinel", f"{at}.num-slaves") or 0
    aborted = (view.number("sentinel", "-failover-abort-no-good-slave.count") or 0) > 0
    name = view.text("sentinel", f"{at}.name")
    if good is None or good > 0:
        return 0.0, ""
    reasons = [view.text("sentinel", f"{one}.barred") for one in replicas(view, at)]
    all_ = f"None of the {count:.0f} replicas of {name}" if count > 1 else f"The only replica of {name}"
    can = "can be promoted" if count > 1 else "can't be promoted"
    why = f"{all_} {can} ({', '.join(sorted(set(reasons)))})"
    if not count:
        return (0.9 if down(view, at) else 0.3), f"{name} has no replica that Sentinel could promote."
    if aborted:
        return 0.98, f"{why}: a failover was aborted because of this within the window."
    if reasons and all(reason in PASSING for reason in reasons):
        return 0.4, f"{why}, which may be temporary."
    if down(view, at):
        return 0.975, f"{why}, and the master is down."
    if any(reason in ("priority-0", "link-down") for reason in reasons):
        return 0.93, f"{why}; the master is up, so this matters at the next failure."
    return 0.4, f"{why}: they don't answer Sentinel, and the master is up."


def _barred(view: View, at: str) -> list[Cited]:
    fields = ["good_replicas", "num-slaves", "s_down"]
    fields += [f"r{n}.{field}" for n in (1, 2) for field in ("address", "barred", "slave-priority")]
    return [("sentinel", f"{at}.{field}") for field in fields]


def no_good_replica(view: View, limits: Limits) -> Found:
    """A failover finds no replica to promote, according to a sentinel."""
    for at in masters(view):
        probability, why = unpromotable(view, at)
        if probability >= 0.5 and down(view, at) and any(refusing_login(view, at)):
            probability, why = 0.4, f"{why[:-1]}; but they answer from here, and refuse Sentinel's login."
        cited = [("sentinel", "-failover-abort-no-good-slave.count"), *_barred(view, at)]
        if probability:
            yield view.cause("sentinel-no-good-replica", probability, why, *cited)
        elif good := view.number("sentinel", f"{at}.good_replicas"):
            yield view.not_("sentinel-no-good-replica", f"{good:.0f} replicas could be promoted.", *_barred(view, at))


def priority(view: View, limits: Limits) -> Found:
    """The same from the replica that must not be promoted: that is where it can be fixed."""
    if view.text("replication", "role") != "slave" or view.number("replication", "slave_priority") != 0:
        return
    for sentinel in view.peers_with("sentinel"):
        for at in masters(sentinel):
            mine = [one for one in replicas(sentinel, at) if sentinel.text("sentinel", f"{one}.address") == view.node]
            probability, _ = unpromotable(sentinel, at)
            if not mine or probability < 0.5:
                continue
            why = "replica-priority is 0 here, which forbids a promotion, and Sentinel has no other replica to promote"
            why += ": the master is down." if down(sentinel, at) else "."
            cause = view.cause("sentinel-no-good-replica", min(probability + 0.005, 0.985), why,
                               ("replication", "slave_priority"), ("replication", "replica-priority"))  # fmt: skip
            theirs = sentinel.cite(("sentinel", f"{mine[0]}.barred"), *_barred(sentinel, at)[:3])
            yield cause.model_copy(update={"evidence": (*cause.evidence, *theirs)})
            return


def slowness(view: View, limits: Limits) -> Found:
    """A failover that no death explains: every server ran through it. Reported at each of them."""
    sentinels = view.peers_with("sentinel")
    data = [one for one in (view, *view.peers) if not one.is_sentinel] if sentinels else []
    for sentinel in (peer for peer in sentinels if view in data):
        for at in masters(sentinel):
            age, signs = _failed_over(sentinel, at, limits)
            began = _moment(sentinel, age, signs)
            if age is None or began is None or any(_started(one) >= began - STARTING for one in data):
                continue
            after = (sentinel.number("sentinel", f"{at}.down-after-milliseconds") or 0) * 1000
            enough = max(after * limits["stall_of_down_after"], limits["slow_command_usec"])
            stalled = next((one for one in data if _stall(one, limits) >= enough), None)
            why = f"Sentinel considered the master dead {age:.0f} s ago and replaced it; no server had died"
            if stalled:
                why += f": a command held one up for {_stall(stalled, limits) / 1e6:.1f} s"
                why += f", and down-after-milliseconds is {after / 1000:.0f}."
            else:
                why += ": the server stalled, or the sentinels' network did."
            cause = view.cause("slowness-failover", 0.96 if stalled else 0.75, why, ("info", "uptime_in_seconds"),
                               ("process", "uptime_seconds"), ("info", "role"))  # fmt: skip
            limit = ("sentinel", f"{at}.down-after-milliseconds"), ("sentinel", f"{at}.config-epoch")
            theirs = stalled.cite(("slowlog", "max_usec"), ("slowlog", "newest_age")) if stalled else ()
            evidence = (*sentinel.cite(*signs, *limit), *theirs, *cause.evidence)
            yield cause.model_copy(update={"evidence": evidence})
            return


def failed_over_otherwise(view: View, limits: Limits) -> tuple[Cited, ...]:
    """What shows without a log that the last failover had another reason, or is too long ago to be meant.

    A sentinel counts from the failover or from its own later start: the failover was then or before.
    """
    data = [one for one in (view, *view.peers) if not one.is_sentinel]
    watched = [(sentinel, at) for sentinel in view.peers_with("sentinel") for at in masters(sentinel)]
    for sentinel, at in watched:
        epoch, since = (
            sentinel.number("sentinel", f"{at}.{field}") for field in ("config-epoch", "role-reported-time")
        )
        reading = sentinel.last("sentinel")
        if epoch == 0:
            continue
        if reading is None or epoch is None or since is None:
            return ()
        latest = ended_at(reading) - since / 1000
        started = any(latest - STARTING <= _started(one) < float("inf") for one in data)
        if not started and since / 1000 <= limits["failover_recent_seconds"]:
            return ()
    return (("info", "uptime_in_seconds"), ("info", "role")) if watched else ()


def _started(view: View) -> float:
    """When this server was started, in seconds since the epoch, according to itself or its machine; infinite if
    unknown."""
    told = (view.moment(*field) for field in (("info", "uptime_in_seconds"), ("process", "uptime_seconds")))
    return next((at for at in told if at is not None), float("inf"))


def _moment(sentinel: View, age: float | None, signs: Sequence[Cited]) -> float | None:
    """When a failover reported by a sentinel began, in seconds since the epoch."""
    logged = [at for tool, field in signs if tool == "log" and (at := sentinel.moment(tool, field)) is not None
              and field.endswith("_age")]  # fmt: skip
    reading = sentinel.last("sentinel")
    if logged or reading is None or age is None:
        return min(logged, default=None)
    return ended_at(reading) - age


def _failed_over(view: View, at: str, limits: Limits) -> tuple[float | None, list[Cited]]:
    """How many seconds ago this sentinel considered its master dead and failed over, or None; and what shows it."""
    events = [("sentinel", f"{name}.{field}") for name, field in (
        ("+sdown", "master.count"), ("+sdown", "master.address"), ("+switch-master", "from"), ("+switch-master", "to"),
    )]  # fmt: skip
    if view.number(*events[0]) and view.get(*events[2]) is not None:
        return view.number("sentinel", "window_seconds") or 0, events
    # A planned failover has no +odown; only a master is ever objectively down.
    dead, moved = view.number("log", "odown.newest_age"), view.number("log", "failover.newest_age")
    # The config epoch grows with a completed failover.
    if dead is None or moved is None or not view.number("sentinel", f"{at}.config-epoch"):
        return None, []
    age = max(dead, moved)
    cited = [("log", "odown.newest_age"), ("log", "odown.count"), ("log", "failover.newest_age"), *events]
    return (age, cited) if age <= limits["failover_recent_seconds"] else (None, [])


def _stall(view: View, limits: Limits) -> float:
    """Microseconds that a command held this server up lately."""
    age = view.number("slowlog", "newest_age")
    lately = age is not None and age <= limits["failover_recent_seconds"]
    return (view.number("slowlog", "max_usec") or 0) if lately else 0


def split_brain(view: View, limits: Limits) -> Found:
    """A node that considers itself the master while the sentinels name another."""
    if view.text("info", "role") != "master":
        return
    for sentinel in view.peers_with("sentinel"):
        for at in masters(sentinel):
            named = sentinel.text("sentinel", f"{at}.address")
            as_replica = [
                one for one in replicas(sentinel, at)
                if sentinel.text("sentinel", f"{one}.address") == view.node
                and "promoted" not in sentinel.text("sentinel", f"{one}.flags")
            ]  # fmt: skip
            other = view.peer(named)
            moving = sentinel.get("sentinel", f"{at}.failover-state") is not None
            if not as_replica or moving or other is None or other.text("info", "role") != "master":
                continue
            written = [one for name in WRITES if view.number(*(one := ("commandstats", f"{name}.calls.delta")))]
            since = sentinel.number("log", "odown.newest_age") or view.number("info", "uptime_in_seconds") or 0
            # A returning master remains one until Sentinel next looks at it; one that was only held up is no younger.
            named_for = sentinel.number("sentinel", f"{at}.role-reported-time")
            young = min(since, since if named_for is None else named_for / 1000) < limits["rejoin_seconds"]
            why = f"Sentinel's master is {named}, but this node is a master too"
            why += " and accepts writes, which will be lost" if written else "; it received no writes over the window"
            why += ", unless it becomes a replica within seconds." if young else "."
            probability = (0.6 if young else 0.97) if written else 0.4 if young else 0.85
            own = ("info", "connected_slaves"), ("info", "uptime_in_seconds")
            cause = view.cause("split-brain", probability, why, ("info", "role"), *written[:2], *own)
            theirs = sentinel.cite(("sentinel", f"{at}.address"), ("sentinel", f"{as_replica[0]}.address"),
                                   ("sentinel", f"{as_replica[0]}.role-reported"))  # fmt: skip
            yield cause.model_copy(update={"evidence": (*cause.evidence, *theirs, *other.cite(("info", "role")))})
            return


def promoted_by_hand(view: View, limits: Limits) -> Found:
    """A replica that somebody made a primary and that accepts writes: its old primary doesn't know unless told."""
    old, age = view.text("log", "switch.old"), view.number("log", "switch.age")
    by_hand = view.text("log", "switch.event") == "promoted" and view.text("log", "switch.by") == "client"
    if not by_hand or view.text("info", "role") != "master" or age is None or age > limits["failover_recent_seconds"]:
        return
    written = [f"{name}.calls.delta" for name in WRITES if view.number("commandstats", f"{name}.calls.delta")]
    if not written or any(True for _ in view.peers_with("sentinel")):
        return
    other = view.peer(old)
    if other is not None and other.text("info", "role") != "master":
        return
    theirs = [f"{name}.calls.delta" for name in WRITES if other and other.number("commandstats", f"{name}.calls.delta")]
    why = f"A client made this replica of {old or 'another server'} a primary {age:.0f} s ago, and it accepts writes."
    if theirs:
        likely, more = 0.95, " So does its old primary: what is written to one is missing from the other."
    elif mention(SPLIT, view.symptom) is not None:
        likely, more = 0.6, " According to the report its old primary does too; check it: we can't see it from here."
    else:
        likely, more = 0.35, " Whether its old primary still does can't be seen from here."
    cause = view.cause(
        "split-brain", likely, why + more, ("log", "switch.event"), ("log", "switch.by"), ("log", "switch.old"),
        ("log", "switch.age"), ("info", "role"), *(("commandstats", field) for field in written[:2]),
        *((("symptom", "text"),) if likely == 0.6 else ()),
    )  # fmt: skip
    also = other.cite(*(("commandstats", field) for field in theirs[:2])) if other else ()
    yield cause.model_copy(update={"evidence": (*cause.evidence, *also)})


def sentinel_gone(view: View, limits: Limits) -> Found:
    """A sentinel that can't be reached; the data isn't affected."""
    kind = view.unavailable("connect")
    if view.is_sentinel and kind in ("refused", "timeout"):
        why = "This sentinel can't be reached; no data is affected. Check whether the others can still decide."
        yield view.cause("process-down" if kind == "refused" else "process-frozen", 0.4, why,
                         ("connect", "unavailable"), ("process", "listening"), ("process", "stopped"))  # fmt: skip


FAMILY = Family(
    checks=(noquorum, no_good_replica, locked_out, priority, slowness, split_brain, promoted_by_hand, sentinel_gone,
            disagreeing.sentinels_disagree),
    needs={
        "sentinel-noquorum": ("sentinel",), "sentinel-no-good-replica": ("sentinel",),
        "slowness-failover": ("sentinel",), "split-brain": (),
    },
    consequences={
        # A node that becomes a replica has to close its clients' connections.
        "slowness-failover": {"idle-drop-by-network": 0.4},
        "split-brain": {"stale-endpoint": 0.5, "unexpected-replica": 0.5, "replica-link-down": 0.6},
    },
    placeholders=(*PLACEHOLDERS, *disagreeing.PLACEHOLDERS),
)  # fmt: skip
