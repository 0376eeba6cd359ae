"""Azure and Google Cloud of a test's own on loopback: their REST interfaces, and what gives tokens for them."""

import contextlib
import datetime
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

TOKEN = "ya29.token-of-the-stand-in"
"""What lets one in; it's nobody's."""
Answer = Callable[[BaseHTTPRequestHandler], None]
Rows = Mapping[str, Any] | Callable[[Mapping[str, str]], Mapping[str, Any]]


class Asked(NamedTuple):
    """What the stand-in was asked."""

    method: str
    path: str
    query: Mapping[str, str]
    authorization: str
    sent: bytes


def at(seconds: float, now: float | None = None) -> str:
    """A moment so many seconds ago, as the interfaces write it."""
    when = datetime.datetime.fromtimestamp((time.time() if now is None else now) - seconds, datetime.UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%f") + "1Z"


class Cloud:
    """What it answers by path, and what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.rows: dict[str, Rows] = {}
        self.odd: dict[str, Answer] = {}
        """What is answered instead, by the end of the path, or * for all but tokens."""
        self.asked: list[Asked] = []

    @property
    def read(self) -> list[Asked]:
        """What was asked beside tokens."""
        return [one for one in self.asked if not one.path.startswith("/token")]


def status(code: int, body: str = "{}", **headers: str) -> Answer:
    """An answer of this status."""

    def give(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return give


def hangs(handler: BaseHTTPRequestHandler) -> None:
    """No answer for longer than anybody waits."""
    time.sleep(12)


def drips(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(60):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """More than anybody reads."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(2000):
        handler.wfile.write(b"[" * 65536)


def _handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def _any(self) -> None:
            split = urlsplit(self.path)
            path, query = unquote(split.path), dict(parse_qsl(split.query))
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            cloud.asked.append(Asked(self.command, path, query, self.headers.get("Authorization", ""), sent))
            with contextlib.suppress(OSError):
                self._answer(path, query)

        def _answer(self, path: str, query: Mapping[str, str]) -> None:
            if path == "/token":
                found: Mapping[str, Any] = {
                    "access_token": TOKEN, "expires_in": 3600, "expires_on": str(int(time.time()) + 3600),
                    "token_type": "Bearer", "resource": query.get("resource", ""),
                }  # fmt: skip
                return status(200, json.dumps(found), Content_Type="application/json")(self)
            if (
                odd := next((one for end, one in cloud.odd.items() if path.endswith(end) or end == "*"), None)
            ) is not None:
                return odd(self)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return status(401)(self)
            rows = next((one for known, one in cloud.rows.items() if known.lower() == path.lower()), None)
            if rows is None:
                return status(404)(self)
            return status(200, json.dumps(rows(query) if callable(rows) else rows))(self)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

    return Handler


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def cloud() -> Iterator[Cloud]:
    """One that runs."""
    made = Cloud()
    server = _Quiet(("127.0.0.1", 0), _handler(made))
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def azure_identity(made: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose identity the stand-in gives tokens for, as App Service does."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{made.url}/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header-secret")
    monkeypatch.setenv("REDIAGNOSE_AZURE_ENDPOINT", made.url)


def google_key(made: Cloud, monkeypatch: pytest.MonkeyPatch, folder: Path, project: str) -> None:
    """The key of a service account whose tokens the stand-in gives, where gcloud's own tools look for one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    file = folder / "key.json"
    file.write_text(json.dumps({
        "type": "service_account", "project_id": project, "private_key_id": "k1", "private_key": text,
        "client_email": f"reader@{project}.iam.gserviceaccount.com", "client_id": "1", "token_uri": f"{made.url}/token",
    }))  # fmt: skip
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    for name in ("REDIS", "MEMORYSTORE", "MONITORING"):
        monkeypatch.setenv(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{name}", f"{made.url}/")
