"""Faults of one end that speaks TLS and another that doesn't, or doesn't trust it."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.servers import LabError, Server, ServerKind, free_port, running, start
from evals.lab.traffic import application, fill

FAULTS = Family("configuration and access")


def _openssl() -> str | None:
    return None if shutil.which("openssl") else "needs openssl, for a certificate: apt-get install openssl"


def _certificate(name: str, folder: Path) -> None:
    """Put a self-signed certificate and its key into a folder."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "30", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1",
               "-keyout", str(folder / "redis.key"), "-out", str(folder / "redis.crt")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
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
async def _encrypted(kind: ServerKind, rng: Random) -> AsyncIterator[Server]:
    port, name = free_port(), rng.choice(("redis.internal", "cache.shop.internal"))
    config = {
        "port": "0", "tls-port": str(port), "tls-cert-file": "redis.crt", "tls-key-file": "redis.key",
        "tls-ca-cert-file": "redis.crt", "tls-auth-clients": "no",
    }  # fmt: skip
    server = await start(kind, config=config, port=port, ready="listens", prepare=partial(_certificate, name))
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
    needs=_openssl,
    kinds=lambda kind: kind.tls,
)
async def tls_mismatch_plain_client(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The client speaks plainly, and the port expects TLS."""
    async with _encrypted(kind, rng) as server, application(server.url, rng, clients=3):
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault(
    "tls-mismatch-untrusted",
    "ssl.SSLCertVerificationError: certificate verify failed, when connecting to Redis.",
    "After the certificates were renewed one service can't connect to Redis any more.",
    cause="tls-mismatch",
    needs=_openssl,
    kinds=lambda kind: kind.tls,
)
async def tls_mismatch_untrusted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The server's certificate is nobody's that the client trusts."""
    async with _encrypted(kind, rng) as server:
        url = server.url.replace("redis://", "rediss://")
        async with application(url, rng, clients=3):
            yield Incident(url=url, pid=server.pid)
