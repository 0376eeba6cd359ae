"""From findings to an answer: causes compete, consequences give way, and what is missing is named."""

from collections.abc import Iterable, Iterator, Sequence

from agent.answer.diagnosis import NAMELESS, Cause, Outcome, RuledOut, Verdict
from agent.answer.taxonomy import CAUSES
from agent.checks import CHECKS, NEEDS, Check, Limits, kubernetes, managed
from agent.checks.blind_spots import blind_spots, cant_tell, is_pasted, unpasted, without_info
from agent.checks.complaints import complaints, nameless, told
from agent.checks.known_versions import noted
from agent.checks.lifetime import hints, of_the_whole_life
from agent.checks.measured import answers_soon, well
from agent.checks.own_changes import own
from agent.checks.ranking import PRESENT, first_apart, named_nodes, order, overshadowed, rank, together
from agent.checks.strangers import lowered, strangers
from agent.checks.watchers import unheard
from agent.evidence.managed import service_of
from agent.evidence.view import CLIENT_ERRORS, PASTED, Readings, View
from tools.errors import bug
from tools.records import Reading

HINTED = 0.35
"""From this on a finding that the log of a paste supports bars `no-fault`."""
REPORT, REPORTED = "r0", 0.45
"""The reading of the report, and the probability of a finding that only the report supports."""
TOOLS = (
    "info", "commandstats", "latency_sample", "latency_events", "slowlog", "clients", "memory", "persistence",
    "replication", "cluster", "sentinel", "keyspace", "config_get", "config_drift", "access", "process", "sockets",
    "machine", "log", "disk", "idle_probe", "baseline",
)  # fmt: skip
"""Tools in the order in which their missing readings are named; the others follow."""
NAMED_FIRST = (
    "maxclients-exhausted", "connection-churn", "cpu-saturated", "client-evicted", "auth-failure", "eviction-churn",
    "oom-noeviction", "huge-exec", "fork-stall", "fsync-always-slow", "nonkey-memory", "allocator-fragmentation",
    "rss-after-peak", "replica-link-down", "replica-lag", "ttl-leak", "idle-timeout", "diagnostics-disabled",
    "packet-loss", "oom-killed", "masterauth-mismatch",
)  # fmt: skip
"""Causes that are named first if a missing reading hides several; the others follow in the taxonomy's order."""


def hidden_causes() -> dict[str, tuple[str, ...]]:
    """By tool: the causes that can't be recognised without its reading, as the families of checks declare them."""
    ranks = {cause: rank for rank, cause in enumerate((*NAMED_FIRST, *CAUSES))}
    ranks |= {cause: rank for rank, cause in enumerate(NAMED_FIRST)}
    by_tool: dict[str, list[str]] = {tool: [] for tool in TOOLS}
    for cause, tools in NEEDS.items():
        for tool in tools:
            by_tool.setdefault(tool, []).append(cause)
    return {tool: tuple(sorted(causes, key=ranks.__getitem__)) for tool, causes in by_tool.items() if causes}


WRONG_SHOWN = 6
"""How many nodes' unexplained complaints are listed."""
HIDDEN = hidden_causes()


def conclude(
    readings: Iterable[Reading] | Readings, nodes: Sequence[str], limits: Limits, checks: Sequence[Check] = CHECKS
) -> Verdict:
    """What the checks conclude from the readings of a deployment's nodes."""
    deployment = readings if isinstance(readings, Readings) else Readings(readings)
    everything = [deployment.view(node) for node in nodes]
    strange = strangers(everything)
    # Conclusions of a node about its peers must not be based on what a stranger says.
    known = Readings(one for one in deployment.all if one.node not in strange) if strange else deployment
    views = [(deployment if node in strange else known).view(node) for node in nodes]
    findings: list[Cause] = []
    ruled_out: list[RuledOut] = []
    settled: dict[str | None, frozenset[str]] = {}
    bugs: list[str] = []
    averages = of_the_whole_life(known)
    for view in views:
        of_node: list[Cause] = []
        out: list[RuledOut] = []
        for check in checks:
            try:
                results = list(check(view, limits))
            except Exception as error:
                # It is a bug, and what the other checks found still stands.
                bugs.append(f"{bug(f'the check {check.__name__}', error)}; it isn't known what it would find")
                continue
            of_node += [_as_reported(found, view) for found in results if isinstance(found, Cause)]
            # What wasn't read contradicts nothing.
            out += [found for found in results if isinstance(found, RuledOut) and found.rests_on_readings]
        of_node += hints(averages, view, of_node, checks, limits)
        ruled_out += out
        settled[view.node] = frozenset(
            (*(one.id for one in out), *(one.id for one in of_node if one.probability >= PRESENT))
        )
        ranked = [noted(view, own(view, cause)) for cause in rank(of_node)]
        findings += lowered(ranked) if view.node in strange else ranked
    apart = [view for view in views if view.is_sentinel or view.node in strange]
    asked = [view for view in views if view not in apart and view.unavailable("connect") != "untrusted"]
    # A healthy server's figures aren't enough: nothing may be wrong that no check has a name for.
    listed = [(view, found) for view in views if view.node not in strange and (found := list(complaints(view, limits)))]
    wrong = [nameless(view, found) for view, found in listed]
    # Nor is it enough that nothing was found where nothing could be seen.
    blind = blind_spots([view for view in views if not view.is_sentinel and view.node not in strange], limits, settled)
    is_well = bool(asked) and not bugs and not wrong and not _unseen(views) and all(well(view) for view in asked)
    hinted = any(is_pasted(view) and _logged(view, findings) for view in asked)
    measured: Outcome = "no-fault" if is_well and not blind and not hinted else "insufficient-evidence"
    named = [f"{node} is listed as a node of this deployment, but {why}" for node, why in strange.items()]
    unsure = (*unknown(everything), *named, *dict.fromkeys(bugs))
    if len(wrong) > WRONG_SHOWN:
        wrong = [*wrong[:WRONG_SHOWN], f"The same is true of {len(wrong) - WRONG_SHOWN} more nodes."]
    verdict = _verdict(overshadowed(together(findings)), ruled_out, unsure, measured).model_copy(
        update={"blind": blind, "complaints": tuple(one for view, found in listed for one in told(view, found))}
    )
    if verdict.outcome != "insufficient-evidence":
        return verdict
    runs = next(filter(None, map(service_of, views)), None)
    line = cant_tell(blind, views[0].symptom if views else "", runs) or without_info(asked)
    unseen = [line] if line else []
    return verdict.model_copy(update={"unknown": (*wrong, *unseen, *unsure)})


def _logged(view: View, findings: Sequence[Cause]) -> bool:
    """Whether the log shows something of a cause: of a log that somebody cut out nobody knows how often it happened."""
    ids = {one.id for one in view.readings if one.tool == "log"}
    return any(
        cause.probability >= HINTED and any(cited.reading in ids for cited in cause.evidence) for cause in findings
    )


def _unseen(views: Sequence[View]) -> bool:
    """Whether a part of the deployment that serves its own data wasn't examined."""
    if any(view.number("topology", "left_out") for view in views[:1]):
        return True
    shards = bool(views) and views[0].text("topology", "topology") == "cluster"
    return shards and any(
        view.in_topology.get("role") == "primary"
        and view.unavailable("connect") in ("untrusted", "noauth", "wrongpass")
        for view in views
    )


def _as_reported(cause: Cause, view: View) -> Cause:
    """A finding that only a report, and what was read in it, supports stays below 50 %."""
    quoted = {one.id for tool in (PASTED, CLIENT_ERRORS) if (one := view.last(tool))}
    cited = {one.reading for one in cause.evidence}
    if not quoted & cited or cited - quoted - {REPORT}:
        return cause
    return cause.model_copy(update={"probability": min(cause.probability, REPORTED)})


def at_least(floor: Verdict, later: Verdict) -> Verdict:
    """The later of two verdicts, with nothing in it weaker than in the earlier one.

    `floor` is from the readings that were taken without a model, `later` includes those it requested.
    """
    best = {cause.id: cause for cause in floor.findings}
    # What was found without the model stays unchanged, and ahead of what its readings add.
    most = min((cause.probability for cause in floor.findings if cause.probability >= PRESENT), default=1.0)
    for cause in later.findings:
        before = best[cause.id].probability if cause.id in best else 0.0
        if before < PRESENT and (likely := min(cause.probability, most)) > before:
            best[cause.id] = cause.model_copy(update={"probability": likely})
    measured: Outcome = floor.outcome if floor.outcome != "diagnosed" else "insufficient-evidence"
    out = (*later.ruled_out, *floor.ruled_out)
    nameless = (line for line in floor.unknown if line.startswith(NAMELESS) and measured == "insufficient-evidence")
    unsure = dict.fromkeys((*nameless, *later.unknown))
    verdict = _verdict(sorted(best.values(), key=order), out, unsure, measured)
    return verdict.model_copy(update={"blind": later.blind, "complaints": later.complaints})


def _verdict(
    ranked: Sequence[Cause], ruled_out: Sequence[RuledOut], unknown: Iterable[str], measured: Outcome
) -> Verdict:
    """The verdict on findings; `measured` is the outcome where no fault is among them."""
    found_ids = {cause.id for cause in ranked}
    present = [cause for cause in ranked if cause.probability >= PRESENT]
    outcome = _outcome(present) or measured
    causes = [cause for cause in present if cause.id != "outside-redis"] if outcome == "diagnosed" else []
    excluded = {out.id: out for out in reversed(ruled_out) if out.id not in found_ids}
    return Verdict(
        outcome=outcome, causes=tuple(first_apart(causes)[:3]), findings=tuple(ranked),
        ruled_out=tuple(reversed(excluded.values())), unknown=tuple(unknown),
    )  # fmt: skip


def _outcome(present: Sequence[Cause]) -> Outcome | None:
    faults = [cause for cause in present if cause.id != "diagnostics-disabled"]
    if any(cause.id != "outside-redis" for cause in faults):
        return "diagnosed"
    return "outside-redis" if faults else None


def unknown(views: Sequence[View]) -> list[str]:
    """What could not be read, and which causes that hides; what applies only to some nodes says to which."""
    lines: dict[str, list[str]] = {}
    for view in views:
        for line in _unknown(view):
            lines.setdefault(line, []).append(str(view.node))
    everywhere = {str(view.node) for view in views if not view.is_sentinel}
    return [line if everywhere <= set(at) else f"{line} ({named_nodes(at)})" for line, at in lines.items()]


def _unknown(view: View) -> Iterator[str]:
    for tool, hidden in HIDDEN.items():
        reading = view.last(tool)
        if reading is not None and reading.unavailable is not None and reading.unavailable.kind != "not-pasted":
            of = f"{tool} ({reading.unavailable.kind}: {reading.unavailable.detail})"
            yield f"{of} can't be read; that hides {', '.join(hidden)}"
    yield from unpasted([tool for tool in HIDDEN if view.unavailable(tool) == "not-pasted"], HIDDEN)
    refused = (reading := view.last("connect")) and reading.unavailable
    if refused and refused.kind == "untrusted":
        yield refused.detail
        return
    unread = [tool for tool in ("info", "slowlog", "clients", "config_get") if view.last(tool) is None]
    if view.unavailable("connect") and unread:
        yield f"{', '.join(unread)} weren't read, because there was no connection ({view.unavailable('connect')})"
    if view.number("config_get", "latency-monitor-threshold") == 0:
        yield "latency-monitor-threshold is 0, the default: the server records no latency events"
    mean, most = view.number("latency_sample", "mean_ms"), view.number("latency_sample", "max_ms")
    if is_pasted(view) and mean and most and not answers_soon(view):
        yield f"PINGs took {mean:.1f} ms on average and up to {most:.0f} ms; how many were slow isn't in the paste"
    if late := view.number("latency_sample", "own_late"):
        longest = view.number("latency_sample", "own_delay_max_ms") or 0
        pings = "1 PING isn't" if late == 1 else f"{late:.0f} PINGs aren't"
        yield (
            f"{pings} counted in the latency, because rediagnose itself was held "
            f"up at the time, by up to {longest:.0f} ms"
        )
    seen = view.number("clients", "share_seen")
    if seen is not None and seen < 1:
        yield f"{seen:.0%} of the clients were checked"
    if left := view.number("topology", "left_out"):
        yield (
            f"{left:.0f} more nodes belong to this deployment and weren't checked; "
            "nodes reported as down were checked first"
        )
    if left := view.number("sentinel", "masters.left_out"):
        yield (
            f"{left:.0f} more masters are watched here and weren't checked one by one; "
            "masters reported as down were checked first"
        )
    yield from unheard(view)
    yield from kubernetes.unheard(view)
    yield from managed.unheard(view)
