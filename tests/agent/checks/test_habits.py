"""What applications do that no setting forbids is named where it's wrong, and only there."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.checks.busy import LARGE_REPLY, MUCH_OUTPUT
from agent.checks.complaints import complaints
from agent.checks.complaints.habits import ASKED, MANY_EXPIRING
from agent.checks.resets import idle_drop
from agent.checks.senders import JUST_NOW
from agent.runbooks.placeholders import values_at
from tests.agent.checks.rows import LIMITS, Given, found, view

QUIET, FULL = "Carts of some users are empty", "The network of the Redis host is at its ceiling"
LATE = "Seats are released minutes too late, we wait for the expired event"


def inside(begun: int | None = 0, ended: int | None = 0, flags: str = "x", idle: float = 0) -> Given:
    return {
        "commandstats": {"window_seconds": 2.0, "multi.calls.delta": begun, "exec.calls.delta": ended},
        "clients": {"g1.flags": flags, "g1.count": 6, "g1.idle_median": idle, "g1.name": "php-fpm"},
    }


def sent(each: float, rate: float = MUCH_OUTPUT) -> Given:
    return {
        "info": {"total_net_output_bytes.rate": rate, "total_commands_processed.rate": rate / each},
        "commandstats": {"top": "get"}, "clients": {"g1.cmd": "get", "g1.name": "web"},
    }  # fmt: skip


def expiring(keys: int, events: str = "Ex") -> Given:
    return {"keyspace": {"db0.expires": keys}, "config_get": {"notify-keyspace-events": events}}


def asks(times: float, done: float) -> Given:
    return {
        "commandstats": {"window_seconds": 2.0, "cluster|nodes.calls.delta": times},
        "info": {"total_commands_processed.delta": done},
        "clients": {"g1.cmd": "cluster|nodes", "g1.name": "lettuce-refresh"},
    }


def cut(age: int = 0, since: int = 60, idle: int = 0, counted: int | None = 3) -> Given:
    """Everybody but one has come within seconds, before CLIENT KILL was counted by itself."""
    return {
        "clients": {
            "o1.cmds": "get set", "o1.name": "orders", "o1.age_min": 0, "o1.age_max": age, "o1.idle_max": 0,
            "o2.cmds": "client", "o2.name": "ops-cleanup", "o2.age_min": since, "o2.age_max": since,
            "o2.idle_max": idle,
        },
        "commandstats": {"client.calls.delta": counted},
        "idle_probe": {"closed_by_peer": True, "idle_seconds": 8.0, "still_listed": False},
        "config_get": {"timeout": "0", "tcp-keepalive": "300"},
    }  # fmt: skip


ROWS: tuple[tuple[str, Given, str, str], ...] = (
    ("sends on inside an old MULTI", inside(), QUIET, "6 connections of php-fpm are inside a MULTI"),
    ("transactions come and go", inside(begun=40, ended=40), QUIET, ""),
    ("one is begun now", inside(begun=1), QUIET, ""),
    ("nobody ever began one", inside(begun=None), QUIET, ""),
    ("left alone inside", inside(idle=3), QUIET, ""),
    ("inside none", inside(flags="N"), QUIET, ""),
    ("large replies fill the network", sent(LARGE_REPLY), FULL, "the time goes into GET by web"),
    ("large replies to one of two", {**sent(LARGE_REPLY), "clients": {"g1.cmd": "get", "g2.cmd": "get"}}, FULL,
     "the time goes into GET"),
    ("smaller ones", sent(LARGE_REPLY - 1), FULL, ""),
    ("large ones at a low rate", sent(LARGE_REPLY, MUCH_OUTPUT - 1), FULL, ""),
    ("large ones, and nobody speaks of the network", sent(LARGE_REPLY), QUIET, ""),
    ("late events among many keys", expiring(MANY_EXPIRING), LATE, "20,000 keys have a time to live"),
    ("late events among fewer", expiring(MANY_EXPIRING - 1), LATE, ""),
    ("events that aren't late", expiring(MANY_EXPIRING), "We listen for the expired event, is Redis well?", ""),
    ("asks for the nodes all the time", asks(2 * ASKED, 4 * ASKED), QUIET, "50 times a second lettuce-refresh"),
    ("asks less often", asks(2 * ASKED - 1, 2 * ASKED), QUIET, ""),
    ("asks often beside much work", asks(2 * ASKED, 4 * ASKED + 1), QUIET, ""),
    ("somebody may close all connections", cut(), QUIET, "ops-cleanup sends CLIENT commands"),
)  # fmt: skip


@pytest.mark.parametrize(("given", "symptom", "said"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_habit_is_named_with_what_to_do_about_it(given: Mapping[str, Any], symptom: str, said: str) -> None:
    told = list(complaints(view(given, symptom=symptom), LIMITS))
    named = [one for one in told if said and said in one.what]
    assert bool(named) is bool(said) and all(one.remedy for one in named), told
    if not said:
        assert not told


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (cut(), ""), (cut(age=JUST_NOW + 1), "likely"), (cut(since=JUST_NOW), "likely"),
        (cut(idle=JUST_NOW + 1), "likely"), (cut(counted=None), "likely"),
    ],
)  # fmt: skip
def test_what_somebody_may_have_closed_isnt_the_networks_fault(given: Given, word: str) -> None:
    assert found(idle_drop, given) == ({"idle-drop-by-network": word} if word else {})


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"slowlog": {"FLUSHDB.max_usec": 900_000}, "info": {"redis_version": "6.2.5"}}, ("yes",)),
        ({"commandstats": {"flushall.usec_per_call.delta": 20_000}, "info": {"redis_version": "10.0.0"}}, ("yes",)),
        ({"slowlog": {"FLUSHDB.max_usec": 900_000}, "info": {"redis_version": "6.0.16"}}, None),
        ({"slowlog": {"FLUSHDB.max_usec": 19_999, "DEL.max_usec": 900_000}}, None),
    ],
)  # fmt: skip
def test_a_flush_has_a_setting_of_its_own(given: Given, value: tuple[str, ...] | None) -> None:
    assert values_at(view(given)).get("flushed") == value
