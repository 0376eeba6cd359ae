"""How redis-cli is called for a target: with everything that it needs but the password."""

import shlex
from pathlib import Path

import pytest

from agent.evidence.view import Readings
from agent.plan.shell import redis_cli, sent_by_hand, ways
from tools.connection.target import Tls, parse_target
from tools.records import Kind, Reading, Unavailable


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("redis://10.0.0.7:6380", "redis-cli -h 10.0.0.7 -p 6380"), ("redis://[::1]:6379", "redis-cli -h ::1 -p 6379"),
        ("redis://app:s3cret@h:6379/2", "redis-cli -h h -p 6379 --user app"),
        ("rediss://:s3cret@h:6379", "redis-cli -h h -p 6379 --tls"),
        ("unix:///run/redis/redis.sock", "redis-cli -s /run/redis/redis.sock"),
        ("unix:///run/a%20b.sock", "redis-cli -s '/run/a b.sock'"),
    ],
)  # fmt: skip
def test_a_target(url: str, line: str) -> None:
    made = redis_cli(parse_target(url))
    assert made == line
    assert "s3cret" not in made


def test_tls_settings_go_along() -> None:
    target = parse_target("rediss://h:6379").model_copy(update={"tls": Tls(cacert=Path("/etc/a b.pem"), insecure=True)})
    assert redis_cli(target) == "redis-cli -h h -p 6379 --tls --cacert '/etc/a b.pem' --insecure"
    assert redis_cli(target, "10.0.0.8:7000") == (
        "redis-cli -h 10.0.0.8 -p 7000 --tls --cacert '/etc/a b.pem' --insecure"
    )


@pytest.mark.parametrize(
    "address", ["h", "h:", ":1", "h:1;reboot", "-h:1", "h:port", "a b:1", "h:123456", "$(a):1", "unix:/run/a", "[::1:1"]
)
def test_what_is_no_address_is_reached_by_no_line(address: str) -> None:
    assert redis_cli(parse_target("redis://h:6379"), address) is None


def test_a_command_is_quoted_for_a_shell() -> None:
    args = ("CONFIG", "SET", "client-output-buffer-limit", "replica 1 1 1")
    line = sent_by_hand(parse_target("redis://h:6379"), args)
    assert shlex.split(line)[-len(args) :] == list(args)
    assert sent_by_hand(parse_target("redis://h:6379"), ("CONFIG", "SET", "save", "")).endswith("save ''")


def at(node: str, kind: Kind | None = None) -> Reading:
    lost = Unavailable(kind=kind, detail="") if kind else None
    return Reading(
        id="r1", tool="connect", args={}, node=node, at="", ms=0, values=None if kind else {"stage": "open"},
        unavailable=lost,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("readings", "has_way"),
    [
        ((), False), ((at("203.0.113.9:6379"),), True), ((at("203.0.113.9:6379", "refused"),), True),
        ((at("203.0.113.9:6379", "timeout"),), True), ((at("203.0.113.9:6379", "untrusted"),), False),
        ((at("203.0.113.9:6379", "dns"),), False), ((at("203.0.113.9:6380"),), False),
    ],
)  # fmt: skip
def test_no_line_takes_the_password_where_it_was_not_sent_from_here(
    readings: tuple[Reading, ...], has_way: bool
) -> None:
    address, known = "203.0.113.9:6379", Readings(readings)
    assert (ways(parse_target("redis://:s3cret@h:1"), known)(address) is not None) is has_way
    assert ways(parse_target("redis://h:1", environ={}), known)(address)
    neighbour = parse_target("redis://:s3cret@h:1").neighbour("10.0.0.9", 6379)
    assert (ways(neighbour, known)(address) is not None) is has_way
    assert ways(neighbour, known)("h:6380") and not ways(neighbour, known)("")
    assert ways(parse_target("unix:///run/a?password=s3cret"), known)("")
