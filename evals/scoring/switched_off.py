"""What is answered where the check that knows the cause is switched off: as a cause that nobody thought of.

`python -m evals.scoring.switched_off` does it for every recorded fault and prints how often a sick server is called
well, and how often another cause is named above 50 %.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

from agent.answer.diagnosis import Diagnosis, Verdict
from agent.answer.taxonomy import CAUSES
from agent.checks import CHECKS
from agent.checks.ranking import PRESENT
from agent.checks.types import Check, Found, Limits
from agent.checks.verdict import conclude
from agent.evidence.view import View
from agent.recordings.replay import case, on_virtual_time
from agent.runbooks.library import load as runbooks
from evals.scoring.scenario import BUNDLED, Scenario, load
from tools.record.load import load as recording
from tools.record.tape import Tape

BROUGHT_ABOUT: Mapping[tuple[str, str], str] = {
    (
        "fd-limit-clamp",
        "maxclients-exhausted",
    ): "every slot that the file limit leaves is taken, and clients are refused",
    ("fd-limit-clamp", "config-drift"): "the file's maxclients isn't the one that runs",
    (
        "announced-address-unreachable",
        "non-cluster-client",
    ): "redirects name no address that a client could follow",
    ("maxmemory-shrunk", "eviction-churn"): "what no longer fits is evicted, asked for and missed",
    ("nonkey-memory", "eviction-churn"): "keys are evicted for the buffers, asked for and missed",
    ("nonkey-memory", "oom-noeviction"): "the buffers fill maxmemory, nothing may be evicted, and writes are refused",
    ("stale-endpoint", "replica-write-or-stale"): "clients write to what is a replica now",
    ("oom-killed", "process-down"): "the process is gone",
    ("start-failed", "process-down"): "nothing listens, because the server didn't start",
    ("retry-storm", "connection-churn"): "each retry is a new connection",
    ("script-missing", "client-errors"): "each call of a function that isn't there is answered with an error",
    ("masterauth-mismatch", "auth-failure"): "the primary refuses the replica's login, as any other",
    ("masterauth-mismatch", "replica-link-down"): "the replica's link is down",
    ("noreplicas", "replica-link-down"): "the link of the replica that is missing is down",
    ("listen-backlog-overflow", "process-frozen"): "the process is stopped, which is why nobody accepts",
    ("oom-killed", "data-gone"): "without persistence the server came back empty",
    ("queue-evicted", "eviction-churn"): "keys are evicted, and what is evicted is asked for and missed",
    ("eviction-churn", "data-gone"): "what was evicted is looked up and missed",
    ("balancer-over-replicas", "replica-write-or-stale"): "writes that the balancer sends to a replica are refused",
    ("slowness-failover", "slow-on-command"): "slow scripts make the primary seem dead",
}
"""By a cause and another that it brings about: what is truly there as well, so that naming it isn't wrong."""
MOST_WRONG = 0.03
"""Of the recorded faults: the share that may be taken for a cause which isn't there."""


def without(causes: Sequence[str]) -> tuple[Check, ...]:
    """All checks, none of which finds these causes."""

    def silenced(check: Check) -> Check:
        @functools.wraps(check)
        def found(view: View, limits: Limits) -> Found:
            yield from (one for one in check(view, limits) if one.id not in causes)

        return found

    return tuple(map(silenced, CHECKS))


def unnamed(scenario: Scenario, answered: Diagnosis, limits: Limits) -> Verdict | None:
    """The verdict on a recorded incident if nobody knew its causes; None where it isn't a known fault."""
    found = {cause.id for cause in answered.findings if cause.probability >= PRESENT}
    # What the checks don't find with all of them on shows nothing.
    if scenario.cause not in CAUSES or scenario.cause not in found:
        return None
    return conclude(answered.readings, answered.target.nodes, limits, without((scenario.cause, *scenario.also)))


def _verdict(scenario: Scenario) -> Verdict | None:
    library = runbooks()

    async def investigate() -> Diagnosis:
        async with case(Tape(recording(BUNDLED / scenario.file)), scenario.ticket, library=library) as investigation:
            return investigation.answer()

    return unnamed(scenario, on_virtual_time(investigate()), library.thresholds)


def taken_for(verdict: Verdict) -> str:
    """The first cause that is named, or the outcome where none is."""
    return verdict.causes[0].id if verdict.causes else verdict.outcome


def main() -> None:
    """Print it; it takes a minute of a core."""
    scenarios = load(BUNDLED)
    with ProcessPoolExecutor() as pool:
        verdicts = zip(scenarios, pool.map(_verdict, scenarios, chunksize=8), strict=True)
        judged = [(scenario, verdict) for scenario, verdict in verdicts if verdict]
    outcomes = Counter(verdict.outcome for _, verdict in judged)
    print(f"{len(judged)} recorded faults, each without the check for its own cause:")
    for outcome, count in outcomes.most_common():
        print(f"  {outcome:<22} {count:>4}  {count / len(judged):.1%}")
    pairs = Counter((scenario.cause, taken_for(verdict)) for scenario, verdict in judged if verdict.causes)
    print("Another cause was named above 50 % and is present as well:")
    for (cause, named), count in pairs.most_common():
        if because := BROUGHT_ABOUT.get((cause, named)):
            print(f"  {count:>3}  {cause}: {named} ({because})")
    wrong = {pair: count for pair, count in pairs.most_common() if pair not in BROUGHT_ABOUT}
    print(f"Another cause was named above 50 % but isn't present: {sum(wrong.values())}, "
          f"{sum(wrong.values()) / len(judged):.1%}")  # fmt: skip
    for (cause, named), count in wrong.items():
        print(f"  {count:>3}  {cause}: {named}")


if __name__ == "__main__":
    main()
