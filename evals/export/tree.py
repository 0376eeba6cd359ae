"""Files laid down the same each time: what a file's date or mode could tell is the same of all."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WRITTEN = 946684800
"""When each file was last changed: midnight on 2000-01-01, UTC."""
FILE, PROGRAM, FOLDER = 0o644, 0o755, 0o755
Files = Mapping[str, bytes]
"""By path, relative to the folder."""


def lay(folder: Path, files: Files) -> None:
    """Write files and give everything in the folder one date."""
    for name, content in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(PROGRAM if content.startswith(b"#!") else FILE)


def date(folder: Path) -> None:
    """Give everything below a folder one date, the folders last since writing into one changes it."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.chmod(FOLDER)
        os.utime(path, (WRITTEN, WRITTEN))
    os.utime(folder, (WRITTEN, WRITTEN))


def squeezed(text: str) -> bytes:
    """A text as gzip, without a name or a date."""
    return gzip.compress(text.encode(), 9, mtime=0)


def packed(files: Files) -> bytes:
    """Files as a tar, compressed, of no one and of no date."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), WRITTEN
            entry.mode = PROGRAM if content.startswith(b"#!") else FILE
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(whole.getvalue(), 9, mtime=0)


def summed(files: Files) -> bytes:
    """The SHA-256 of each file, as sha256sum checks them."""
    return "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())
    ).encode()


def as_json(value: Any) -> bytes:
    """A value as JSON for people, the same bytes for the same value."""
    return f"{json.dumps(value, indent=1, ensure_ascii=False)}\n".encode()


def as_lines(values: list[Any]) -> bytes:
    """Values as JSON, one a line."""
    return "".join(f"{json.dumps(value, ensure_ascii=False)}\n" for value in values).encode()
