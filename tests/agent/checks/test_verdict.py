"""From findings to an answer: consequences, several nodes, outcomes, and a good day to compare with."""

import pytest

from agent.answer.diagnosis import Cause, Evidence, RuledOut
from agent.checks.measured import well
from agent.checks.ranking import PRESENT, first_apart, overshadowed, rank, together
from agent.checks.types import Found, Limits
from agent.checks.verdict import conclude
from agent.checks.versus_baseline import AT_MOST, against, floor, times, weigh
from agent.evidence.view import View
from tests.agent.checks.rows import LIMITS, NODE, Given, view
from tools.server.info import DECISIVE

CHANGED, SAME = LIMITS["baseline_changed_ratio"], LIMITS["baseline_same_ratio"]


def cause(id: str, probability: float, where: str = NODE) -> Cause:
    return Cause(id=id, probability=probability, where=where, why="It is so.", evidence=())


def ranked(*causes: Cause) -> dict[str, float]:
    return {one.id: one.probability for one in rank(causes)}


def test_a_consequence_is_explained_away() -> None:
    assert ranked(cause("connection-churn", 0.9), cause("cpu-saturated", 0.92)) == {
        "connection-churn": 0.9, "cpu-saturated": 0.46,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("churn", "saturated", "left"),
    [
        (0.5, 0.6, 0.3), (0.5, 0.61, 0.61), (0.49, 0.5, 0.5),
        # what is clearly likelier than its reason isn't its consequence
        (0.8, 0.92, 0.92), (0.83, 0.92, 0.46),
    ],
)  # fmt: skip
def test_a_reason_has_to_be_present_and_about_as_likely(churn: float, saturated: float, left: float) -> None:
    assert ranked(cause("connection-churn", churn), cause("cpu-saturated", saturated))["cpu-saturated"] == left


def test_the_strongest_of_several_reasons_counts() -> None:
    found = ranked(cause("lua-busy", 0.9), cause("swapping", 0.9), cause("process-frozen", 0.9))
    assert found["process-frozen"] == 0.27


def test_the_likeliest_of_the_same_finding_stays() -> None:
    assert ranked(cause("thp", 0.4), cause("thp", 0.6), cause("thp", 0.5)) == {"thp": 0.6}


def test_a_switched_off_diagnostic_ranks_last() -> None:
    assert list(ranked(cause("diagnostics-disabled", 0.9), cause("thp", 0.4), cause("swapping", 0.5))) == [
        "swapping", "thp", "diagnostics-disabled",
    ]  # fmt: skip


def test_one_cause_at_several_nodes_is_told_once() -> None:
    merged = together(
        [cause("thp", 0.6, "a"), cause("thp", 0.9, "b"), cause("thp", PRESENT, "c"), cause("thp", 0.49, "d")]
    )
    assert [(one.where, one.probability) for one in merged] == [("b", 0.9)]
    assert merged[0].why == "It is so. The same at a, c."


def test_one_cause_at_one_node_is_told_as_it_is() -> None:
    assert together([cause("thp", 0.6, "a"), cause("thp", 0.5, "a")])[0].why == "It is so."


WELL: Given = {
    "info": {
        "connected_clients": 5, "maxclients": 100, "uptime_in_seconds": 90, "used_memory": 10**6,
        "total_commands_processed": 500,
    },
    "commandstats": {"busy_share": 0.1},
    "latency_sample": {"answered": 20, "median_ms": 1.0, "over_10ms_share": 0.0, "min_ms": 0.5},
}  # fmt: skip


def outcome(given: Given, **more: object) -> str:
    one = view(given, **more)  # type: ignore[arg-type]
    return conclude(one.all, [NODE], LIMITS).outcome


def sampled(median: float, share: float, answered: int = 20) -> Given:
    return {
        **WELL,
        "latency_sample": {"answered": answered, "median_ms": median, "over_10ms_share": share, "min_ms": 0.5},
    }


def on_a_busy_machine(own: float, locality: str = "local", busy_share: float = 0.1) -> Given:
    """PINGs came late, and this program waited for a processor itself: 95 of 100 times for `own` ms at most."""
    sample = {"answered": 60, "median_ms": 8.3, "over_10ms_share": 0.45, "p95_ms": 33.0, "own_delay_p95_ms": own}
    return {
        "info": WELL["info"], "commandstats": {"busy_share": busy_share}, "latency_sample": sample,
        "process": {"locality": locality},
    }  # fmt: skip


def unmeasured(late: int, busy_share: float = 0.1, cycle_usec: float = 50.0) -> Given:
    """PINGs were answered, and this program was too late to time some of them."""
    return {
        "info": {**WELL["info"], "eventloop_cycles.delta": 100, "eventloop_duration_sum.delta": 100 * cycle_usec},
        "commandstats": {"busy_share": busy_share},
        "latency_sample": {"answered": 20, "own_late": late, "own_delay_max_ms": 400.0},
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (WELL, True), (sampled(10, 0), True), (sampled(10.1, 0), False), (sampled(1, 0.2), True),
        (sampled(1, 0.21), False), (sampled(1, 0, 0), False), ({**WELL, "latency_sample": "timeout"}, False),
        (on_a_busy_machine(79), True), (on_a_busy_machine(33), True), (on_a_busy_machine(32), False),
        (on_a_busy_machine(79, locality="other-machine"), False), (on_a_busy_machine(79, busy_share=0.6), False),
        (unmeasured(late=20), True), (unmeasured(late=9), False), (unmeasured(late=20, busy_share=0.6), False),
        (unmeasured(late=20, cycle_usec=11_000), False), (unmeasured(late=20, cycle_usec=9_000), True),
        ({**WELL, "info": "denied"}, False), ({**WELL, "commandstats": "denied"}, False),
        ({name: value for name, value in WELL.items() if name != "commandstats"}, False),
        *(({**WELL, "info": {**WELL["info"], field: lacks}}, False)
          for field in DECISIVE for lacks in (None, "", "many")),
    ],
)  # fmt: skip
def test_a_server_is_well_where_it_was_measured(given: Given, expected: bool) -> None:
    assert well(view(given)) is expected


def test_the_outcomes() -> None:
    assert outcome(WELL) == "no-fault"
    assert outcome({}) == "insufficient-evidence"
    assert outcome({**WELL, "clients": {"monitors": 1}}) == "diagnosed"
    assert outcome({"connect": "dns"}) == "outside-redis"
    # neither displaces the other
    assert outcome({**WELL, "slowlog": {}, "clients": {}, "config_get": {"slowlog-max-len": "0"}}) == "no-fault"
    # a deadline that cut the look off hides what it would have shown
    assert outcome({**WELL, "config_get": {"timeout": "0"}}) == "insufficient-evidence"
    assert outcome({"config_get": {"slowlog-max-len": "0"}}) == "insufficient-evidence"
    # nobody asked a sentinel for data
    assert outcome({**WELL, "topology": {"n1.node": NODE, "n1.role": "sentinel"}}) == "insufficient-evidence"


@pytest.mark.parametrize(
    ("topology", "peer", "expected"),
    [
        ({}, WELL, "no-fault"), ({"left_out": 1}, WELL, "insufficient-evidence"),
        ({}, {"connect": "untrusted"}, "insufficient-evidence"),
        ({"n2.role": "replica"}, {"connect": "untrusted"}, "no-fault"),
        ({"topology": "replication"}, {"connect": "untrusted"}, "no-fault"),
    ],
)  # fmt: skip
def test_a_shard_that_was_not_looked_at_bars_no_fault(topology: Given, peer: Given, expected: str) -> None:
    known = {"topology": "cluster", "left_out": 0, "n1.node": NODE, "n1.role": "primary", "n2.node": "m"}
    one = view({**WELL, "topology": {**known, "n2.role": "primary", **topology}}, peers={"m": peer})
    assert conclude(one.deployment, [NODE, "m"], LIMITS).outcome == expected


def test_of_more_than_three_causes_those_that_are_one_incident_come_last() -> None:
    down = Evidence(reading="r1", field="down1.address", value="c", verified=True)
    found = [
        cause("cluster-slots-down", 0.98, "a").model_copy(update={"evidence": (down,)}),
        cause("process-down", 0.97, "c"), cause("oom-noeviction", 0.95, "b"), cause("slow-on-command", 0.94, "d"),
    ]  # fmt: skip
    assert [one.where for one in first_apart(found)] == ["a", "b", "d", "c"]
    assert first_apart(found[:3]) == found[:3]


def test_of_more_than_three_causes_each_node_has_its_first_before_a_second_at_one_of_them() -> None:
    found = [
        cause("maxmemory-shrunk", 0.96, "a"), cause("oom-noeviction", 0.95, "a"), cause("slow-on-command", 0.9, "b"),
        cause("ttl-leak", 0.85, "c"), cause("big-key", 0.6, "d"),
    ]  # fmt: skip
    assert [one.where for one in first_apart(found)] == ["a", "b", "c", "a", "d"]
    assert first_apart(found[:3]) == found[:3]


def test_a_suspicion_is_less_likely_once_a_cause_is_established() -> None:
    found = [cause("oom-noeviction", 0.93), cause("hot-key", 0.5), cause("ttl-leak", 0.48), cause("queue-backlog", 0.3)]
    assert [one.probability for one in overshadowed(found)] == [0.93, 0.5, 0.24, 0.15]
    assert overshadowed(found[1:]) == found[1:]


def test_a_cause_at_one_node_makes_no_suspicion_at_another_less_likely() -> None:
    found = [cause("process-down", 0.97, "a"), cause("oom-killed", 0.45, "a"), cause("slow-on-command", 0.4, "b")]
    assert [(one.probability, one.where) for one in overshadowed(found)] == [(0.97, "a"), (0.4, "b"), (0.225, "a")]


def test_a_diagnostic_that_is_off_makes_no_suspicion_less_likely() -> None:
    found = [cause("ttl-leak", 0.4), cause("diagnostics-disabled", 0.95)]
    assert overshadowed(found) == found


def test_a_fault_inside_comes_before_one_outside() -> None:
    both: Given = {"connect": ("dns", {}), "clients": {"monitors": 1}}
    verdict = conclude(view(both).all, [NODE], LIMITS)
    assert (verdict.outcome, [one.id for one in verdict.causes]) == ("diagnosed", ["monitor-attached"])
    assert {one.id for one in verdict.findings} == {"monitor-attached", "outside-redis"}


def test_an_answer_has_the_three_likeliest_and_all_findings() -> None:
    given = {
        "clients": {"monitors": 1, "paused": 1, "omem_max": 2**21, "omem_max.flags": "N", "qbuf_max": 2**21},
        "config_get": {"slowlog-max-len": "0"},
    }  # fmt: skip
    verdict = conclude(view(given).all, [NODE], LIMITS)
    assert [one.id for one in verdict.causes] == ["slow-consumer-output", "client-paused", "query-buffer-hog"]
    assert len(verdict.findings) == 5
    assert verdict.findings[-1].id == "diagnostics-disabled"


def test_what_was_found_anywhere_is_ruled_out_nowhere() -> None:
    given = {"clients": {"monitors": 0, "omem_max": 0, "stalled": 0}}
    peers = {"peer": {"clients": {"monitors": 1, "omem_max": 0, "stalled": 0}}}
    verdict = conclude(view(given, peers=peers).all, [NODE, "peer"], LIMITS)
    excluded = {out.id: out for out in verdict.ruled_out}
    assert "monitor-attached" not in excluded
    assert [one.reading for one in excluded["slow-consumer-output"].evidence] == ["r1"]


def good_day(before: float, now: float, figure: str = "cpu_share") -> View:
    return view({"baseline": {f"{figure}.before": before, f"{figure}.now": now}})


def weighed(before: float, now: float, probability: float = 0.6, *, out: bool = False) -> Cause | RuledOut:
    return weigh(good_day(before, now), LIMITS, cause("cpu-saturated", probability), ["cpu_share"], out=out)


def test_what_changed_since_the_good_day_speaks_for_a_finding() -> None:
    # 0.1 is added to both sides
    raised = weighed(0.1, CHANGED * 0.2 - 0.1)
    assert isinstance(raised, Cause)
    assert raised.probability == 0.8
    assert raised.why == "It is so. Unlike in the baseline: cpu_share 0.1 then and 0.3 now."
    assert [one.field for one in raised.evidence] == ["cpu_share.before", "cpu_share.now"]
    assert weighed(0.1, CHANGED * 0.2 - 0.11) == cause("cpu-saturated", 0.6)


def test_it_never_becomes_certain_nor_less_likely() -> None:
    assert [one.probability for one in (weighed(0.1, 1, 0.96), weighed(0.1, 1, 0.99)) if isinstance(one, Cause)] == [
        0.97,
        0.99,
    ]


def test_what_is_as_on_the_good_day_is_no_news() -> None:
    for now in (SAME * 0.6 - 0.1, 0.6 / SAME - 0.1):
        lowered = weighed(0.5, now)
        assert isinstance(lowered, Cause)
        assert lowered.probability == 0.3
    assert weighed(0.5, SAME * 0.6 - 0.09) == cause("cpu-saturated", 0.6)
    assert weighed(0.5, 0.6 / SAME - 0.11) == cause("cpu-saturated", 0.6)
    most = weighed(0.5, 0.5, 0.9)
    assert isinstance(most, Cause)
    assert most.probability == AT_MOST
    ruled_out = weighed(0.5, 0.5, out=True)
    assert isinstance(ruled_out, RuledOut)
    assert ruled_out.because == "As in the baseline: cpu_share 0.5 then and 0.5 now."


def test_a_figure_that_fell_counts_where_it_would_fall() -> None:
    fallen = weigh(good_day(0.9, 0.4, "hit_ratio"), LIMITS, cause("eviction-churn", 0.6), [], ["hit_ratio"])
    same = weigh(good_day(0.9, 0.41, "hit_ratio"), LIMITS, cause("eviction-churn", 0.6), [], ["hit_ratio"])
    assert isinstance(fallen, Cause)
    assert fallen.probability == 0.8
    assert same == cause("eviction-churn", 0.6)


def test_without_a_good_day_a_finding_stays_as_it_is() -> None:
    assert weigh(view({}), LIMITS, cause("thp", 0.6), ["cpu_share"]) == cause("thp", 0.6)
    assert times(view({"baseline": {"cpu_share.now": 1}}), "cpu_share") is None


def test_nearly_nothing_against_nothing_is_no_change() -> None:
    assert (floor("o1_clients"), floor("connected_clients"), floor("OOM_per_second")) == (6.0, 5, 0.5)


def test_a_check_is_weighed_and_what_it_rules_out_is_not() -> None:
    @against("cpu_share")
    def check(view: View, limits: Limits) -> Found:
        """Finds one thing and rules another out."""
        yield cause("thp", 0.6)
        yield view.not_("swapping", "No.")

    found = list(check(good_day(0.5, 0.5), LIMITS))
    assert [(one.id, getattr(one, "probability", None)) for one in found] == [("thp", 0.3), ("swapping", None)]
    assert check.__doc__ == "Finds one thing and rules another out."
