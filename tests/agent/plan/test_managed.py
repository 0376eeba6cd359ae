"""Remedies for a managed service: none names a command that it refuses, a file, or a machine."""

import pytest

from agent.answer.diagnosis import Step
from agent.evidence.view import Readings
from agent.plan.drafts import Draft
from agent.plan.managed import UNVERIFIED, as_offered, in_place, lacking, own_terms, sayable
from agent.runbooks.library import load
from agent.runbooks.remedy import Remedy
from evals.blind import MODES, NOBODY_HAS, answer, faults, strayed
from evals.scoring.scenario import BUNDLED, Scenario
from evals.scoring.scenario import load as scenarios
from tools.connection.managed import Service, services
from tools.gate.policy import Change

SERVICES = tuple(services().values())
FAULTS = [one for one in faults(scenarios(BUNDLED)) if one.attack is None]
IDS = [one.id for one in SERVICES]


def remedy(action: str, kind: str = "config_set") -> Remedy:
    """A remedy with one action."""
    return Remedy(kind=kind, action=action, why="It helps. Edit redis.conf as well.", risk="safe")  # type: ignore[arg-type]


@pytest.mark.parametrize("service", SERVICES, ids=IDS)
def test_no_runbook_names_what_a_service_does_not_have(service: Service) -> None:
    for book in load().runbooks:
        for cause, notes in book.causes.items():
            owns = [own_terms(one, service) for one in notes.remedies]
            kept = [one.remedy for one in owns if one.remedy]
            more = in_place(cause, service, kept, len(kept) < len(owns))
            assert kept or more, f"{cause}: nothing is said at {service.name}"
            for one in (*kept, *more):
                assert one.kind != "config_set"
                for text in (*one.texts, *one.lines):
                    assert service.blocked_in(text) is None, (cause, text)
                    assert NOBODY_HAS.search(text) is None, (cause, text)
            assert all(one.why_not for one in owns if one.remedy is None)
            assert lacking(sayable(notes.avoid, service) or "", service) is None


@pytest.mark.parametrize(
    ("scenario", "service"),
    [pytest.param(one, IDS[place % len(IDS)], id=f"{one.id}-{IDS[place % len(IDS)]}")
     for place, one in enumerate(FAULTS[::5])],
)  # fmt: skip
def test_no_plan_of_a_recorded_fault_does(scenario: Scenario, service: str) -> None:
    answered = answer(scenario, MODES[service])
    assert answered.target.service == service
    assert list(strayed(answered)) == []


def test_a_setting_is_made_where_the_service_keeps_it() -> None:
    own = own_terms(remedy("CONFIG SET timeout 300"), services()["elasticache"]).remedy
    assert own is not None
    assert (own.kind, own.why) == ("outside", "It helps.")
    assert own.action.startswith("Set timeout to 300 in the parameter group")
    assert own.paste == (
        "aws elasticache modify-cache-parameter-group --cache-parameter-group-name GROUP "
        "--parameter-name-values ParameterName=timeout,ParameterValue=300",
    )


def test_a_setting_that_follows_from_the_size_is_the_size() -> None:
    own = own_terms(remedy("CONFIG SET maxmemory 1073741824"), services()["memorystore"]).remedy
    assert own is not None and "gcloud redis instances update INSTANCE --region REGION --size GB" in own.action
    assert own.paste == ()


def test_a_setting_that_nobody_can_change_is_left_out_with_the_reason() -> None:
    own = own_terms(remedy("CONFIG SET repl-timeout 120"), services()["azure"])
    assert own.remedy is None
    assert own.why_not == "repl-timeout is none of the settings that a customer of Azure Cache for Redis can change"


def test_a_command_stays_unless_it_is_refused() -> None:
    purge = remedy("MEMORY PURGE", "command")
    kept = own_terms(purge, services()["elasticache"]).remedy
    assert kept is not None and (kept.kind, kept.action) == ("command", "MEMORY PURGE")
    assert own_terms(purge, services()["redis-cloud"]).why_not == "Redis Cloud refuses MEMORY PURGE"


def test_what_no_customer_can_do_becomes_what_the_service_offers() -> None:
    aws = services()["elasticache"]
    made = in_place("process-down", aws, [], some_left_out=True)
    assert [one.action for one in made] == [aws.terms[name] for name in ("events", "network", "failover", "support")]
    assert [one.risk for one in made] == ["safe", "safe", "risky", "safe"]
    assert in_place("slow-on-command", aws, made, some_left_out=False) == []


def test_sentences_about_what_is_not_there_are_left_out() -> None:
    azure = services()["azure"]
    assert (
        sayable("It frees memory. Then edit redis.conf. Do it at night.", azure) == "It frees memory. Do it at night."
    )
    assert sayable("Restart the server.", azure) is None and sayable(None, azure) is None
    assert (
        lacking("run CONFIG SET timeout 0", azure) == "CONFIG"
        and lacking("raise maxclients to 9", azure) == "maxclients"
    )
    assert lacking("have the application retry", azure) is None


NODE = "shop.abc123.ng.0001.use1.cache.amazonaws.com:6379"


def proposed(action: str, kind: str, node: str = NODE) -> Draft:
    """A step that a model adds."""
    args = tuple(action.split())
    step = Step(
        id="s0", kind=kind, node=node, action=action, why="It helps.", risk="risky",  # type: ignore[arg-type]
        needs_approval=kind != "outside", before="0", paste=(f"redis-cli {action}",),
    )  # fmt: skip
    return Draft(step=step, change=None if kind == "outside" else Change(node=node, args=args, risk="risky"))


def test_a_models_setting_becomes_the_services_own() -> None:
    kept, left_out = as_offered([proposed("CONFIG SET timeout 300", "config_set")], Readings(()), NODE)
    step = kept[0].step
    assert left_out == [] and kept[0].change is None
    assert (step.kind, step.needs_approval, step.before) == ("outside", False, None)
    assert step.action.startswith("Set timeout to 300 in the parameter group") and "aws elasticache" in step.paste[0]


def test_a_models_step_that_nobody_can_carry_out_there_is_left_out() -> None:
    drafts = [
        proposed(f"{UNVERIFIED}: set vm.overcommit_memory in /etc/sysctl.conf", "outside"),
        proposed("CONFIG SET repl-timeout 120", "config_set"),
        proposed(f"{UNVERIFIED}: ask the owner of the import", "outside"), proposed("CLIENT KILL ID 7", "command"),
    ]  # fmt: skip
    kept, left_out = as_offered(drafts, Readings(()), NODE)
    assert kept == drafts[2:]
    assert [one.why.split(" ")[0] for one in left_out] == ["Amazon", "repl-timeout"]


def test_a_server_of_ones_own_keeps_its_steps() -> None:
    drafts = [proposed("CONFIG SET timeout 300", "config_set", "10.0.0.1:6379")]
    assert as_offered(drafts, Readings(()), "10.0.0.1:6379") == (drafts, [])
