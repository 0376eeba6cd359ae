"""The least-privilege users, for servers of all kinds: which rules each takes, which it lacks and why."""

from typing import Any

import pytest

from tools.connection.allowed import TABLE
from tools.server.users import HOLES, NAMES, PASSWORD, About, UserTier, missing, readable, user

KNOWN = frozenset({*TABLE, *(name.partition("|")[0] for name in TABLE)})


def about(version: str | None = "7.2.5", product: str = "redis", **more: Any) -> About:
    given = {"sentinel": False, "known": None, "subcommands": False, "has_acls": True, **more}
    return About.model_validate({"product": product, "version": version, **given})


NEW = {"redis": "7.0", "valkey": "7.0"}
ONLY_VALKEY = {"valkey": "8.1"}


@pytest.mark.parametrize(
    ("server", "name", "since", "why"),
    [
        (about(), "ping", None, None), (about("7.0.0"), "cluster|shards", NEW, None),
        (about("6.9.9"), "cluster|shards", NEW, "it came with Redis 7.0"),
        (about("10.0"), "cluster|shards", NEW, None),
        (about(None), "cluster|shards", NEW, "it came with Redis 7.0, but this server's version can't be read"),
        (about(None), "ping", None, None),
        (about("8.1", "valkey"), "commandlog|get", ONLY_VALKEY, None),
        (about("8.0.9", "valkey"), "commandlog|get", ONLY_VALKEY, "it came with Valkey 8.1"),
        # The other product's command is decided by that one's version.
        (about("8.2"), "commandlog|get", ONLY_VALKEY, "it came with Valkey 8.1"),
        # Where subcommands are known, that decides, whatever the version.
        (about("6.2", known=frozenset({"memory|stats"}), subcommands=True), "memory|stats", NEW, None),
        (about("7.2", known=frozenset({"memory"}), subcommands=True), "memory|stats", NEW,
         "this server doesn't have it, or has it under another name"),
        # Where only commands are known, the version has to do as well.
        (about("6.2", known=frozenset({"memory"})), "memory|stats", None, None),
        (about("6.2", known=frozenset({"memory"})), "memory|stats", NEW, "it came with Redis 7.0"),
        (about("6.2", known=frozenset()), "memory|stats", None, "this server doesn't have it, or has it under another"),
    ],
)  # fmt: skip
def test_a_rule_that_a_server_would_not_take_says_why(
    server: About, name: str, since: dict[str, str] | None, why: str | None
) -> None:
    found = missing(server, name, since)
    assert found == why or (why is not None and found is not None and found.startswith(why))


@pytest.mark.parametrize(
    ("server", "source"),
    [
        (about(known=KNOWN, subcommands=True), "COMMAND INFO"), (about(known=KNOWN), "COMMAND INFO and its version"),
        (about(), "its version"), (about(None), "what every version since 6.2 supports"),
        (about(None, known=KNOWN), "what every version since 6.2 supports"),
    ],
)  # fmt: skip
def test_what_the_rules_were_chosen_by(server: About, source: str) -> None:
    assert server.source == source


@pytest.mark.parametrize("tier", NAMES)
def test_a_user_begins_with_nothing_and_is_granted_commands_one_by_one(tier: UserTier) -> None:
    made = user(about(), tier, 0)
    assert made.command == f"ACL SETUSER {NAMES[tier]} " + " ".join(made.rules)
    assert made.rules[:5] == ("reset", "on", f">{PASSWORD}", "resetkeys", "resetchannels")
    granted = made.rules[made.rules.index("-@all") + 1 :]
    assert granted and all(rule.startswith("+") and "@" not in rule for rule in granted)
    assert ("+config|set" in granted) == (tier == "writer")
    assert ("+type" in granted) == ("%R~*" in made.rules) == (tier == "key-reader")
    assert "+select" not in granted and "&*" not in made.rules
    assert made.holes == {f"+{name}": hole for name, hole in HOLES.items() if f"+{name}" in granted}
    assert {one.rule for one in made.left_out}.isdisjoint(granted)
    assert "+commandlog|get" in {one.rule for one in made.left_out}


def test_what_depends_on_the_server_and_the_url() -> None:
    assert "+select" in user(about(), "reader", 3).rules
    assert "~*" in user(about("6.2.0"), "key-reader", 0).rules
    assert "%R~*" in user(about("7.0.0"), "key-reader", 0).rules
    old = user(about("6.2.0"), "writer", 0)
    assert "+function|kill" in {one.rule for one in old.left_out} and "+script|kill" in old.rules
    assert "+function|kill" in user(about("7.0.0"), "writer", 0).rules


def test_a_sentinel_is_asked_less_and_hides_nothing_that_a_data_node_reports() -> None:
    server = about(sentinel=True)
    rows = readable(server, 0, keys=False)
    names = {row.name for row in rows}
    assert "sentinel|masters" in names and "memory|stats" not in names and "psubscribe" in names
    assert all(row.causes == () for row in rows if row.tier == "reader")
    assert "&*" in user(server, "reader", 0).rules
    assert "sentinel|masters" not in {row.name for row in readable(about(), 0, keys=True)}
