"""A certificate's end, out of its bytes: openssl's own ones, and whatever a peer may send in place of one."""

import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from tools.connection.certificate import MOST_BYTES, validity


def made(folder: Path, days: int) -> bytes:
    """A self-signed certificate, in DER."""
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", str(days), "-subj", "/CN=cache", "-keyout", str(folder / "key"), "-out", str(folder / "crt"),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return ssl.PEM_cert_to_DER_cert((folder / "crt").read_text())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl: apt-get install openssl")
@pytest.mark.parametrize("days", [1, 90, 365 * 40])
def test_the_end_is_that_of_openssl(tmp_path: Path, days: int) -> None:
    life = validity(der := made(tmp_path, days))
    assert life
    assert life.ends - life.begins == days * 86_400
    assert abs(life.begins - time.time()) < 600
    # Nothing of what a hostile peer may send raises, or is taken for a life that it isn't.
    for at in range(len(der)):
        validity(der[:at])
        validity(der[:at] + bytes((der[at] ^ 0xFF,)) + der[at + 1 :])


@pytest.mark.parametrize(
    "raw", [b"", b"0", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x30\x02\x30\x00", b"0" * (MOST_BYTES + 1)]
)
def test_what_is_none_has_no_end(raw: bytes) -> None:
    assert validity(raw) is None
