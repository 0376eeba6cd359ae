"""Who gets in, as what, and how: tokens, sessions, and where a service may listen."""

from datetime import UTC, datetime

import pytest

from agent.service.records import Person
from agent.web.access.attempts import MOST, Attempts
from agent.web.access.sessions import SECONDS, Sessions
from tests.agent.web.guarded_app import APPROVER, READER, SENDER, TOKENS, access, serving
from tools.errors import UsageError

READS = ("/", "/incidents/1", "/v1/incidents", "/v1/incidents/1", "/metrics", "/events", "/nothing-there")
PERSON = Person(name="anna", roles=frozenset({"approver"}))


@pytest.mark.parametrize(("token", "reads", "submits", "decides"), [
    (READER, True, False, False), (APPROVER, True, True, True), (SENDER, False, True, False),
])  # fmt: skip
async def test_each_role_may_do_its_own(token: str, reads: bool, submits: bool, decides: bool) -> None:
    async with serving() as served, served.as_(token) as client:
        for path in READS[:-2]:
            assert (await client.get(path)).status_code == (200 if reads else 403), path
        assert (await client.post("/v1/incidents", json={})).status_code == (200 if submits else 403)
        assert (await client.post("/v1/incidents/1/decisions", json={})).status_code == (200 if decides else 403)
        assert (await client.post("/incidents/1/feedback", json={})).status_code == (200 if reads else 403)
        # What no rule names is for approvers.
        assert (await client.delete("/v1/incidents/1")).status_code == (405 if decides else 403)


async def test_without_a_token_only_health_and_the_look_of_the_page_are_open() -> None:
    async with serving() as served, served.client() as client:
        for path in READS:
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="rediagnose"'), path
        for path in ("/v1/incidents", "/v1/incidents/1/decisions", "/incidents/1/decisions", "/incidents/1/feedback"):
            assert (await client.post(path, json={})).status_code == 401
        assert served.reached.seen == []
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/static/page.css")).status_code == 200
        hook = await client.post("/v1/webhooks/github", content=b"{}")
        assert (hook.status_code, hook.json()["by"]) == (200, None)


@pytest.mark.parametrize("authorization", [
    "Bearer " + "x" * 40, "Bearer", "Basic " + READER, READER, f"Bearer {READER[:-1]}", f"Bearer {READER}r",
    f"Bearer {READER} x", "Bearer \xff", f"Token {READER}",
])  # fmt: skip
async def test_a_wrong_token_is_refused_even_beside_a_good_cookie(authorization: str) -> None:
    async with serving() as served, served.browser(APPROVER) as (browser, _):
        answer = await browser.get("/incidents/1", headers=[(b"Authorization", authorization.encode("latin-1"))])
        assert answer.status_code == 401
        assert READER not in answer.text


async def test_the_link_of_the_start_becomes_a_cookie_and_leaves_the_address() -> None:
    granted = access("")
    assert granted.start
    secret = granted.start.get_secret_value()
    async with serving(granted) as served, served.client(Accept="text/html") as client:
        assert granted.link(served.port) == f"{served.url}/?token={secret}"
        answer = await client.get(f"/incidents/1?of=x&token={secret}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/1?of=x")
        said = answer.headers["set-cookie"]
        assert f"rediagnose-{served.port}=" in said
        assert "; HttpOnly; SameSite=Strict" in said and "Path=/" in said
        assert secret not in answer.text + said + answer.headers["location"]
        seen = await client.get("/incidents/1")
        assert seen.status_code == 200 and secret not in seen.text
        wrong = await client.get("/?token=wrong")
        assert wrong.status_code == 401 and "has expired" in wrong.text


async def test_a_token_in_any_other_address_is_refused() -> None:
    granted = access("")
    assert granted.start
    secret = granted.start.get_secret_value()
    async with serving(granted) as served, served.client() as client:
        for path in ("/v1/incidents", "/v1/incidents/1", "/static/x", "/healthz"):
            assert (await client.get(path, params={"token": secret})).status_code == 400
        assert (await client.get("/", params={"access_token": secret})).status_code == 400
        assert (await client.post("/v1/incidents", params={"token": secret}, json={})).status_code == 400
        assert (await client.head("/", params={"token": secret})).status_code == 400
        assert (
            await client.get("/", params={"token": secret}, headers={"Sec-Fetch-Mode": "no-cors"})
        ).status_code == 400
        assert served.reached.seen == []


async def test_signing_in_by_the_form_and_out_again() -> None:
    async with serving() as served:
        async with served.client(Accept="text/html") as client:
            sent = await client.get("/incidents/1?of=x")
            assert (sent.status_code, sent.headers["location"]) == (
                303,
                "/access/sign-in?next=%2Fincidents%2F1%3Fof%3Dx",
            )
            form = await client.get(sent.headers["location"])
            assert form.status_code == 200 and 'name="token"' in form.text and 'value="/incidents/1?of=x"' in form.text
            wrong = await client.post("/access/sign-in", data={"token": "x"}, headers={"Origin": served.url})
            assert wrong.status_code == 401 and "isn&#x27;t known" in wrong.text
            only = await client.post("/access/sign-in", data={"token": SENDER}, headers={"Origin": served.url})
            assert only.status_code == 403
        async with served.browser(READER) as (browser, csrf):
            kept = dict(browser.cookies)
            assert (await browser.post("/access/sign-out", data={"csrf": ""})).status_code == 403
            assert (await browser.get("/incidents/1")).status_code == 200
            out = await browser.post("/access/sign-out", data={"csrf": csrf})
            assert (out.status_code, out.headers["location"]) == (303, "/access/sign-in")
            assert (
                await browser.get("/incidents/1", headers={"Cookie": "; ".join(map("=".join, kept.items()))})
            ).status_code == 401


async def test_a_link_on_another_site_asks_once_more_from_here_so_that_the_cookie_comes() -> None:
    async with serving() as served, served.client(Accept="text/html") as client:
        away = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        answer = await client.get('/incidents/1?of="<x>', headers=away)
        assert answer.status_code == 200
        assert 'content="0; url=/incidents/1?of=%22%3Cx%3E"' in answer.text
        here = await client.get("/incidents/1", headers={**away, "Sec-Fetch-Site": "same-origin"})
        assert here.status_code == 303


async def test_a_stream_ends_with_the_session_that_opened_it() -> None:
    async with (
        serving() as served,
        served.browser(READER) as (browser, csrf),
        browser.stream("GET", "/events") as events,
    ):
        lines = events.aiter_lines()
        assert await anext(lines) == "id: 0"
        await browser.post("/access/sign-out", data={"csrf": csrf})
        served.reached.streams.set()
        assert [line async for line in lines if line] == []


def test_a_session_ends_after_a_working_day_and_only_ones_own_oldest_makes_room() -> None:
    at = datetime(2026, 1, 31, tzinfo=UTC).timestamp()
    clock = [at]
    sessions = Sessions(lambda: clock[0])
    value, _ = sessions.open(PERSON)
    others, _ = sessions.open(Person(name="rita", roles=frozenset({"reader"})))
    newer = [sessions.open(PERSON)[0] for _ in range(20)]
    assert sessions.find(value) is None and sessions.find(others) and all(map(sessions.find, newer))
    clock[0] += SECONDS + 1
    assert not any(map(sessions.find, newer))
    assert sessions.find("") is None and sessions.find(None) is None


async def test_many_failures_are_answered_with_429_and_lock_nobody_out() -> None:
    async with serving() as served, served.as_("x" * 40) as client:
        answers = [(await client.get("/v1/incidents")) for _ in range(MOST + 3)]
        assert [one.status_code for one in answers] == [401] * MOST + [429] * 3
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        async with served.as_(READER) as right:
            assert (await right.get("/v1/incidents")).status_code == 200
        async with served.browser(READER):
            pass


def test_failures_are_forgotten_and_one_machine_is_one_address() -> None:
    clock = [0.0]
    attempts = Attempts(lambda: clock[0])
    for number in range(MOST):
        assert attempts.failed(f"2001:db8::{number:x}") is None
    assert attempts.failed("2001:db8::ffff:1") == 60
    assert attempts.wait("2001:db8:0:1::1") is None
    clock[0] = 60
    assert attempts.wait("2001:db8::1") is None
    for number in range(30_000):
        attempts.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert attempts.failed("not an address") is None


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "localhost:0", "[::1]:8080", "::1", "127.0.0.7"])
def test_on_loopback_a_token_is_made(listen: str) -> None:
    granted = access("", listen)
    assert granted.start and len(granted.start.get_secret_value()) >= 43
    assert granted.link(8080).startswith("http://") and granted.start.get_secret_value() in granted.link(8080)
    assert not granted.https and granted.start.get_secret_value() not in repr(granted)
    person = granted.person(granted.start.get_secret_value())
    assert person and person.roles == {"reader", "approver", "sender"}


def test_no_token_is_made_where_the_settings_let_somebody_in() -> None:
    assert access().start is None
    only_sends = access('[[serve.token]]\nname = "am"\nroles = ["sender"]\ntoken_env = "SENDER"\n')
    assert only_sends.start and only_sends.person(SENDER)


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:8080", "[::]:80", "10.1.2.3", "sre.example.org:443", "", ":8080", "127.1.example.org"]
)
@pytest.mark.parametrize(("text", "missing"), [
    ("", "write hosts and [[serve.token]] or [serve.oidc] under"),
    ('[serve]\nhosts = ["sre.example.org"]\n', "write [[serve.token]] or [serve.oidc] under"),
    (TOKENS.replace('hosts = ["sre.example.org"]\n', ""), "write hosts under"),
])  # fmt: skip
def test_elsewhere_it_is_refused_until_the_settings_say_who_may(listen: str, text: str, missing: str) -> None:
    with pytest.raises(UsageError, match=r"listen on 127\.0\.0\.1") as refused:
        access(text, listen)
    assert missing in str(refused.value)


def test_elsewhere_with_tokens_and_names_it_speaks_https_unless_that_is_denied() -> None:
    assert access(listen="0.0.0.0:8080").https is False
    granted = access(TOKENS.replace("https = false\n", ""), "0.0.0.0:8080")
    assert (granted.https, granted.loopback, granted.start) == (True, (), None)
    assert granted.link(8080) == "https://sre.example.org/"


async def test_behind_https_the_cookie_is_secure_and_bound_to_the_host() -> None:
    granted = access(TOKENS.replace("https = false\n", ""), "0.0.0.0:8080")
    async with serving(granted) as served, served.client(Host="sre.example.org") as client:
        done = await client.post(
            "/access/sign-in", data={"token": READER}, headers={"Origin": "https://sre.example.org"}
        )  # fmt: skip
        assert done.status_code == 303
        said = done.headers["set-cookie"]
        assert said.startswith("__Host-rediagnose=") and said.endswith("SameSite=Strict; Secure")
        http = await client.post(
            "/access/sign-in", data={"token": READER}, headers={"Origin": "http://sre.example.org"}
        )
        assert http.status_code == 403
