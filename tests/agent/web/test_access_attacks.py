"""Attacks on the service over real sockets: other names, other sites' pages, odd requests, endless and slow bodies."""

import asyncio
import logging

import pytest
from starlette.types import Message

from agent.web.access.guarded import HEADERS, guarded
from tests.agent.web.guarded_app import APPROVER, READER, SENDER, TOKENS, access, serving

FORM = "application/x-www-form-urlencoded"
DECIDES = "/incidents/1/decisions"


@pytest.mark.parametrize("host", [
    "evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", "localhost", "[::1]", "0.0.0.0:{port}",
    "127.1:{port}", "2130706433:{port}", "evil.example:{port}", "sre.example.org:{port}", "sre.example.org.", "",
    "127.0.0.1:{port}@evil.example", "evil.example@127.0.0.1:{port}", "127.0.0.1:{port}, evil.example",
    "user@sre.example.org",
])  # fmt: skip
async def test_a_foreign_name_is_refused_whoever_asks(host: str) -> None:
    async with serving() as served:
        host = host.format(port=served.port)
        for path in ("/", "/v1/incidents", "/metrics", "/access/sign-in", "/static/x"):
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {READER}\r\nConnection: close\r\n\r\n"
            answer = await served.raw(head.encode())
            assert answer.split(b" ")[1] in (b"400", b"421"), answer
        assert served.reached.seen == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "LocalHost:{port}", "[::1]:{port}", "sre.example.org"]
)
async def test_its_own_names_are_served(host: str) -> None:
    async with serving() as served, served.as_(READER) as client:
        assert (await client.get("/metrics", headers={"Host": host.format(port=served.port)})).status_code == 200


async def test_a_probe_by_address_learns_only_that_it_lives() -> None:
    async with serving() as served, served.client(Host="10.2.3.4:8080") as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/healthz/")).status_code == 421


@pytest.mark.parametrize(("headers", "why"), [
    ({"Origin": "https://evil.example"}, "another page"), ({"Origin": "null"}, "another page"),
    ({"Origin": ""}, "another page"), ({"Sec-Fetch-Site": "cross-site"}, "another page"),
    ({"Sec-Fetch-Site": "same-site"}, "another page"), ({"Sec-Fetch-Site": "none"}, "another page"),
    ({"Origin": "http://127.0.0.1:1"}, "another page"), ({"Origin": "http://localhost:{port}"}, "another page"),
    ({"Origin": "{url}", "Sec-Fetch-Site": "cross-site"}, "another page"),
    ({"Origin": "{url}.evil.example"}, "another page"), ({"Referer": "{url}/"}, "neither"), ({}, "neither"),
])  # fmt: skip
async def test_another_sites_page_decides_nothing(headers: dict[str, str], why: str) -> None:
    async with serving() as served, served.browser(APPROVER) as (browser, csrf):
        del browser.headers["Origin"]
        sent = {name: value.format(url=served.url, port=served.port) for name, value in headers.items()}
        before = len(served.reached.seen)
        for path in (DECIDES, "/access/sign-in", "/access/sign-out"):
            answer = await browser.post(path, data={"csrf": csrf, "token": APPROVER}, headers=sent)
            assert answer.status_code == 403 and why in answer.text
        assert len(served.reached.seen) == before


async def test_a_form_needs_what_only_its_own_session_knows() -> None:
    async with (
        serving() as served,
        served.browser(APPROVER) as (browser, csrf),
        served.browser(APPROVER) as (_, foreign),
    ):
        for wrong in ("", foreign, csrf[:-1], csrf + "x", "\u00e9"):
            assert (await browser.post(DECIDES, data={"csrf": wrong})).status_code == 403
            assert (
                await browser.post(DECIDES, json={}, headers=[(b"X-CSRF-Token", wrong.encode())])
            ).status_code == 403
        assert (await browser.post(DECIDES, json={"csrf": csrf})).status_code == 403
        assert (await browser.post(f"{DECIDES}?csrf={csrf}", data={})).status_code == 403
        assert (await browser.post(DECIDES)).status_code == 403
        assert not [seen for seen in served.reached.seen if seen[0] == "POST"]
        form = await browser.post(DECIDES, data={"csrf": csrf, "step": "s1"})
        assert (form.status_code, form.json()["by"]) == (200, "anna")
        assert served.reached.seen[-1] == ("POST", DECIDES, "anna", f"csrf={csrf}&step=s1".encode())
        assert (await browser.post(DECIDES, json={"step": "s1"}, headers={"X-CSRF-Token": csrf})).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/xml", "text/json", ""])
async def test_what_other_sites_can_send_without_asking_isnt_read(kind: str) -> None:
    async with serving() as served, served.browser(APPROVER) as (browser, csrf):
        answer = await browser.post(
            DECIDES, content=f'{{"csrf":"{csrf}"}}', headers={"Content-Type": kind, "X-CSRF-Token": csrf}
        )  # fmt: skip
        assert answer.status_code == 415


async def test_another_sites_page_loads_no_part_of_this_one() -> None:
    async with serving() as served, served.browser(READER) as (browser, _):
        for site in ("cross-site", "same-site"):
            for mode, to in (("no-cors", "image"), ("no-cors", "script"), ("navigate", "iframe"), ("cors", "empty")):
                headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": to}
                assert (await browser.get("/incidents/1", headers=headers)).status_code == 403
        for path in ("/v1/incidents", DECIDES, "/"):
            asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
            answer = await browser.request("OPTIONS", path, headers=asked)
            assert answer.status_code == 405
            assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("cookie", [
    "{name}={other}", "{name}=", "{name}=x; {name}={value}", "{name}={value}; {name}=x", "{name}={value}x",
    "x{name}={value}",
    "{name}=\"{value}\"", "{name} ={value}", "{upper}={value}", "__Host-rediagnose={value}",
])  # fmt: skip
async def test_another_cookie_is_nobodys(cookie: str) -> None:
    async with serving() as served, served.browser(APPROVER) as (browser, _):
        ((name, value),) = dict(browser.cookies).items()
        given = cookie.format(name=name, value=value, upper=name.upper(), other=value[::-1])
        async with served.client(Cookie=given) as client:
            assert (await client.get("/incidents/1")).status_code == 401


async def test_a_session_of_another_service_is_nobodys_here() -> None:
    async with serving() as one, serving() as other, one.browser(APPROVER) as (browser, csrf):
        ((_, value),) = dict(browser.cookies).items()
        async with other.client(Cookie=f"rediagnose-{other.port}={value}", Origin=other.url) as client:
            assert (await client.get("/incidents/1")).status_code == 401
            assert (await client.post(DECIDES, data={"csrf": csrf})).status_code == 401


@pytest.mark.parametrize("path", [
    "//", "//v1/incidents", "/v1//incidents", "/v1/incidents/../../healthz", "/healthz/../v1/incidents",
    "/./v1/incidents",
    "/static/../v1/incidents", "/static/%2e%2e/v1/incidents", "/static/..%2fv1/incidents", "/static/%2E%2E%2Fv1",
    "/static/..%5cv1", "/static/..\\v1", "/v1/incidents;x=/healthz", "/v1/incidents%3bx", "/v1/incidents%00",
    "/v1/incidents%0d%0aX:1", "/v1/inc%69dents", "/%76%31/incidents", "/v1/webhooks/..", "/v1/webhooks/%2e%2e",
    "/healthz%2f..%2fv1%2fincidents", "/v1/incidents%23", "/v1/incidents%3f", "/v1/%252e%252e/", "/v1/%c0%ae%c0%ae/",
    "/v1/\u202e".encode().decode("latin-1"), "/v1/%e2%80%ae", "http://evil.example/v1/incidents", "*", "v1/incidents",
    "/" + "a" * 3000, "/?" + "a" * 9000, "/access/../v1/incidents",
])  # fmt: skip
async def test_a_path_that_can_be_read_in_two_ways_is_refused(path: str) -> None:
    async with serving() as served:
        for given in ((), (f"Authorization: Bearer {APPROVER}",)):
            assert await served.asks(f"GET {path} HTTP/1.1", *given) in (400, 414)
        assert served.reached.seen == []


@pytest.mark.parametrize("path", ["/incidents/my%20name", "/incidents/M%C3%BCnchen", "/incidents/a:b@c~d,e+f"])
async def test_plain_names_are_served(path: str) -> None:
    async with serving() as served:
        assert await served.asks(f"GET {path} HTTP/1.1", f"Authorization: Bearer {READER}") == 200


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "TRACK", "GETX", "PRI"])
async def test_other_methods_are_refused(method: str) -> None:
    async with serving() as served:
        status = await served.asks(f"{method} /v1/incidents HTTP/1.1", f"Authorization: Bearer {APPROVER}")
        assert status in (400, 405)
        assert served.reached.seen == []


async def test_head_says_what_get_does_without_the_body() -> None:
    async with serving() as served, served.as_(READER) as client, served.client() as nobody:
        assert (await nobody.head("/v1/incidents")).status_code == 401
        head = await client.head("/v1/incidents")
        assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("headers", [
    ("Content-Length: 3", "Transfer-Encoding: chunked"), ("Content-Length: 3", "Content-Length: 4"),
    ("Content-Length: 3, 4",), ("Content-Length: +3",), ("Content-Length: -1",), ("Content-Length: 0x3",),
    ("Content-Length: 9999999999999999",), ("Transfer-Encoding: gzip, chunked",), ("Transfer-Encoding: identity",),
    ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), ("Transfer-Encoding : chunked",),
    ("Transfer-Encoding: \x0bchunked",), ("Host: evil.example",), ("Authorization: Bearer x",),
    ("Content-Encoding: gzip",),
    ("Content-Type: application/json", "Content-Type: text/plain"), ("X: a\rb",), ("X: a\x00b",), (" X: folded",),
    ("Origin: a", "Origin: b"), *((f"X-{number}: x",) * 120 for number in range(1)), ("X: " + "x" * 40_000,),
])  # fmt: skip
async def test_a_request_with_two_meanings_is_refused(headers: tuple[str, ...]) -> None:
    async with serving() as served:
        given = (f"Authorization: Bearer {APPROVER}", *headers)
        assert await served.asks("POST /v1/incidents HTTP/1.1", *given, body=b"{}x") in (400, 401, 413, 415, 431, 501)
        assert served.reached.seen == []


async def test_nothing_is_smuggled_behind_a_request() -> None:
    async with serving() as served:
        inner = (
            f"GET /v1/incidents/2 HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {READER}\r\n\r\n"
        )
        head = f"POST /v1/webhooks/x HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        for framing in (f"Content-Length: {len(inner)}\r\nTransfer-Encoding: chunked", "Transfer-Encoding: xchunked"):
            answer = await served.raw(f"{head}{framing}\r\n\r\n0\r\n\r\n{inner}".encode())
            assert answer.count(b"HTTP/1.1") == 1 and answer.split(b" ")[1] in (b"400", b"501")
        head = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Length: {len(inner)}\r\n\r\n"
        answer = await served.raw(f"{head}{inner}".encode())
        assert answer.count(b"HTTP/1.1") == 1 and answer.split(b" ")[1] == b"400"
        assert served.reached.seen == []


async def test_a_websocket_is_refused() -> None:
    async with serving() as served:
        upgrade = (
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        )
        assert await served.asks("GET /v1/incidents HTTP/1.1", *upgrade) == 401
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await guarded(served.reached.app, access())({"type": "websocket", "path": "/v1/incidents"}, receive, send)
        assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    ("path", "most"), [("/v1/webhooks/x", 2**20), ("/v1/incidents", 2**20), ("/v1/incidents/1/decisions", 2**16)]
)
async def test_a_large_body_is_refused_before_it_is_read(path: str, most: int) -> None:
    async with serving() as served:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {APPROVER}\r\n"
        said = await served.raw(f"{head}Content-Length: 50000000\r\nExpect: 100-continue\r\n\r\n".encode())
        assert said.startswith(b"HTTP/1.1 413 ") and b"connection: close" in said.lower()
        assert served.reached.seen == []
        async with served.as_(APPROVER) as client:
            assert (await client.post(path, content=b"x" * most)).json()["length"] == most
            assert (await client.post(path, content=b"x" * (most + 1))).status_code == 413


@pytest.mark.parametrize(("megabytes", "cut"), [(50, False), (200, True)])
async def test_an_endless_body_is_refused_at_the_bound_and_cut_off_a_moment_later(megabytes: int, cut: bool) -> None:
    async with serving() as served:
        sent, chunk = 0, b"10000\r\n" + b"x" * 65536 + b"\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        head = f"POST /v1/webhooks/x HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        try:
            while sent < megabytes:
                writer.write(chunk * 16)
                await writer.drain()
                sent += 1
            writer.write(b"0\r\n\r\n")
        except ConnectionError:
            pass
        else:
            assert (await reader.read(100)).startswith(b"HTTP/1.1 413")
        finally:
            writer.close()
        # Beyond what is waited for, the kernels' buffers hold a few.
        assert (sent < 100) if cut else sent == 50
        assert served.reached.seen == []


async def test_nobody_without_a_token_gets_a_body_read() -> None:
    async with serving() as served:
        head = f"POST /v1/incidents HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Length: 50000\r\n\r\n"
        said = await served.raw(head.encode())
        assert said.startswith(b"HTTP/1.1 401 ") and b"connection: close" in said.lower()


async def test_a_body_that_trickles_is_given_up() -> None:
    async with serving(access()._replace(body_seconds=0.3)) as served:
        head = f"POST /v1/webhooks/x HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Length: 50\r\n\r\nx"
        assert (await served.raw(head.encode())).startswith(b"HTTP/1.1 408 ")
        assert served.reached.seen == []


async def test_headers_that_trickle_are_given_up_and_others_are_served_meanwhile() -> None:
    async with serving(head_seconds=2) as served:
        slow = [asyncio.create_task(served.raw(b"GET / HTTP/1.1\r\nX: ", seconds=30)) for _ in range(50)]
        silent = asyncio.create_task(served.raw(seconds=30))
        async with served.as_(READER) as client:
            assert (await client.get("/metrics")).status_code == 200
        assert await asyncio.gather(*slow, silent) == [b""] * 51
        # The second request of a connection that was good has no longer.
        good = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode()
        assert (await served.raw(good, b"GET /", after=30)).count(b"HTTP/1.1 200") == 1


async def test_each_answer_says_what_a_browser_may_do_with_it_and_keep() -> None:
    async with serving() as served, served.as_(READER) as client, served.client() as nobody:
        answers = [
            await client.get("/"), await client.get("/no/such/page"), await nobody.get("/"),
            await nobody.get("/access/sign-in"),
            await nobody.post("/v1/incidents"), await nobody.get("/healthz"), await nobody.get("/x;"),
            await client.post("/v1/webhooks/x"), await client.delete("/"),
        ]  # fmt: skip
        for answer in answers:
            assert (
                HEADERS.items()
                <= {name.title().replace("Csrf", "CSRF"): value for name, value in answer.headers.items()}.items()
            )
            assert answer.headers["cache-control"] == "no-store"
            assert "server" not in answer.headers
        policy = answers[0].headers["content-security-policy"]
        assert "unsafe" not in policy and "*" not in policy and "frame-ancestors 'none'" in policy
        assert "cache-control" not in (await nobody.get("/static/page.css")).headers


@pytest.mark.parametrize("after", [
    "https://evil.example", "//evil.example", "/\\evil.example", "/%5cevil.example\\", "\\\\evil.example",
    "javascript:alert(1)",
    "/\tx", "/\r\nSet-Cookie: x=1", "evil", "", "/access/sign-out", "/" + "x" * 3000, "///x", "/x//evil.example",
    "/\u202e", "/<script>", "/x?y=<script>", "/?\\evil",
])  # fmt: skip
async def test_signing_in_leads_to_no_other_place(after: str) -> None:
    async with serving() as served, served.client(Origin=served.url) as client:
        form = await client.get("/access/sign-in", params={"next": after})
        assert form.status_code == 200 and "evil" not in form.text and "<script>" not in form.text
        done = await client.post("/access/sign-in", data={"token": READER, "next": after})
        assert (done.status_code, done.headers["location"]) == (303, "/")


async def test_no_log_and_no_answer_has_a_secret(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    granted = access("")
    assert granted.start
    secret = granted.start.get_secret_value()
    # With uvicorn's own log of requests, which `rediagnose serve` leaves off.
    async with serving(granted, access_log=True, log_level="debug") as served, served.client() as client:
        texts = []
        paths = ("/", "/v1/incidents", "/healthz", "/x;", "//", "/access/sign-in", "/access/oidc/callback")
        asked = [(path, name) for path in paths for name in ("token", "access_token")]
        for path, name in (*asked, ("/access/oidc/callback", "code"), ("/access/oidc/callback", "state")):
            answer = await client.get(path, params={name: secret})
            texts.append(answer.text + str(answer.headers))
        await client.post("/access/sign-in", data={"token": secret}, headers={"Origin": served.url})
        await client.get("/", headers={"Authorization": f"Bearer {secret}x"})
        kept = list(dict(client.cookies).values())
    # The client of this test says what it asks for as well.
    ours = [one.getMessage() for one in caplog.records if one.name.startswith(("uvicorn", "rediagnose", "starlette"))]
    logged = "\n".join([*ours, *capfd.readouterr()])
    assert "GET / HTTP/1.1" in logged
    for one in (secret, *kept):
        assert one not in logged
    assert secret not in "".join(texts)


async def test_who_a_proxy_says_asks_counts_only_for_a_proxy_that_was_named() -> None:
    async with serving() as served:
        statuses = []
        for number in range(13):
            statuses.append(await served.asks(
                "GET / HTTP/1.1", "Authorization: Bearer x", f"X-Forwarded-For: 192.0.2.{number}",
                f"Forwarded: for=192.0.2.{number}",
            ))  # fmt: skip
        assert statuses[-1] == 429
    named = access(TOKENS.replace("[serve]", '[serve]\nproxies = ["127.0.0.1"]', 1))
    async with serving(named) as served:
        for number in range(13):
            # What the peer of the proxy says itself stands first, and counts for nothing.
            header = f"X-Forwarded-For: 198.51.100.{number}, 192.0.2.7"
            last = await served.asks("GET / HTTP/1.1", "Authorization: Bearer x", header)
        other = await served.asks("GET / HTTP/1.1", "Authorization: Bearer x", "X-Forwarded-For: 192.0.2.8")
        assert (last, other) == (429, 401)


async def test_a_sender_opens_no_page_and_reads_nothing() -> None:
    async with serving() as served, served.as_(SENDER) as client:
        for path in ("/", "/v1/incidents", "/v1/incidents/1", "/metrics", "/events"):
            assert (await client.get(path)).status_code == 403
        assert (await client.post(DECIDES, json={})).status_code == 403
        assert served.reached.seen == []
