"""The log of changes: on the disk line by line, read whole or in part, and believed only where nobody else writes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tools.clock import SystemClock
from tools.errors import Unlogged, UsageError
from tools.gate import ledger
from tools.gate.ledger import (
    Entry,
    Ledger,
    audit_path,
    change_entry,
    changes_path,
    current_user,
    forbidden_entry,
    stood_before,
    write_to_all,
)
from tools.gate.policy import allowed_change

NODE = "127.0.0.1:6379"
CHANGE = allowed_change(NODE, ("CONFIG", "SET", "timeout", "300"), "0")
ONE = change_entry(SystemClock(), "applying", CHANGE, step="s1")
OTHER = change_entry(SystemClock(), "applied", CHANGE, step="s1", after="300")


def test_an_entry_says_who_did_what_where_and_hides_secrets() -> None:
    entry = change_entry(
        SystemClock(), "applied", CHANGE,
        why="CONFIG SET requirepass hunter2", user="ada", channel="terminal", step="s1",
    )  # fmt: skip
    assert (entry.user, entry.channel, entry.step, entry.pid) == ("ada", "terminal", "s1", os.getpid())
    assert (entry.node, entry.action, entry.args, entry.before) == (NODE, CHANGE.action, CHANGE.args, "0")
    assert entry.after == "300" and entry.why == "CONFIG SET requirepass ***" and not entry.restores
    assert entry.time.endswith("+00:00") and entry.host == ONE.host
    assert ONE.user == current_user() and (ONE.channel, ONE.why) == (None, "")
    assert change_entry(SystemClock(), "applied", CHANGE, after="301").after == "301"
    assert change_entry(SystemClock(), "applied", allowed_change(NODE, ("BGSAVE",))).after is None
    assert change_entry(SystemClock(), "applied", CHANGE.model_copy(update={"restores": True})).restores
    refused = forbidden_entry(SystemClock(), NODE, "CONFIG SET requirepass hunter2", "requirepass hunter2")
    assert (refused.event, refused.node, refused.action) == ("forbidden", NODE, "CONFIG SET requirepass ***")
    assert "hunter2" not in refused.why and refused.user == current_user() and refused.pid == os.getpid()


def test_a_line_is_added_behind_what_is_there_to_a_file_of_ones_own(tmp_path: Path) -> None:
    log = Ledger(tmp_path / "a" / "b" / "log.jsonl")
    assert log.read() == list(log.trusted()) == []
    log(ONE)
    log(OTHER)
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert log.path.parent.stat().st_mode & 0o777 == 0o700
    lines = log.path.read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["applying", "applied"]
    assert log.read() == list(log.trusted()) == [ONE, OTHER]


def test_a_line_that_was_cut_costs_only_itself(tmp_path: Path) -> None:
    log = Ledger(tmp_path / "log.jsonl")
    log(ONE)
    with log.path.open("a") as file:
        file.write('{"time": "2026')
    assert log.read() == list(log.trusted()) == [ONE]
    log(OTHER)
    assert log.path.read_text().count("\n") == 3
    assert log.read() == list(log.trusted()) == [ONE, OTHER]


def test_a_line_that_is_whole_and_not_ours_is_said_by_its_number_and_proves_nothing(tmp_path: Path) -> None:
    log = Ledger(tmp_path / "log.jsonl")
    log(ONE)
    with log.path.open("a") as file:
        file.write('{"event": "mine"}\n')
    log(OTHER)
    with pytest.raises(UsageError, match=r"log.jsonl, line 2: not an entry by rediagnose; the file is damaged$"):
        log.read()
    assert list(log.trusted()) == [ONE, OTHER]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    log = Ledger(tmp_path / "log.jsonl")
    with log.path.open("wb") as file:
        file.truncate(ledger.MOST)
    # Just small enough, it's looked at: a line of zeros is one that was cut.
    assert log.read() == []
    with log.path.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(UsageError, match=r"log.jsonl: larger than 16 MiB; it isn't a log of rediagnose$"):
        log.read()


@pytest.mark.parametrize(
    ("mode", "believed"), [(0o600, True), (0o644, True), (0o755, True), (0o620, False), (0o602, False), (0o666, False)]
)
def test_a_log_that_others_may_write_proves_nothing(tmp_path: Path, mode: int, believed: bool) -> None:
    log = Ledger(tmp_path / "log.jsonl")
    log(ONE)
    log.path.chmod(mode)
    assert list(log.trusted()) == ([ONE] if believed else [])
    assert log.read() == [ONE]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")
def test_a_log_of_somebody_else_proves_nothing(tmp_path: Path) -> None:
    log = Ledger(tmp_path / "log.jsonl")
    log(ONE)
    os.chown(log.path, 12345, -1)
    assert list(log.trusted()) == []


def test_what_cannot_be_written_or_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.jsonl").mkdir()
    for path in (tmp_path / "file" / "log.jsonl", tmp_path / "folder.jsonl"):
        log = Ledger(path)
        with pytest.raises(
            Unlogged, match="; a change that can't be logged isn't made; fix that, or name another file"
        ):
            log(ONE)
        assert list(log.trusted()) == []
        with pytest.raises(UsageError, match=r"; make it readable$"):
            log.read()


def entry(**more: Any) -> Entry:
    return ONE.model_copy(update=more)


@pytest.mark.parametrize(
    ("entries", "stood"),
    [
        ([], False), ([entry()], True), ([entry(event="applied")], True), ([OTHER, entry(event="verified")], True),
        ([entry(event="approved")], False), ([entry(event="rolled-back")], False), ([entry(restores=True)], False),
        ([entry(node="127.0.0.1:1")], False), ([entry(before="1")], False), ([entry(before=None)], False),
        ([entry(args=("CONFIG", "SET", "hz", "300"))], False), ([entry(args=("CONFIG", "SET", "timeout"))], False),
        ([entry(args=("CONFIG", "GET", "timeout", "300"))], False),
        ([entry(args=("CONFIG", "SET", "TIMEOUT", "9"))], True), ([entry(before="1"), entry()], True),
    ],
)  # fmt: skip
def test_a_value_stood_where_an_entry_has_it_before_a_change(entries: list[Entry], stood: bool) -> None:
    assert CHANGE.reversal is not None
    assert stood_before(entries, CHANGE.reversal) == stood


def test_several_logs_are_written_in_turn_until_one_fails() -> None:
    first: list[Entry] = []
    last: list[Entry] = []

    def fail(one: Entry) -> None:
        raise Unlogged("full")

    write_to_all(first.append, last.append)(ONE)
    assert first == last == [ONE]
    with pytest.raises(Unlogged, match="full"):
        write_to_all(first.append, fail, last.append)(OTHER)
    assert (first, last) == ([ONE, OTHER], [ONE])


def test_where_the_logs_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert changes_path(tmp_path / "incident.rec") == tmp_path / "incident.rec.changes.jsonl"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert audit_path() == tmp_path / "rediagnose" / "audit.jsonl"
