"""Which class a change is of, what it's called, and how it reads: by tables."""

import re

import pytest

from tools.errors import Forbidden
from tools.gate.policy import (
    VALUE_MOST,
    Change,
    allowed_change,
    canonical_name,
    command_line,
    command_risk,
    config_risk,
    destructive,
    parse_command,
    refusal_of_advice,
    settings,
    spellings,
)

NODE = "127.0.0.1:6379"


@pytest.mark.parametrize(
    ("parameter", "value", "risk"),
    [
        ("slowlog-max-len", "128", "safe"), ("SLOWLOG-MAX-LEN", "128", "safe"), ("tcp-keepalive", "60", "safe"),
        ("commandlog-slow-execution-max-len", "128", "safe"), ("maxmemory", "100mb", "risky"),
        ("maxclients", "10000", "risky"), ("timeout", "0", "risky"), ("slave-priority", "100", "risky"),
        ("appendfsync", "everysec", "risky"), ("save", "", "risky"),
    ],
)  # fmt: skip
def test_a_parameter_has_its_class_whatever_its_case_and_alias(parameter: str, value: str, risk: str) -> None:
    assert config_risk(parameter, value) == risk


@pytest.mark.parametrize(
    ("parameter", "value", "why"),
    [
        ("a b", "1", "'a b' isn't the name of one parameter; propose one parameter at a time"),
        ("", "1", "'' isn't the name of one parameter"), ("x" * 65, "1", "isn't the name of one parameter"),
        ("x" * 64, "1", "the policy doesn't list it"),
        # Some letters become ASCII when their case is folded.
        ("maxclient\u017f", "100", "isn't the name of one parameter"),
        ("requirepass", "x", "^CONFIG SET requirepass is never made from here: it locks clients out$"),
        ("MasterAuth", "x", "^CONFIG SET primaryauth is never made from here: it breaks replication$"),
        ("tls-port", "1", "it can lock every client out"), ("io-threads", "4", "the server refuses it while it runs"),
        ("oom-score-adj", "no", "^CONFIG SET oom-score-adj is never made from here: the policy doesn't list it$"),
        ("timeout", "300\r\n", "^timeout: the value contains characters that aren't allowed$"),
        ("timeout", " 300", "contains characters"), ("timeout", "300 ", "contains characters"),
        ("timeout", "3\u06600", "contains characters"), ("timeout", "\x7f", "contains characters"),
        ("save", "1" * (VALUE_MOST + 1), f"^save: the value has {VALUE_MOST + 1} characters, more than can be shown"),
        ("save", "1" * VALUE_MOST, "not in the form"), ("timeout", "9", "out of bounds"),
        ("slowlog-max-len", "0", "out of bounds"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(parameter: str, value: str, why: str) -> None:
    with pytest.raises(Forbidden, match=why):
        config_risk(parameter, value)


def test_a_value_that_is_put_back_may_be_out_of_bounds_and_of_no_class_never() -> None:
    assert config_risk("slowlog-log-slower-than", "-1", restores=True) == "safe"
    assert config_risk("maxmemory", "0", restores=True) == "risky"
    for parameter, value in (("requirepass", ""), ("oom-score-adj", "no"), ("timeout", "1\n2")):
        with pytest.raises(Forbidden):
            config_risk(parameter, value, restores=True)


def test_a_parameter_has_one_name_and_several_spellings() -> None:
    assert canonical_name("SLAVE-Priority") == canonical_name("replica-priority") == "replica-priority"
    assert spellings("slave-priority") == ["replica-priority", "slave-priority"]
    assert spellings("Timeout") == ["timeout"]


@pytest.mark.parametrize(
    ("words", "risk"),
    [
        (("BGSAVE",), "risky"), (("bgsave",), "risky"), (("Memory", "purge"), "risky"), (("SCRIPT", "KILL"), "risky"),
        (("CLIENT", "KILL", "ID", "7"), "risky"), (("CLIENT", "KILL", "ID", "9" * 19), "risky"),
        (("CLIENT", "KILL", "ID", "9" * 20), None), (("CLIENT", "KILL", "ID", "07"), None),
        (("CLIENT", "KILL", "ID", "0"), None), (("CLIENT", "KILL", "ID", "<id>"), None),
        (("CLIENT", "KILL", "ID"), None), (("CLIENT", "KILL", "7", "ID"), None), (("CLIENT", "KILL ID", "7"), None),
        (("MEMORY", "PURGE", "now"), None), (("FLUSHALL",), None), ((), None), (("BG\u017fAVE",), None),
    ],
)  # fmt: skip
def test_a_command_is_one_of_the_list_or_is_never_sent(words: tuple[str, ...], risk: str | None) -> None:
    if risk is None:
        with pytest.raises(Forbidden, match="is never sent from here; describe it as a step for a person"):
            command_risk(words)
        return
    assert command_risk(words) == risk
    assert allowed_change(NODE, words).args == tuple(word.upper() for word in words)


def test_a_refused_command_is_told_by_its_first_words() -> None:
    with pytest.raises(Forbidden, match=r"^EVAL x y is never sent"):
        command_risk(("EVAL", "x", "y", "secret"))


def test_a_config_set_is_of_one_parameter_and_kept_as_it_was_written() -> None:
    change = allowed_change(NODE, ("config", "Set", "MaxMemory", "100MB"), "0")
    assert change == Change(node=NODE, args=("CONFIG", "SET", "maxmemory", "100MB"), risk="risky", before="0")
    assert not change.restores
    back = allowed_change(NODE, ("CONFIG", "SET", "maxmemory", "0"), "100MB", restores=True)
    assert back.restores and back.before == "100MB"
    for words in (("CONFIG", "SET", "timeout"), ("CONFIG", "SET", "timeout", "60", "hz", "10"), ("CONFIG", "SET")):
        with pytest.raises(Forbidden, match=r"^CONFIG SET takes one parameter and one value here$"):
            allowed_change(NODE, words)
    kill = allowed_change(NODE, ("client", "kill", "id", "7"), "addr=x")
    assert (kill.args, kill.before) == (("CLIENT", "KILL", "ID", "7"), "addr=x")


def test_what_a_change_says_of_itself() -> None:
    set_ = allowed_change(NODE, ("CONFIG", "SET", "timeout", "300"), "0")
    assert (set_.parameter, set_.client, set_.action) == ("timeout", None, "CONFIG SET timeout 300")
    assert set_.undo == ("CONFIG", "SET", "timeout", "0")
    assert set_.reversal is not None and set_.reversal.restores and set_.reversal.args == set_.undo
    unread = allowed_change(NODE, ("CONFIG", "SET", "timeout", "300"))
    assert unread.undo is None and unread.reversal is None
    kill = allowed_change(NODE, ("CLIENT", "KILL", "ID", "12"), "addr=x")
    assert (kill.parameter, kill.client, kill.undo, kill.reversal) == (None, 12, None, None)
    assert allowed_change(NODE, ("BGSAVE",)).client is None


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("CONFIG", "SET", "save", ""), 'CONFIG SET save ""'), (("a", "b c"), 'a "b c"'), (("a'b",), '"a\'b"'),
        (('say "x"',), r'"say \"x\""'), (("back\\slash",), r'"back\\slash"'), (("~!{}",), "~!{}"),
        (("\n\x7f",), r'"\x0a\x7f"'), (("\u20ac",), r'"\xe2\x82\xac"'), (("\ud800",), r'"\xed\xa0\x80"'),
        (("CONFIG", "SET", "requirepass", "hunter2"), "CONFIG SET requirepass ***"),
        (("config", "set", "requirepass", "hunter2", "timeout", "1"), "config set requirepass *** timeout 1"),
        (("CONFIG", "SET", "timeout", "requirepass"), "CONFIG SET timeout requirepass"),
        (("ECHO", "SET", "requirepass", "x"), "ECHO SET requirepass x"),
    ],
)  # fmt: skip
def test_a_command_reads_as_redis_cli_takes_it_without_its_secrets(words: tuple[str, ...], line: str) -> None:
    assert command_line(words) == line


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("CONFIG SET timeout 300", ("CONFIG", "SET", "timeout", "300")),
        ("config set save 3600 1 300 100", ("config", "set", "save", "3600 1 300 100")),
        ('CONFIG SET save ""', ("CONFIG", "SET", "save", "")),
        ("CONFIG SET save '3600 1'", ("CONFIG", "SET", "save", "3600 1")),
        ("CLIENT KILL ID 7", ("CLIENT", "KILL", "ID", "7")), ("A B C D E", ("A", "B", "C", "D", "E")),
    ],
)  # fmt: skip
def test_a_remedys_action_is_a_command(action: str, words: tuple[str, ...]) -> None:
    assert parse_command(action) == words


@pytest.mark.parametrize(
    ("advice", "why"),
    [
        ("run redis-cli flushall and restart", "^FLUSHALL is never advised from here$"),
        ("use client  kill\ttype normal", "^CLIENT KILL TYPE is never advised from here$"),
        ("rm -rf the AOF", "^RM - is never advised"), ("find them by KEYS *", r"^KEYS \* is never advised"),
        ("CONFIG SET protected-mode no on the host", "^CONFIG SET protected-mode is never made from here"),
        ("first CONFIG SET timeout 300, then config set requirepass 'x'", "CONFIG SET requirepass is never made"),
        ("CONFIG SET timeout 5.", "^timeout 5: out of bounds"),
    ],
)  # fmt: skip
def test_advice_that_holds_what_policy_forbids_is_held_back(advice: str, why: str) -> None:
    assert re.search(why, refusal_of_advice(advice) or "")


@pytest.mark.parametrize(
    "advice",
    ["Restart the consumer", "CONFIG SET timeout 300.", 'then CONFIG SET tcp-keepalive "60"; and wait',
     "set the parameter with CONFIG SET timeout '0'", "use SCAN and not KEYS in the app", "confirm - then go"],
)  # fmt: skip
def test_other_advice_passes(advice: str) -> None:
    assert refusal_of_advice(advice) is None


def test_what_others_judge_advice_by() -> None:
    assert {"maxclients", "slave-priority", "replica-priority"} <= {*settings()}
    assert not {"dir", "requirepass", "protected-mode"} & {*settings()}
    assert re.search(destructive(), "then run flushall", re.IGNORECASE)
