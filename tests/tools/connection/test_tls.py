"""TLS to real servers: an authority of one's own, a client certificate, and a skip that warns."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from evals.lab.servers import ServerKind, free_port, start
from tests.program import checked, rediagnose

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl: apt-get install openssl")


def certificate(folder: Path, name: str) -> None:
    """A self-signed certificate for 127.0.0.1 and its key."""
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / f"{name}.key"),
        "-out", str(folder / f"{name}.crt"),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


@asynccontextmanager
async def encrypted(kind: ServerKind, tmp_path: Path, *, wants_client: bool) -> AsyncIterator[str]:
    """A TLS server; its URL."""
    if not kind.tls:
        pytest.skip(f"{kind.name} was built without TLS")
    for name in ("server", "client"):
        certificate(tmp_path, name)
    port = free_port()
    server = await start(
        kind, port=port, ready="listens",
        config={
            "port": "0", "tls-port": str(port), "tls-cert-file": str(tmp_path / "server.crt"),
            "tls-key-file": str(tmp_path / "server.key"), "tls-ca-cert-file": str(tmp_path / "client.crt"),
            "tls-auth-clients": "yes" if wants_client else "no",
        },
    )  # fmt: skip
    try:
        yield f"rediss://127.0.0.1:{port}"
    finally:
        await server.stop()


async def test_an_authority_is_trusted_and_an_unknown_one_is_not(kind: ServerKind, tmp_path: Path) -> None:
    async with encrypted(kind, tmp_path, wants_client=False) as url:
        common = ("requests time out", "--model", "offline", "--format", "json")
        trusted = (await rediagnose("triage", url, *common, "--cacert", str(tmp_path / "server.crt"))).answer()
        unknown = (await rediagnose("triage", url, *common)).answer()
        skipped = await rediagnose("triage", url, *common, "--insecure")
    checked(trusted)
    assert trusted["outcome"] == "no-fault", trusted["unknown"]
    (connect, *_) = [one for one in trusted["readings"] if one["tool"] == "connect"]
    assert connect["values"]["tls_ms"] > 0
    assert unknown["causes"][0]["id"] == "tls-mismatch"
    assert "warning" in skipped.err and "--insecure" in skipped.err
    assert any("--insecure" in line for line in json.loads(skipped.out)["unknown"])
    assert json.loads(skipped.out)["outcome"] == "no-fault"


async def test_a_client_certificate_opens_the_door(kind: ServerKind, tmp_path: Path) -> None:
    async with encrypted(kind, tmp_path, wants_client=True) as url:
        common = (
            "requests time out",
            "--model",
            "offline",
            "--format",
            "json",
            "--cacert",
            str(tmp_path / "server.crt"),
        )
        own = ("--cert", str(tmp_path / "client.crt"), "--key", str(tmp_path / "client.key"))
        let_in = (await rediagnose("triage", url, *common, *own)).answer()
        refused = (await rediagnose("triage", url, *common)).answer()
    assert let_in["outcome"] == "no-fault"
    assert refused["causes"][0]["id"] == "tls-mismatch"
