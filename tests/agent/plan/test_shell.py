"""How redis-cli is called for a target: with everything that it needs but the password."""

import shlex
from pathlib import Path

import pytest

from agent.plan.shell import redis_cli, sent_by_hand
from tools.connection.target import Tls, parse_target


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
