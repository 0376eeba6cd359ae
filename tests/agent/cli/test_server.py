"""Which server a command talks to: one definition, one resolution and one error text for every command."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.cli.check_inputs import CheckInputs
from agent.cli.commands import COMMANDS
from agent.cli.inputs import typed
from agent.cli.place import ConnectionInputs, Positionals, ServerInputs
from agent.cli.program import Command, parsed, parser
from tests.program import Done
from tools.connection.target import Target
from tools.errors import UsageError

ALWAYS = {"capture": ("-o", "new.rec"), "apply": ("old.rec", "s1"), "rollback": ("old.rec", "s1"), "annotate": ("-",)}
"""What a command needs besides its server."""
SETTINGS = '[[targets]]\nname = "orders"\nurl = "redis://cache-7.example:6380"\npassword_env = "ORDERS"\n'


def record(command: Command) -> Any:
    module, _, name = command.inputs.partition(":")
    return getattr(importlib.import_module(module), name)


NAMELESS = ("check", "mcp", "serve", "slack", "worker")
"""Commands of many servers, which name none by an option of these."""
TALKING = [one for one in COMMANDS if issubclass(record(one), ConnectionInputs) and one.name not in NAMELESS]
"""Those that talk to one server; `check` takes any number of them."""


def resolved(command: Command, *args: str) -> Target:
    inputs = typed(record(command), parsed(parser(COMMANDS, ""), [command.name, *ALWAYS.get(command.name, ()), *args]))
    if isinstance(inputs, Positionals):
        return inputs.target_and_symptom()[0]
    assert isinstance(inputs, ServerInputs), f"{command.name} has its own way to name a server"
    if command.name == "annotate":
        target = inputs.named()
        assert target
        return target
    return inputs.server(getattr(inputs, "what", ()))


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").write_text(SETTINGS)
    for name, value in (("REDIAGNOSE_CONFIG", str(tmp_path / "settings.toml")), ("ORDERS", "s3cret")):
        monkeypatch.setenv(name, value)
    for name in ("REDIS_URL", "REDISCLI_AUTH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_all_that_talk_to_a_server_are_tried() -> None:
    names = {"triage", "chat", "annotate", "capture", "apply", "rollback", "acl", "doctor"}
    assert {one.name for one in TALKING} == names


def test_many_servers_are_named_in_the_same_ways() -> None:
    args = ("check", "--url", "10.1.2.3:7000", "orders", "-t", "ORDERS", "--target", "nosuch", "--url", "[::1]:7001")
    inputs = typed(CheckInputs, parsed(parser(COMMANDS, ""), args))
    assert (inputs.what, inputs.urls, inputs.names) == (
        ("orders",), ("10.1.2.3:7000", "[::1]:7001"), ("ORDERS", "nosuch"),
    )  # fmt: skip


@pytest.mark.parametrize("command", TALKING, ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("args", "node", "password"),
    [
        (("--url", "redis://10.1.2.3:7000"), "10.1.2.3:7000", None),
        (("--url", "10.1.2.3:7000"), "10.1.2.3:7000", None),
        (("--url", "cache-7.example"), "cache-7.example:6379", None),
        (("--url", "Orders"), "cache-7.example:6380", "s3cret"),
        (("--target", "orders"), "cache-7.example:6380", "s3cret"),
        (("-t", "ORDERS"), "cache-7.example:6380", "s3cret"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_every_command_takes_a_url_and_a_target(
    command: Command, args: tuple[str, ...], node: str, password: str | None
) -> None:
    target = resolved(command, *args)
    assert target.node == node
    assert (target.password.get_secret_value() if target.password else None) == password


@pytest.mark.parametrize("command", TALKING, ids=lambda one: one.name)
def test_what_is_given_comes_before_the_environment(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:1")
    assert resolved(command, "-t", "orders").host == "cache-7.example"
    # An empty variable of a script isn't a server, and mustn't become another one.
    for option in ("--url", "--target"):
        with pytest.raises(SystemExit):
            resolved(command, option, "")
        assert "its value is empty" in capsys.readouterr().err
    if command.name != "annotate":
        assert resolved(command).node == "elsewhere:1"


@pytest.mark.parametrize("command", TALKING, ids=lambda one: one.name)
def test_two_servers_are_one_too_many(command: Command) -> None:
    both = ("--url", "redis://:hunter2@10.1.2.3", "--target", "orders")
    ways = [both, (*both[2:], "redis://:hunter2@10.1.2.3"), (*both[:2], "redis://:hunter2@10.9.9.9")]
    positional = command.name in ("triage", "chat", "capture", "acl")
    for args in ways if positional else ways[:1]:
        with pytest.raises(UsageError, match="is a second server; name only one, by its URL, --url or --target") as two:
            resolved(command, *args)
        assert "hunter2" not in str(two.value)


@pytest.mark.parametrize("name", [one.name for one in TALKING if one.name not in ("annotate", "doctor")])
def test_none_is_said_alike(name: str, program: Callable[..., Done]) -> None:
    done = program(name, *ALWAYS.get(name, ()))
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        f"rediagnose {name}: no server is named, and REDIS_URL isn't set; "
        "give a URL such as redis://host:6379, or --target with a name from rediagnose.toml\n"
    )


def test_a_users_server_is_a_positional_on_either_side_of_an_option() -> None:
    acl = next(one for one in TALKING if one.name == "acl")
    for args in (("orders", "--check"), ("--check", "orders"), ("--tier", "reader", "redis://cache-7.example:6380")):
        assert resolved(acl, *args).node == "cache-7.example:6380"


@pytest.mark.parametrize(
    ("what", "node", "symptom"),
    [
        (("10.1.2.3", "it is slow"), "10.1.2.3:6379", "it is slow"),
        (("it is slow", "cache-7.example"), "cache-7.example:6379", "it is slow"),
        (("localhost",), "localhost:6379", ""),
        (("[::1]",), "::1:6379", ""),
        (("[fd00::7]:7000", "slow"), "fd00::7:7000", "slow"),
        (("ORDERS", "slow"), "cache-7.example:6380", "slow"),
        (("redis://a:1", "oom.kill"), "a:1", "oom.kill"),
    ],
)
def test_addresses_and_names_are_servers_and_other_words_symptoms(
    what: tuple[str, ...], node: str, symptom: str
) -> None:
    target, said = Positionals(what=what).target_and_symptom()
    assert (target.node.replace("[", "").replace("]", ""), said) == (node, symptom)


@pytest.mark.parametrize("elsewhere", ["", "redis://elsewhere:1"])
@pytest.mark.parametrize(
    ("word", "said"),
    [("ordes", "did you mean orders?"), ("cache", "--url cache"), ("slow!", "name the server as well")],
)
def test_a_word_that_could_be_either_is_asked_back(
    word: str, said: str, elsewhere: str, monkeypatch: pytest.MonkeyPatch, program: Callable[..., Done]
) -> None:
    monkeypatch.setenv("REDIS_URL", elsewhere)
    with pytest.raises(UsageError, match=f"{word!r} isn't an address or a target") as asked:
        Positionals(what=(word,)).target_and_symptom()
    assert said in str(asked.value)
    # A symptom beside it says what it is no more than the word itself.
    for what in ((word,), (word, "requests time out"), ("requests time out", word)):
        done = program("triage", *what)
        assert done.status == 2 and said in done.err


def test_a_symptom_may_begin_with_an_address() -> None:
    seen = "https://grafana.example/d/1?from=now-1h shows time-outs"
    inputs = Positionals(what=(seen, "redis://cache-7.example:6380"))
    target, symptom = inputs.target_and_symptom()
    assert (target.node, symptom) == ("cache-7.example:6380", seen)
    with pytest.raises(UsageError, match=r"second server"):
        Positionals(what=("redis://a:1", "redis://b:1 is slow")).target_and_symptom()
