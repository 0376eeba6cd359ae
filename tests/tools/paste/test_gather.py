"""Files, folders and archives, friendly and hostile."""

import bz2
import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools.errors import ToolError
from tools.paste import gather as room
from tools.paste.gather import Text, gather, unpacked

INFO = b"# Server\nredis_version:7.0.15\n"


def tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def told(data: bytes) -> list[Text]:
    return list(unpacked(data, "ticket"))


def test_files_standard_input_and_folders_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "info.txt").write_bytes(INFO)
    (tmp_path / "a" / "log.txt").write_bytes("1:M caf\xe9 \x96".encode("latin-1"))
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbfhello")
    (tmp_path / "c.txt").write_bytes("hello".encode("utf-16"))
    found = list(gather([tmp_path / "a", "-", tmp_path / "b.txt", tmp_path / "c.txt"], io.BytesIO(b"said")))
    assert found == [
        Text("a/info.txt", INFO.decode()), Text("a/log.txt", "1:M caf\xe9 \u2013"), Text("stdin", "said"),
        Text("b.txt", "hello"), Text("c.txt", "hello"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "pack", [tar, zipped, lambda members: tar(members, "w"), lambda members: tar(members, "w:bz2")]
)
def test_archives_are_read_without_being_unpacked(pack) -> None:  # type: ignore[no-untyped-def]
    assert told(pack({"x/info.txt": INFO, "log": b"line"})) == [
        Text("ticket/x/info.txt", INFO.decode()), Text("ticket/log", "line"),
    ]  # fmt: skip


def test_a_packed_file_is_a_text() -> None:
    assert told(gzip.compress(INFO)) == told(bz2.compress(INFO)) == [Text("ticket", INFO.decode())]


def test_what_is_no_text_says_so() -> None:
    dump, program = b"REDIS0011\xfa\tredis-ver\x057.0.15", b"\x7fELF" + bytes(100)
    assert [one.refused for data in (dump, program, bytes(500)) for one in told(data)] == ["no text"] * 3


def test_hostile_archives_are_refused_with_a_word() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for kind, name in ((tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "hard"), (tarfile.CHRTYPE, "device")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    assert {one.refused for one in told(out.getvalue())} == {"no regular file"}
    (nested,) = told(zipped({"inner.zip": zipped({"x": INFO})}))
    assert nested.refused == "an archive inside of an archive, which isn't opened"
    (bomb,) = told(gzip.compress(bytes(room.MOST_BYTES + 1)))
    assert bomb.refused == "more than 64 MiB unpacked"
    (packed,) = told(zipped({"x": b"a" * 1000}, zipfile.ZIP_LZMA))
    assert packed.refused == "packed in a way that isn't read"
    assert told(tar({f"{number}": b"x" for number in range(room.MOST_MEMBERS + 5)}))[-1].refused
    whole = zipped({"x": INFO})
    assert all(one.refused for one in told(whole[: len(whole) // 2]))
    assert all(one.refused or one.text for one in told(tar({"x": INFO * 100})[:60]))


def test_members_never_leave_the_archive(tmp_path: Path) -> None:
    assert [one.source for one in told(tar({"../../evil": INFO}))] == ["ticket/../../evil"]
    assert not list(tmp_path.iterdir())


def test_links_pipes_and_what_isnt_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    assert [(one.source.rpartition("/")[2], one.refused) for one in gather([tmp_path])] == [
        ("link", "a link, which isn't followed"), ("pipe", "it is a pipe, not a regular file"),
    ]  # fmt: skip
    for path in (tmp_path / "gone", tmp_path / "pipe"):
        with pytest.raises(ToolError):
            list(gather([path]))
    with pytest.raises(ToolError, match="no standard input"):
        list(gather(["-"]))
