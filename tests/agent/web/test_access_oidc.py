"""Signing in by an identity provider, over real HTTP: as it should be, and with everything wrong that can be."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from tests.agent.web.guarded_app import TOKENS, Served, access, serving
from tests.agent.web.identity_provider import (
    CLIENT,
    SECRET,
    Claims,
    IdentityProvider,
    by_public_key,
    new_key,
    provided,
    unsigned,
)
from tools.errors import UsageError

BEGIN, CALLBACK = "/access/oidc/start", "/access/oidc/callback"
FROM_THERE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def settings(provider: IdentityProvider, more: str = "") -> str:
    return (
        f'{TOKENS}[serve.oidc]\nissuer = "{provider.url}"\nclient_id = "{CLIENT}"\nclient_secret_env = "SECRET"\n'
        f'readers = ["sre"]\napprovers = ["sre-oncall"]\n{more}'
    )


@asynccontextmanager
async def both(
    more: str = "", now: Callable[[], float] = time.monotonic
) -> AsyncIterator[tuple[IdentityProvider, Served]]:
    """A provider, and a service that people sign in to by it."""
    async with provided() as provider:
        text = settings(provider, more)
        async with serving(access(text, environ={"SECRET": SECRET}, now=now)) as served:
            yield provider, served


async def back(client: httpx2.AsyncClient, after: str = "/incidents/1") -> str:
    """Begin to sign in, go to the provider, and where it sends the browser back to."""
    begun = await client.get(BEGIN, params={"next": after})
    assert begun.status_code == 303, begun.text
    async with httpx2.AsyncClient(trust_env=False, verify=False) as elsewhere:
        there = await elsewhere.get(begun.headers["location"])
    assert there.status_code == 302
    return there.headers["location"]


async def sign_in(client: httpx2.AsyncClient) -> httpx2.Response:
    """The answer to a whole sign-in."""
    return await client.get(await back(client), headers=FROM_THERE)


async def test_a_person_signs_in_and_approves_under_the_name_that_the_provider_verified() -> None:
    async with both() as (provider, served), served.client(Accept="text/html") as client:
        form = await client.get("/access/sign-in?next=/incidents/1")
        assert "Sign in with 127.0.0.1" in form.text and f'{BEGIN}?next=%2Fincidents%2F1"' in form.text
        begun = await client.get(f"{BEGIN}?next=/incidents/1")
        assert "SameSite=Lax" in begun.headers["set-cookie"] and "HttpOnly" in begun.headers["set-cookie"]
        asked = parse_qs(urlsplit(begun.headers["location"]).query)
        assert asked["redirect_uri"] == [served.url + CALLBACK] and SECRET not in begun.headers["location"]
        done = await sign_in(client)
        assert (done.status_code, done.headers["location"]) == (303, "/incidents/1")
        assert [name for name in client.cookies if "oidc" in name] == []
        seen = (await client.get("/incidents/1")).json()
        assert seen["by"] == "anna@example.org"
        decided = await client.post(
            "/incidents/1/decisions", data={"csrf": seen["csrf"]}, headers={"Origin": served.url}
        )  # fmt: skip
        assert decided.json()["by"] == "anna@example.org"
        assert provider.asked == ["configuration", "token", "keys"]


@pytest.mark.parametrize(("more", "person", "status", "name"), [
    ("", {"groups": ["sre"]}, 403, "anna@example.org"), ("", {"groups": ["sre-oncall"]}, 200, "anna@example.org"),
    ("", {"groups": "sre-oncall"}, 200, "anna@example.org"), ("", {"email_verified": False}, 200, "oidc:248289761001"),
    ("", {"email": "rita"}, 200, "oidc:rita"), ("", {"email": ["x"]}, 200, "oidc:248289761001"),
    ('name_claim = "preferred_username"\n', {"preferred_username": "rita"}, 200, "oidc:rita"),
    ('groups_claim = "realm.roles"\n', {"realm": {"roles": ["sre-oncall"]}}, 200, "anna@example.org"),
    ('groups_claim = "https://a.example/b"\n', {"https://a.example/b": ["sre-oncall"]}, 200, "anna@example.org"),
    ("", {"email": "a\u202e\r\nb@example.org"}, 200, None),
])  # fmt: skip
async def test_groups_give_roles_and_nobody_has_a_tokens_name(
    more: str, person: Claims, status: int, name: str | None
) -> None:
    async with both(more) as (provider, served), served.client() as client:
        provider.person |= person
        assert (await sign_in(client)).status_code == 303
        seen = (await client.get("/incidents/1")).json()
        assert seen["by"] == name or (name is None and seen["by"].isprintable())
        decided = await client.post(
            "/incidents/1/decisions", data={"csrf": seen["csrf"]}, headers={"Origin": served.url}
        )
        assert decided.status_code == status


@pytest.mark.parametrize("groups", [[], ["staff"], ["SRE"], None, 7, [["sre"]], {"sre": 1}, ["sre "]])
async def test_who_is_in_no_group_isnt_let_in(groups: object) -> None:
    async with both() as (provider, served), served.client() as client:
        provider.person |= {"groups": groups}
        provider.userinfo = provider.person
        answer = await sign_in(client)
        assert answer.status_code == 403 and "groups" in answer.text
        assert (await client.get("/incidents/1")).status_code == 401


async def test_groups_that_are_only_said_when_asked() -> None:
    async with both() as (provider, served), served.client() as client:
        del provider.person["groups"]
        provider.userinfo = {"sub": provider.person["sub"], "groups": ["sre"], "email": "eve@example.org"}
        assert (await sign_in(client)).status_code == 303
        assert (await client.get("/incidents/1")).json()["by"] == "anna@example.org"
        provider.userinfo = {"sub": "another", "groups": ["sre"]}
        assert (await sign_in(client)).status_code == 403


WRONG: dict[str, Callable[[Claims], Claims]] = {
    "another nonce": lambda claims: claims | {"nonce": "x" * 43},
    "no nonce": lambda claims: {name: value for name, value in claims.items() if name != "nonce"},
    "expired": lambda claims: claims | {"exp": int(time.time()) - 100},
    "no expiry": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "an expiry that is none": lambda claims: claims | {"exp": "tomorrow"},
    "of the future": lambda claims: claims | {"iat": int(time.time()) + 1000},
    "not before tomorrow": lambda claims: claims | {"nbf": int(time.time()) + 86400},
    "another audience": lambda claims: claims | {"aud": "another"},
    "audiences without us": lambda claims: claims | {"aud": ["another", "third"]},
    "another's, for us as well": lambda claims: claims | {"aud": [CLIENT, "another"], "azp": "another"},
    "several audiences, nobody's": lambda claims: claims | {"aud": [CLIENT, "another"]},
    "no audience": lambda claims: {name: value for name, value in claims.items() if name != "aud"},
    "another issuer": lambda claims: claims | {"iss": "https://evil.example"},
    "an issuer that begins alike": lambda claims: claims | {"iss": claims["iss"] + "/"},
    "nobody": lambda claims: {name: value for name, value in claims.items() if name != "sub"},
    "a person who is no text": lambda claims: claims | {"sub": ["x"]},
    "an empty person": lambda claims: claims | {"sub": ""},
    "another access token": lambda claims: claims | {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"},
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_token_with_a_wrong_claim_lets_nobody_in(wrong: str) -> None:
    async with both() as (provider, served), served.client() as client:
        provider.claims = WRONG[wrong]
        answer = await sign_in(client)
        assert answer.status_code == 403 and "ID token doesn&#x27;t hold" in answer.text, answer.text
        assert (await client.get("/incidents/1")).status_code == 401


async def test_a_token_that_the_provider_didnt_sign_lets_nobody_in() -> None:
    async with both() as (provider, served), served.client() as client:
        other = RSAKey.import_key(new_key("another").as_dict(private=True) | {"kid": "1"})
        embedded = {"alg": "RS256", "jwk": other.as_dict(private=False)}
        signed = provider.signed
        wrong: list[Callable[[Claims], str]] = [
            unsigned, by_public_key(provider), lambda claims: jwt.encode({"alg": "RS256", "kid": "1"}, claims, other),
            lambda claims: jwt.encode(embedded, claims, other), lambda claims: signed(claims)[:-8],
            lambda claims: signed(claims).rpartition(".")[0] + ".", lambda claims: "", lambda claims: "a.b.c",
            lambda claims: "x" * 100_000,
            lambda claims: f"{signed(claims).rpartition('.')[0]}.{signed({}).rpartition('.')[2]}",
        ]  # fmt: skip
        for number, sign in enumerate(wrong):
            provider.sign = sign
            assert (await sign_in(client)).status_code == 403, number
        assert (await client.get("/incidents/1")).status_code == 401
        # After ten failures the provider isn't asked any more; nobody else notices.
        served.access.attempts.failed("127.0.0.1")
        assert (await sign_in(client)).status_code == 429


@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "ES256"])
async def test_other_good_signatures_are_read(algorithm: str) -> None:
    async with both() as (provider, served), served.client() as client:
        if algorithm == "ES256":
            provider.key = ECKey.generate_key("P-256", {"kid": "2"})
            # Beside it keys that aren't for this, or that nobody knows.
            provider.published = [
                {"kty": "oct", "k": "AAAA", "kid": "2"},
                {"kty": "new"},
                provider.key.as_dict(private=False),
            ]
        provider.sign = lambda claims: provider.signed(claims, algorithm)
        assert (await sign_in(client)).status_code == 303


async def test_a_provider_that_changes_its_key_is_asked_again_but_not_for_each_token() -> None:
    clock = [0.0]
    async with both(now=lambda: clock[0]) as (provider, served), served.client() as client:
        assert (await sign_in(client)).status_code == 303
        provider.key = new_key("new")
        assert [(await sign_in(client)).status_code for _ in range(3)] == [403] * 3
        assert provider.asked.count("keys") == 1
        provider.published = [provider.key.as_dict(private=False)]
        clock[0] += 40
        assert (await sign_in(client)).status_code == 303
        assert provider.asked.count("keys") == 2


async def test_the_way_back_has_to_be_the_one_that_this_browser_began() -> None:
    async with both() as (provider, served), served.client() as client, served.client() as victim:
        returned = await back(client)
        # The link of somebody who signed in, sent to somebody else; who began nothing, or something else.
        assert (await victim.get(returned)).status_code == 403
        await back(victim)
        assert (await victim.get(returned)).status_code == 403
        state = parse_qs(urlsplit(returned).query)["state"][0]
        await back(client)
        assert (await client.get(returned)).status_code == 403, "an older one"
        for query in ("", f"?state={state}", "?code=x", "?code=x&state=", f"?code=x&state={state}&state=y",
                      "?code=x&state=%00", "?error=denied&error_description=<script>1</script>"):  # fmt: skip
            answer = await client.get(CALLBACK + query)
            assert answer.status_code == 403 and "<script>" not in answer.text
        assert provider.asked.count("token") == 0


async def test_a_code_is_taken_once() -> None:
    async with both() as (_, served), served.client() as client:
        returned = await back(client)
        kept = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        assert (await client.get(returned)).status_code == 303
        async with served.client(Cookie=kept) as again:
            assert (await again.get(returned)).status_code == 403


async def test_a_cookie_that_was_made_up_begins_nothing() -> None:
    async with both() as (provider, served), served.client() as client:
        returned = await back(client)
        ((name, value),) = client.cookies.items()
        head, body, _ = value.split(".")
        begun = {"state": "s", "nonce": "n", "verifier": "v", "after": "//evil.example", "exp": int(time.time()) + 60}
        for made_up in (unsigned(begun), f"{head}.{body}.", f"{head}.{body}", "x", "", value[:-4] + "AAAA"):
            async with served.client(Cookie=f"{name}={made_up}") as other:
                assert (await other.get(returned)).status_code == 403
        assert provider.asked.count("token") == 0


@pytest.mark.parametrize("after", ["https://evil.example", "//evil.example", "/\\evil.example", "/access/oidc/start"])
async def test_signing_in_leads_to_no_other_place(after: str) -> None:
    async with both() as (_, served), served.client() as client:
        done = await client.get(await back(client, after))
        assert (done.status_code, done.headers["location"]) == (303, "/")


async def test_another_provider_that_answers_is_refused() -> None:
    async with both() as (provider, served), served.client() as client:
        assert (await client.get(f"{await back(client)}&iss=https://evil.example")).status_code == 403
        assert (await client.get(f"{await back(client)}&iss={provider.url}")).status_code == 303


@pytest.mark.parametrize("described", [
    {"issuer": "https://evil.example"}, {"token_endpoint": "http://10.0.0.1/token"}, {"jwks_uri": "ftp://x/keys"},
    {"authorization_endpoint": "javascript:alert(1)"}, {"token_endpoint": None}, {"jwks_uri": "https://user@evil.example/"},
    {"authorization_endpoint": "file:///etc/passwd"}, {"issuer": None},
])  # fmt: skip
async def test_a_provider_that_describes_itself_oddly_isnt_used(described: Claims) -> None:
    async with both() as (provider, served), served.client() as client:
        provider.described = described
        answer = await client.get(BEGIN)
        assert answer.status_code == 502 and "identity provider" in answer.text
        assert (await client.get(BEGIN)).status_code == 502
        assert provider.asked == ["configuration"], "not once for each who asks"


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_a_provider_that_gives_no_token(status: int) -> None:
    async with both() as (provider, served), served.client() as client:
        provider.token_status = status
        answer = await sign_in(client)
        assert answer.status_code == 403 and "<b>" not in answer.text and SECRET not in answer.text


async def test_a_provider_that_is_away_costs_no_answer() -> None:
    async with provided() as provider:
        text = settings(provider)
    async with serving(access(text, environ={"SECRET": SECRET})) as served, served.client() as client:
        assert (await client.get(BEGIN)).status_code == 502
        assert (await client.get("/access/sign-in")).status_code == 200


@pytest.mark.parametrize(("line", "why"), [
    ('issuer = "http://login.example.org"', "issuer: not the https address"),
    ('issuer = "https://user:pw@login.example.org"', "issuer: not the https address"),
    ('issuer = "login.example.org"', "issuer: not the https address"),
    ('issuer = "https://login.example.org"', "readers: nobody could sign in"),
    ('issuer = "https://login.example.org"\nreaders = [""]', "readers: not a list of groups"),
    ('issuer = "https://login.example.org"\nreaders = ["x"]\nscopes = ["email"]', 'scopes: "openid" is missing'),
])  # fmt: skip
def test_settings_that_would_let_in_the_wrong_people(line: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        access(f'[serve.oidc]\nclient_id = "x"\n{line}\n')
