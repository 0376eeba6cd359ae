"""Whether a configuration that only a server's own word names is that of its process."""

import os
import sys
from pathlib import Path

import pytest

from tools.connection.target import parse_target
from tools.host.own_config import is_its_own
from tools.host.proc import Files
from tools.host.process_files import ProcessFiles

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")
HERE = os.getcwd()


@pytest.mark.parametrize(
    ("url", "values", "is_its"),
    [
        ("redis://h:6380", {"port": "6380"}, True), ("redis://h", {}, True), ("redis://h:6380", {}, False),
        ("redis://h:6380", {"port": "6379"}, False), ("redis://h:6380", {"port": "0", "tls-port": "6380"}, True),
        ("redis://h:6380", {"port": "6380", "dir": HERE}, True),
        ("redis://h:6380", {"port": "6380", "dir": "/srv/another"}, False),
        ("redis://h:6380", {"port": "6380", "dir": "./"}, True),
        ("redis://h:6380", {"port": "6380", "pidfile": "mine.pid", "dir": "/srv/another"}, True),
        ("redis://h:6380", {"port": "6379", "pidfile": "mine.pid"}, False),
        ("redis://h:6380", {"port": "6380", "pidfile": "gone.pid"}, True),
        ("redis://h:6380", {"port": "6380", "pidfile": "none.pid", "dir": "/srv/another"}, False),
        ("unix:///run/a.sock", {"unixsocket": "/run/a.sock"}, True),
        ("unix:///run/a.sock", {"port": "6379", "unixsocket": "/run/b.sock"}, False),
        ("unix:///run/a.sock", {"port": "6379"}, False),
    ],
)  # fmt: skip
def test_what_a_file_sets_is_what_the_process_does(
    url: str, values: dict[str, str], is_its: bool, tmp_path: Path
) -> None:
    (tmp_path / "mine.pid").write_text(f"{os.getpid()}\n")
    (tmp_path / "gone.pid").write_text("4194304\n")
    if "pidfile" in values:
        values = {**values, "pidfile": str(tmp_path / values["pidfile"])}
    target = parse_target(url, environ={})
    assert is_its_own(values, ProcessFiles(Files(), os.getpid()), Files(), target) is is_its
