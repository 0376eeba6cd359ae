"""Conversations that are kept by themselves: whose they are, how many, and which may name a server."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.chat import kept
from tools.gate.ledger import changes_path

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "rediagnose" / "chats"


def test_nobody_else_can_read_them(state: Path) -> None:
    kept.new_file(NOON)
    assert state.stat().st_mode & 0o777 == 0o700
    state.chmod(0o755)
    kept.new_file(NOON)
    assert state.stat().st_mode & 0o777 == 0o700


def test_the_oldest_make_room(state: Path) -> None:
    for minute in range(kept.MOST + 5):
        file = kept.new_file(NOON + timedelta(minutes=minute))
        file.write_text("{}")
        changes_path(file).write_text("{}")
    left = kept.kept()
    assert len(left) == kept.MOST and kept.newest() == left[0] == file
    assert len(list(state.iterdir())) == 2 * kept.MOST


def test_only_what_lies_there_may_name_a_server(state: Path, tmp_path: Path) -> None:
    own, foreign = kept.new_file(NOON), tmp_path / "foreign.rec"
    own.write_text("{}")
    foreign.write_text("{}")
    link = own.with_name("link.rec")
    link.symlink_to(foreign)
    assert kept.is_ours(own)
    assert not kept.is_ours(foreign) and not kept.is_ours(link) and not kept.is_ours(own.with_name("none.rec"))
