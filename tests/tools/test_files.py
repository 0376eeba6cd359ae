"""Files that a person names: what isn't regular is refused at once, and nothing is read without a bound."""

import os
import socket
from pathlib import Path

import pytest

from tools.files import must_be_regular, open_regular, read_regular


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket", "loop", "zero", "terminal", "nul", "missing"])
def test_what_is_no_regular_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path: str | Path = tmp_path / "it"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        Path(path).mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif kind == "loop":
        Path(path).symlink_to(path)
    elif kind != "missing":
        path = {"zero": "/dev/zero", "terminal": "/dev/tty", "nul": "a\0b"}[kind]
    for use in (open_regular, read_regular, must_be_regular):
        with pytest.raises(OSError):
            use(path)


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "it"
    file.write_bytes(b"x" * 100)
    assert read_regular(file, 100) == b"x" * 100
    for use in (read_regular, must_be_regular):
        with pytest.raises(OSError, match="larger than 99 bytes"):
            use(file, 99)
    # Its size reads as 0.
    with pytest.raises(OSError, match="larger than 5 bytes"):
        read_regular("/proc/self/status", 5)
