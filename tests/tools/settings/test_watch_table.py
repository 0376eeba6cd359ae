"""The table [watch]: its defaults, its bounds, and names that aren't there."""

from pathlib import Path

import pytest

from tools.errors import UsageError
from tools.settings.file import load_settings

TARGETS = '[[targets]]\nname = "orders"\nurl = "redis://a"\n'


def watch(tmp_path: Path, text: str) -> object:
    (tmp_path / "rediagnose.toml").write_text(f"{TARGETS}[watch]\n{text}\n")
    found = load_settings(environ={}, folder=tmp_path).watch
    return found.interval, found.check_interval, found.keep_days, found.keep_megabytes, found.targets


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    assert watch(tmp_path, "") == (60, 900, 14, 256, None)
    given = 'interval = 30\ncheck_interval = 0\nkeep_days = 0.5\nkeep_megabytes = 10\ntargets = ["Orders"]'
    assert watch(tmp_path, given) == (30, 0, 0.5, 10, ("Orders",))
    assert watch(tmp_path, "targets = []") == (60, 900, 14, 256, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("interval = 1", "interval"),
        ('interval = "often"', "interval"),
        ("check_interval = -1", "check_interval"),
        ("keep_days = 0", "keep_days"),
        ('targets = ["absent"]', "no target has the name 'absent'"),
        ("file = 'x'", "file"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        watch(tmp_path, text)
