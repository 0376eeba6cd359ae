"""Lists of targets: what they may look like, and what a hostile one can't do."""

import sys
from pathlib import Path

import pytest

from agent.fleet.inventory import MOST_BYTES, from_command, from_file, parsed
from tools.errors import Unanswered, UsageError


def test_a_line_is_a_url_an_address_or_either_with_a_name() -> None:
    found = parsed(b"# ours\n\nredis://a:1\n orders = redis://b:2/3 \r\nc:3\nsessions=c:4\n", "f")
    assert [(one.name, one.where) for one in found] == [
        ("", "redis://a:1"), ("orders", "redis://b:2/3"), ("", "c:3"), ("sessions", "c:4"),
    ]  # fmt: skip
    assert found[1].place == "f, line 4"


@pytest.mark.parametrize(
    "url", ["redis://h:1?db=1", "redis://u:p=1@h:1", "unix:///run/a=b.sock", "rediss://h?ssl_ca_certs=x"]
)
def test_an_equals_sign_within_a_url_gives_no_name(url: str) -> None:
    (found,) = parsed(url.encode(), "f")
    assert (found.name, found.where) == ("", url)


def test_a_json_list_may_mix_urls_and_objects() -> None:
    text = b'\xef\xbb\xbf["redis://a:1", {"name": "b", "url": "redis://b:2", "env": "x"}, 7, {"name": "c"}]'
    first, second, *odd = parsed(text, "f")
    assert (first.name, first.where, second.name, second.where) == ("", "redis://a:1", "b", "redis://b:2")
    assert [one.problem for one in odd] == [
        'f, entry 3: neither a URL nor an object with a "url"', 'f, entry 4: neither a URL nor an object with a "url"',
    ]  # fmt: skip


def test_a_json_object_may_hold_the_list() -> None:
    assert [one.where for one in parsed(b'{"targets": ["a:1"]}', "f")] == ["a:1"]


@pytest.mark.parametrize(
    "content", [b"[", b'{"a": 1}', b"[" * 100_000, b"\xff\xfe", b"x" * (MOST_BYTES + 1), b"a:1\n" * 10_001],
    ids=["cut", "no list", "deep", "not UTF-8", "large", "many"],
)  # fmt: skip
def test_what_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"^f: "):
        parsed(content, "f")


def test_a_name_steers_no_terminal_and_has_an_end() -> None:
    (found,) = parsed("\x1b[31mor\u202ders\x07=redis://a:1".encode(), "f")
    assert found.name == "orers"
    (found,) = parsed(b"n" * 1000 + b"=redis://a:1", "f")
    assert len(found.name) == 64


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        from_file(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="--inventory"):
        from_file(str(tmp_path))


async def test_a_program_prints_a_list() -> None:
    (found,) = await from_command((sys.executable, "-c", "print('a=redis://a:1')"))
    assert (found.name, found.place) == ("a", f"the output of {Path(sys.executable).name}, line 1")


async def test_a_program_that_fails_says_why() -> None:
    with pytest.raises(Unanswered, match=r"ended with status 3: no login"):
        await from_command((sys.executable, "-c", "import sys; sys.stderr.write('no login'); sys.exit(3)"))
    with pytest.raises(UsageError, match="can't be run here"):
        await from_command(("/nowhere/at-all",))
    with pytest.raises(UsageError, match="it's empty"):
        await from_command(())


async def test_a_program_that_prints_without_end_is_ended() -> None:
    with pytest.raises(Unanswered, match="more than 4 MiB"):
        await from_command(("yes", "redis://a:1"))
