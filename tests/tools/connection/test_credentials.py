"""Tokens of an identity service: asked for over HTTP, taken by a real server, renewed on the held connection."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from evals.lab.servers import Server, ServerKind, installed, running
from evals.lab.wire import Wire, dial
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.credentials import AwsIam, Credentials, EntraId, Token
from tools.connection.node import Node
from tools.connection.target import Target, parse_target
from tools.connection.tokens import Tokens, tokens_of
from tools.errors import UsageError
from tools.redact import Pseudonyms

MANAGED = EntraId(type="entra", identity="managed")
Answer = Callable[[str, dict[str, str]], tuple[int, dict[str, object]]]


@asynccontextmanager
async def identity_service(answer: Answer, header: str = "") -> AsyncIterator[str]:
    """The URL of a stand-in of a cloud's token endpoint."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        status, body = answer(head[0].split(" ")[1], headers)
        data = json.dumps(body).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
            f"{header}Connection: close\r\n\r\n".encode()
            + data
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"


def jwt(number: int, ends: float) -> str:
    """A token as Entra ID's are formed; Redis takes it whole, as a password."""
    parts = ({"alg": "none", "typ": "JWT"}, {"oid": "an-object-id", "exp": int(ends), "jti": number})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join((*encoded, "c2ln"))


async def allow(wire: Wire, token: Token | str, user: str = "an-object-id") -> None:
    secret = token if isinstance(token, str) else token.secret.get_secret_value()
    assert await wire.ask("ACL", "SETUSER", user, "on", "resetpass", f">{secret}", "allkeys", "+@all") == "OK"


def node_of(server: Server, credentials: EntraId | AwsIam) -> Node:
    target = parse_target(server.url, environ={}).model_copy(update={"credentials": credentials})
    return Node(target, SystemClock(), Budget(), Pseudonyms())


async def test_a_managed_identity_is_let_in(kind: ServerKind, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, str]]] = []
    token = jwt(1, time.time() + 3600)

    def answer(path: str, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
        asked.append((path, headers))
        return 200, {
            "access_token": token,
            "expires_on": str(int(time.time()) + 3600),
            "resource": "r",
            "token_type": "Bearer",
        }

    async with running(kind) as server, identity_service(answer) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "header-secret")
        wire = await dial(server.url)
        await allow(wire, token)
        node = node_of(server, MANAGED)
        try:
            assert await node.one("ACL", "WHOAMI") == "an-object-id"
            # A second connection takes the same token.
            second, _ = await node.dial()
            second.close()
        finally:
            node.close()
            await wire.close()
    ((path, headers),) = asked
    assert dict(parse_qsl(urlsplit(path).query))["resource"] == "https://redis.azure.com"
    assert headers["x-identity-header"] == "header-secret"
    assert node.pseudonyms.hide(f"AUTH an-object-id {token}").count(token) == 0


@pytest.mark.live
async def test_a_token_is_renewed_on_the_held_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def answer(path: str, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
        ends = int(time.time()) + 4
        given.append(jwt(len(given), ends))
        return 200, {"access_token": given[-1], "expires_on": str(ends), "resource": "r", "token_type": "Bearer"}

    async with running(installed()[0]) as server, identity_service(answer) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        wire = await dial(server.url)
        assert await wire.ask("ACL", "SETUSER", "an-object-id", "on", "nopass", "allkeys", "+@all") == "OK"
        await wire.ask("CONFIG", "RESETSTAT")
        node = node_of(server, MANAGED)
        try:
            first = await node.one("CLIENT", "ID")
            async with asyncio.timeout(60):
                while node.own.calls["auth"] < 3:
                    await asyncio.sleep(0.05)
            assert await node.one("CLIENT", "ID") == first
            stats = str(await wire.ask("INFO", "commandstats"))
            calls = next(line for line in stats.splitlines() if line.startswith("cmdstat_auth:"))
            assert int(calls.partition("calls=")[2].partition(",")[0]) >= 3
        finally:
            node.close()
            await wire.close()
    assert len(set(given)) >= 3


@pytest.mark.live
async def test_a_refused_identity_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(path: str, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
        return 400, {"statusCode": 400, "message": "no identity has been assigned"}

    async with running(installed()[0]) as server, identity_service(answer) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        node = node_of(server, MANAGED)
        with pytest.raises(UsageError, match=r'credentials = "entra": no token: .*az login'):
            await node.one("PING")
        node.close()


async def test_the_chain_of_azures_own_tools_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = int(time.time()) + 3600
    token = jwt(7, ends)

    def answer(path: str, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
        return 200, {"access_token": token, "expires_on": str(ends), "resource": "r", "token_type": "Bearer"}

    async with identity_service(answer) as url:
        for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        tokens = tokens_of(EntraId(type="entra", user="me"), SystemClock())
        assert tokens is not None
        found = await tokens.current()
    assert (found.username, found.secret.get_secret_value(), found.ends) == ("me", token, ends)


def signature(token: str, region: str, service: str, secret: str) -> str:
    """The signature that AWS computes of such a token, by its documentation and nothing else."""
    host, _, query = token.partition("/?")
    pairs = [pair for pair in query.split("&") if not pair.startswith("X-Amz-Signature=")]
    values = dict(pair.split("=", 1) for pair in pairs)
    canonical = "\n".join(
        ("GET", "/", "&".join(sorted(pairs)), f"host:{host}", "", "host", hashlib.sha256(b"").hexdigest())
    )
    at = values["X-Amz-Date"]
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    signed = "\n".join(("AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in (at[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, signed.encode(), hashlib.sha256).hexdigest()


@pytest.mark.live
@pytest.mark.parametrize(
    ("service", "serverless"), [("elasticache", False), ("elasticache", True), ("memorydb", False)]
)
async def test_iam_tokens_are_signed_with_keys_from_the_container(
    service: str, serverless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(path: str, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200))
        return 200, {
            "AccessKeyId": "AKIDEXAMPLE",
            "SecretAccessKey": "a+secret/key",
            "Token": "session+token==",
            "Expiration": ends,
        }

    async with running(installed()[0]) as server, identity_service(answer) as url:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        credentials = AwsIam.model_validate(
            {
                "type": "aws-iam",
                "user": "iam-user",
                "cache": "orders",
                "region": "eu-central-1",
                "service": service,
                "serverless": serverless,
            }
        )
        tokens = tokens_of(credentials, SystemClock())
        assert tokens is not None
        token = (await tokens.current()).secret.get_secret_value()
        wire = await dial(server.url)
        await allow(wire, token, "iam-user")
        target = parse_target(server.url, environ={}).model_copy(update={"credentials": credentials})
        node = Node(target, SystemClock(), Budget(), Pseudonyms(), tokens=tokens)
        assert await node.one("ACL", "WHOAMI") == "iam-user"
        node.close()
        await wire.close()
    query = dict(parse_qsl(token.partition("/?")[2]))
    assert token.startswith("orders/?") and query["Action"] == "connect" and query["User"] == "iam-user"
    assert query["X-Amz-Expires"] == "900" and query["X-Amz-Security-Token"] == "session+token=="
    assert query.get("ResourceType") == ("ServerlessCache" if serverless else None)
    assert query["X-Amz-Signature"] == signature(token, "eu-central-1", service, "a+secret/key")


async def test_an_old_token_is_used_as_long_as_it_is_good() -> None:
    clock = Stopped()
    answers: list[Token | UsageError] = []

    def request() -> Token:
        answer = answers.pop(0)
        if isinstance(answer, UsageError):
            raise answer
        return answer

    tokens = Tokens(request, clock)
    first = Token(username="u", secret=SecretStr("one"), ends=1000.0)
    answers += [first, UsageError("down"), UsageError("still down")]
    assert await tokens.current() is first
    clock.seconds = 749
    assert await tokens.current() is first and len(answers) == 2
    clock.seconds = 751
    assert await tokens.current() is first and len(answers) == 1
    clock.seconds = 1001
    with pytest.raises(UsageError, match="still down"):
        await tokens.current()


class Stopped(SystemClock):
    """A clock that goes when it's told to."""

    seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


async def test_a_token_never_crosses_a_network_in_the_clear() -> None:
    target = Target(host="10.255.255.1", port=6379, credentials=AwsIam(type="aws-iam", user="u", cache="c", region="r"))
    node = Node(target, SystemClock(), Budget(), Pseudonyms())
    with pytest.raises(UsageError, match="only sent over TLS; use rediss://"):
        await node.dial()


def test_settings_name_credentials_by_a_word_or_a_table() -> None:
    adapter: TypeAdapter[EntraId | AwsIam] = TypeAdapter(Credentials)
    assert adapter.validate_python("entra") == EntraId(type="entra")
    whole = adapter.validate_python({"type": "aws-iam", "user": "u", "cache": "c", "region": "r"})
    assert isinstance(whole, AwsIam) and whole.service == "elasticache"
    for wrong in ("aws-iam", "kerberos", {"type": "entra", "token": "x"}, 7):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


async def test_an_identity_service_that_redirects_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[dict[str, str]] = []
    (tmp_path / "netrc").write_text("default login someone password from-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("IDENTITY_HEADER", "header-secret")

    def elsewhere(path: str, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
        seen.append(headers)
        return 200, {"access_token": jwt(1, time.time() + 3600), "expires_on": "1", "resource": "r"}

    asked: list[dict[str, str]] = []

    def moved(path: str, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
        asked.append(headers)
        return 307, {}

    async with identity_service(elsewhere) as other, identity_service(moved, f"Location: {other}\r\n") as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        tokens = tokens_of(MANAGED, SystemClock())
        assert tokens is not None
        with pytest.raises(UsageError, match="no token"):
            await tokens.current()
    assert asked and not seen
    assert all("authorization" not in headers for headers in asked)
