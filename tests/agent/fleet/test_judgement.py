"""An answer as a line: which level it has, and what is said of it."""

from typing import Any

import pytest

from agent.answer.diagnosis import Cause, Diagnosis, ModelUse, TargetInfo
from agent.answer.open_points import Blind, Complained, Evidence
from agent.evidence.view import View
from agent.fleet.judgement import line_of
from agent.fleet.preventive import DAY
from tests.agent.checks.rows import NODE, view
from tools.records import Footprint

WELL: dict[str, Any] = {"info": {"connected_clients": 10, "maxclients": 100, "redis_version": "7.0.15"}}
NEARLY: dict[str, Any] = {"info": {**WELL["info"], "connected_clients": 95}}
ENDS = {
    **WELL, "connect": {"certificate_expires_in_seconds": int(DAY / 2), "certificate_lifetime_seconds": 90 * DAY},
}  # fmt: skip


def answer(of: View, **more: Any) -> Diagnosis:
    given = {
        "symptom": "", "target": TargetInfo(url="redis://n:1", nodes=(NODE,)), "outcome": "no-fault", "causes": (),
        "findings": (), "ruled_out": (), "unknown": (), "plan": (), "readings": of.all, "seconds": 2.0,
        "footprint": Footprint(commands=1, pings=0, bytes=0), "model": ModelUse(name="offline"), **more,
    }  # fmt: skip
    return Diagnosis.model_validate(given)


def told(given: dict[str, Any], **more: Any) -> tuple[str, str]:
    shown = view(given)
    line = line_of("orders", answer(shown, **more), [shown])
    return line.level, line.said


def cause(of: View, id: str, *fields: tuple[str, str]) -> Cause:
    return of.cause(id, 0.6, "Why.", *fields)


def complained(of: View, what: str, *fields: tuple[str, str]) -> Complained:
    return Complained(what=what, node=NODE, evidence=of.cite(*fields))


def test_a_server_that_is_well_has_its_nearest_limit() -> None:
    assert told(WELL) == ("healthy", "10% of maxclients")
    assert told({"info": {"redis_version": "7.0.15"}}) == ("healthy", "healthy")


def test_a_cause_is_an_incident_in_plain_words() -> None:
    one = cause(view(WELL), "hot-shard", ("info", "connected_clients"))
    level, said = told(WELL, outcome="diagnosed", causes=(one, one.model_copy(update={"id": "thp"})))
    assert (level, said) == (
        "incident", "hot-shard: One node of the cluster carries most of the load (and thp)",
    )  # fmt: skip


def test_a_complaint_without_a_name_is_an_incident() -> None:
    one = complained(view(WELL), "loading is 1", ("info", "redis_version"))
    level, said = told(WELL, outcome="insufficient-evidence", complaints=(one,))
    assert level == "incident" and said.endswith("loading is 1")


def test_a_complaint_about_a_limit_that_is_near_is_the_finding_about_it() -> None:
    one = complained(
        view(NEARLY), "95 of 100 clients are in use", ("info", "connected_clients"), ("info", "maxclients")
    )
    level, said = told(NEARLY, outcome="insufficient-evidence", complaints=(one,))
    assert (level, said) == ("preventive", "95% of maxclients (95 of 100)")


def test_a_certificate_that_ends_today_is_no_incident_yet() -> None:
    shown = view(ENDS)
    fields = ("connect", "certificate_expires_in_seconds"), ("connect", "certificate_lifetime_seconds")
    assert told(ENDS, outcome="diagnosed", causes=(cause(shown, "tls-mismatch", *fields),)) == (
        "preventive", "certificate expires in 12 h",
    )  # fmt: skip
    # With more than the certificate to show for it, it is one.
    more = cause(shown, "tls-mismatch", *fields, ("info", "maxclients"))
    assert told(ENDS, outcome="diagnosed", causes=(more,))[0] == "incident"


def test_what_a_cause_rests_on_is_said_once() -> None:
    shown = view(NEARLY)
    full = cause(shown, "connection-leak", ("info", "connected_clients"), ("info", "maxclients"))
    line = line_of("orders", answer(shown, outcome="diagnosed", causes=(full,)), [shown])
    assert line.level == "incident" and line.preventive == ()


@pytest.mark.parametrize(("kind", "level"), [("denied", "unanswered"), ("not-local", "healthy"), (None, "unanswered")])
def test_what_was_refused_cant_be_told_and_what_is_never_shown_from_elsewhere_can(kind: Any, level: str) -> None:
    hidden = Blind(what="the slow log", hides=("slow-on-command",), reading="slowlog", kind=kind, nodes=(NODE,))
    given = {"outcome": "insufficient-evidence", "blind": (hidden,), "unknown": ("Can't tell: the slow log.",)}
    assert told(WELL, **given)[0] == level


@pytest.mark.parametrize("kind", ["noauth", "wrongpass"])
def test_who_isnt_let_in_has_no_cause(kind: str) -> None:
    shown = view({"connect": (kind, {"stage": "auth"})})
    line = line_of(
        "orders", answer(shown, outcome="diagnosed", causes=(shown.cause("auth-failure", 0.9, "No."),)), [shown]
    )
    assert line.level == "unanswered" and line.said.startswith("can't log in") and line.causes == ()


def test_an_address_that_isnt_dialled_says_why() -> None:
    assert told({"connect": ("untrusted", {"stage": "tcp"})}, outcome="insufficient-evidence") == (
        "unanswered",
        "untrusted",
    )


def test_nothing_that_was_read_is_no_answer() -> None:
    assert told({}, outcome="insufficient-evidence", summary="Nothing.")[0] == "unanswered"


def test_the_finding_of_another_node_names_it() -> None:
    first, other = view(WELL), view(NEARLY, node="other:1")
    line = line_of("orders", answer(first), [first, other])
    assert line.said == "other:1: 95% of maxclients (95 of 100)"


def test_growth_is_the_named_nodes_alone() -> None:
    full = {"memory": {"maxmemory": 10_000, "used_memory": 5_000, "maxmemory_used_share": 0.5}}
    first, other = view({**WELL, **full}), view(full, node="other:1")
    line = line_of("orders", answer(first), [first, other], growth=1.0)
    assert [one.node for one in line.preventive] == [NODE]


def test_evidence_of_another_reading_is_another_matter() -> None:
    one = Complained(what="x", node=NODE, evidence=(Evidence(reading="r9", field="connected_clients", value=95),))
    assert told(NEARLY, outcome="insufficient-evidence", complaints=(one,))[0] == "incident"
