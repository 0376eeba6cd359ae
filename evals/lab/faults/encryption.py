"""Faults of one end that speaks TLS and another that doesn't, or doesn't trust it."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import LabError, Server, ServerKind, free_port, running, start
from evals.lab.traffic import application, fill

FAULTS = Family("configuration and access")
_AUTHORITY = """[ca]
default_ca = own
[own]
database = index.txt
rand_serial = yes
new_certs_dir = .
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = DNS:{name},IP:127.0.0.1,IP:127.0.0.2
basicConstraints = critical,CA:true
"""


def openssl() -> str | None:
    return None if shutil.which("openssl") else "needs openssl, for a certificate: apt-get install openssl"


def certificate(name: str, folder: Path, *, hours: tuple[float, float] = (0, 720)) -> None:
    """Put a self-signed certificate and its key into a folder; it's valid between two times, in hours from now."""
    _openssl_does(folder, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                  f"/CN={name}", "-keyout", "redis.key", "-out", "redis.csr")  # fmt: skip
    # Only `ca` takes times to the second, with any version.
    (folder / "ca.conf").write_text(_AUTHORITY.format(name=name))
    (folder / "index.txt").touch()
    now = datetime.now(UTC)
    first, last = (f"{now + timedelta(hours=one):%Y%m%d%H%M%SZ}" for one in hours)
    files = ("-config", "ca.conf", "-keyfile", "redis.key", "-in", "redis.csr", "-out", "redis.crt")
    life = ("-startdate", first, "-enddate", last)
    _openssl_does(folder, "ca", "-selfsign", "-batch", "-notext", *files, *life)


def _openssl_does(folder: Path, *command: str) -> None:
    done = subprocess.run(
        ["openssl", *command], cwd=folder, capture_output=True, text=True, check=False, timeout=20
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"openssl: {done.stderr.strip()}")


@FAULTS.fault(
    "tls-mismatch",
    "The new service can't connect to Redis, it hangs until the timeout. The other services work.",
    "Since encryption was switched on in the client Redis calls only time out.",
    cause="tls-mismatch",
)
async def tls_mismatch(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The client begins TLS, and the port is a plain one."""
    async with running(kind) as server, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        url = server.url.replace("redis://", "rediss://")
        async with application(url, rng, clients=3, timeout=1):
            await asyncio.sleep(0.5)
            yield Incident(url=url, pid=server.pid, own_url=server.url)


@asynccontextmanager
async def encrypted(kind: ServerKind, rng: Random, hours: tuple[float, float] = (0, 720)) -> AsyncIterator[Server]:
    """A server whose port speaks TLS, with a certificate that is valid between two times, in hours from now."""
    port, name = free_port(), rng.choice(("redis.internal", "cache.shop.internal"))
    config = {
        "port": "0", "tls-port": str(port), "tls-cert-file": "redis.crt", "tls-key-file": "redis.key",
        "tls-ca-cert-file": "redis.crt", "tls-auth-clients": "no",
    }  # fmt: skip
    server = await start(
        kind, config=config, port=port, ready="listens", prepare=partial(certificate, name, hours=hours)
    )
    try:
        # Those that know how to: the applications that were there before.
        own = f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none&ssl_check_hostname=false"
        async with application(own, rng):
            await asyncio.sleep(0.5)
            yield server
    finally:
        await server.stop()


@FAULTS.fault(
    "tls-mismatch-plain-client",
    "Redis resets the connections of one service since it moved to the managed port.",
    "redis.exceptions.ConnectionError: Connection closed by server, on the first command, always.",
    cause="tls-mismatch",
    needs=openssl,
    kinds=lambda kind: kind.tls,
)
async def tls_mismatch_plain_client(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The client speaks plainly, and the port expects TLS."""
    async with encrypted(kind, rng) as server, application(server.url, rng, clients=3):
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "tls-mismatch-untrusted",
    "ssl.SSLCertVerificationError: certificate verify failed, when connecting to Redis.",
    "After the certificates were renewed one service can't connect to Redis any more.",
    cause="tls-mismatch",
    needs=openssl,
    kinds=lambda kind: kind.tls,
)
async def tls_mismatch_untrusted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The server's certificate is nobody's that the client trusts."""
    async with encrypted(kind, rng) as server:
        url = server.url.replace("redis://", "rediss://")
        async with application(url, rng, clients=3):
            yield Incident(url=url, pid=server.pid)


def _trusting(server: Server) -> str:
    """The URL of a client that verifies, and knows the authority."""
    return f"{server.url.replace('redis://', 'rediss://')}?ssl_ca_certs={server.folder / 'redis.crt'}"


@FAULTS.fault(
    "tls-certificate-expired",
    "Since midnight no service can connect to Redis any more; the process runs, nothing was deployed.",
    "ssl.SSLCertVerificationError from every pod that connects to Redis anew, the old connections go on.",
    cause="tls-mismatch", twin="healthy-encrypted", needs=openssl, kinds=lambda kind: kind.tls,
    never=(r"tls-auth-clients no", r"--insecure", r"restart the"),
)  # fmt: skip
async def tls_certificate_expired(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A certificate that ended a few hours ago."""
    async with encrypted(kind, rng, (-2160, -rng.uniform(0.2, 12))) as server:
        yield Incident(url=_trusting(server), pid=server.pid)


@FAULTS.fault(
    "tls-certificate-expiring",
    "The platform team's probe for Redis went red this morning: encryption. All services still work.",
    "Alert from the TLS checker for the Redis host; nobody knows what it wants, clients are fine.",
    cause="tls-mismatch", twin="healthy-encrypted", needs=openssl, kinds=lambda kind: kind.tls,
    never=(r"tls-auth-clients no", r"--insecure"),
)  # fmt: skip
async def tls_certificate_expiring(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A certificate that ends within hours."""
    async with encrypted(kind, rng, (-2160, rng.uniform(1, 20))) as server:
        await asyncio.sleep(0.5)
        yield Incident(url=_trusting(server), pid=server.pid)


@FAULTS.fault(
    "healthy-encrypted",
    "The platform team's probe for Redis went red this morning: encryption. All services still work.",
    "ssl errors from one pod, gone after it was started anew.",
    cause=NO_FAULT, twin="tls-certificate-expiring", needs=openssl, kinds=lambda kind: kind.tls,
)  # fmt: skip
async def healthy_encrypted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A certificate that was renewed in time, or one of a day that is renewed every few hours."""
    async with encrypted(kind, rng, rng.choice(((-24, 24 * 80), (-2, 22)))) as server:
        await asyncio.sleep(0.5)
        yield Incident(url=_trusting(server), pid=server.pid)
