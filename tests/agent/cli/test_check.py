"""`rediagnose check` up to its first connection: which targets it takes, by which login, and what is wrong usage."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.cli.check_inputs import CheckInputs
from agent.fleet.look import Member
from agent.fleet.records import LEVELS, Level, Line, report
from tests.program import Done
from tools.errors import UsageError

TOML = """
[[targets]]
name = "orders"
url = "redis://db.internal:6390"
password_env = "ORDERS_PASSWORD"

[[targets]]
name = "cache"
url = "redis://cache.internal"
trust = ["10.1.0.0/16"]
"""


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "rediagnose.toml"
    file.write_text(TOML)
    monkeypatch.setenv("REDIAGNOSE_CONFIG", str(file))
    monkeypatch.setenv("ORDERS_PASSWORD", "hush")
    monkeypatch.delenv("REDISCLI_AUTH", raising=False)
    return file


def written(folder: Path, *lines: str) -> str:
    file = folder / "list.txt"
    file.write_text("\n".join(lines))
    return str(file)


def the(found: list[Member]) -> list[tuple[str, str | None]]:
    return [(one.name, one.target.node if one.target else None) for one in found]


async def test_without_a_target_it_looks_at_all_of_the_settings() -> None:
    found = await CheckInputs().members()
    assert the(found) == [("orders", "db.internal:6390"), ("cache", "cache.internal:6379")]
    assert all(one.configured for one in found)
    target = found[0].target
    assert target and target.password and target.password.get_secret_value() == "hush"
    assert found == await CheckInputs(all=True).members()


async def test_words_are_names_urls_and_addresses() -> None:
    found = await CheckInputs(what=("Cache", "redis://:x@a:1", "b:2", "[::1]:3")).members()
    assert the(found) == [("cache", "cache.internal:6379"), ("a:1", "a:1"), ("b:2", "b:2"), ("[::1]:3", "[::1]:3")]


async def test_a_word_that_names_nothing_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="did you mean orders"):
        await CheckInputs(what=("ordrs!",)).members()


async def test_no_targets_at_all_are_wrong_usage(settings: Path, tmp_path: Path) -> None:
    settings.write_text("")
    with pytest.raises(UsageError, match="there are no targets"):
        await CheckInputs().members()
    with pytest.raises(UsageError, match="there are no targets"):
        await CheckInputs(inventory=written(tmp_path, "# none")).members()


async def test_an_address_that_the_settings_know_has_their_name_and_login(tmp_path: Path) -> None:
    list_ = written(tmp_path, "other=redis://DB.internal:6390", "redis://:own@db.internal:6391")
    known, own = await CheckInputs(inventory=list_).members()
    assert known.name == "orders" and known.target and known.target.password
    assert own.name == "db.internal:6391" and own.target and own.target.password
    assert own.target.password.get_secret_value() == "own"


async def test_an_address_is_looked_at_once(tmp_path: Path) -> None:
    found = await CheckInputs(all=True, what=("db.internal:6390",), inventory=written(tmp_path, "cache")).members()
    assert len(found) == 2


async def test_an_entry_that_cant_be_used_is_a_line_and_ends_nothing(tmp_path: Path) -> None:
    lines = ("bad=http://x", "worse=redis://h:99999", "redis://:s3cret@h:1/x", "://x", "ok=a:1", "s3cret@h")
    found = await CheckInputs(inventory=written(tmp_path, *lines)).members()
    assert [one.name for one in found if one.target] == ["ok"]
    problems = [one.problem for one in found if not one.target]
    assert len(problems) == 5 and all(problems)
    assert not any("s3cret" in f"{one.name}{one.problem}" for one in found)


async def test_an_unusable_secret_is_that_targets_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORDERS_PASSWORD")
    orders, cache = await CheckInputs().members()
    assert orders.target is None and "ORDERS_PASSWORD isn't set" in orders.problem
    assert cache.target


async def test_a_folders_file_decides_nothing_about_passwords(
    settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("REDIAGNOSE_CONFIG")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    orders, cache = await CheckInputs().members()
    assert orders.target is None and "isn't trusted" in orders.problem
    assert cache.target is None and "isn't trusted" in cache.problem


async def test_tls_options_are_for_the_targets_that_speak_it(tmp_path: Path) -> None:
    plain, secured = await CheckInputs(insecure=True, inventory=written(tmp_path, "a:1", "rediss://b:2")).members()
    assert plain.target and plain.target.tls is None
    assert secured.target and secured.target.tls and secured.target.tls.insecure


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--namespace", "prod"), "--kubernetes"),
        (("--inventory-command", "'"), "quote it"),
        (("--inventory", "/nowhere"), "No such file"),
        (("--prometheus", "nonsense"), "not the URL of a Prometheus"),
        (("--kubernetes", "app=redis;id"), "label selector"),
        (("--deadline", "1"), "give that or more"),
        (("--jobs", "0"), "a whole number above 0"),
        (("--format", "adf"), "isn't one of"),
    ],
)
def test_wrong_usage_names_the_remedy(program: Callable[..., Done], args: tuple[str, ...], says: str) -> None:
    done = program("check", *args)
    assert (done.status, done.out) == (2, "") and says in done.err


def levels(*of: Level) -> list[Line]:
    return [Line(name=str(number), url=None, level=one, said="") for number, one in enumerate(of)]


@pytest.mark.parametrize(
    ("of", "plain", "strict", "coded", "coded_strict"),
    [
        (("healthy",), 0, 0, 0, 0), (("healthy", "preventive"), 0, 1, 0, 10), (("healthy", "incident"), 1, 1, 10, 10),
        (("healthy", "unanswered"), 1, 1, 11, 11), (("incident", "unanswered"), 1, 1, 10, 10),
        (("unanswered", "unanswered"), 3, 3, 3, 3),
    ],
)  # fmt: skip
def test_the_exit_status(of: tuple[Level, ...], plain: int, strict: int, coded: int, coded_strict: int) -> None:
    assert set(of) <= set(LEVELS)
    found = report(levels(*of), "", 1.0)
    ways: list[tuple[dict[str, object], int]] = [
        ({}, plain), ({"fail_on": "preventive"}, strict), ({"exit_code": True}, coded),
        ({"exit_code": True, "fail_on": "preventive"}, coded_strict),
    ]  # fmt: skip
    assert [CheckInputs.model_validate(given).status(found) for given, _ in ways] == [status for _, status in ways]


def test_dead_targets_are_lines_of_a_table(program: Callable[..., Done]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = program("check", f"127.0.0.1:{port}", "--format", "json")
    assert done.status == 1, done.err
    (line,) = json.loads(done.out)["targets"]
    assert (line["level"], line["causes"][0]["id"]) == ("incident", "process-down")
    assert line["said"] == "process-down: Redis isn't running"
