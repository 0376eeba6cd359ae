"""What an identity provider says about a person: its signed token checked, and the roles that follow."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from agent.service.records import Person, Role
from tools.errors import RediagnoseError
from tools.settings.serve_table import OidcTable
from tools.text import one_line

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that only the provider has; never none, and never one whose key could be a public text."""
LEEWAY = 60
"""Seconds by which clocks may differ."""
_NAME_MOST = 100


class NotVerified(RediagnoseError):
    """The provider's answer doesn't hold; the message says which part, in our words."""


class UnknownKey(NotVerified):
    """It's signed by a key that isn't known (yet)."""


class Expected(NamedTuple):
    """What a token has to say."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str | None


def keys_of(document: object) -> KeySet:
    """The provider's keys that verify signatures. Raises `NotVerified`."""
    keys = document.get("keys") if isinstance(document, dict) else None
    usable = [
        one for one in (keys if isinstance(keys, list) else [])
        if isinstance(one, dict) and one.get("kty") in ("RSA", "EC", "OKP") and one.get("use", "sig") == "sig"
    ]  # fmt: skip
    try:
        if usable:
            return KeySet.import_key_set({"keys": usable})
    except (JoseError, ValueError, TypeError, KeyError):
        pass
    raise NotVerified("the provider's keys can't be read")


def verified(token: object, keys: KeySet, expected: Expected) -> dict[str, Any]:
    """The claims of an ID token. Raises `NotVerified` for one of other people, times or sign-ins."""
    if not isinstance(token, str) or len(token) > 2**16:
        raise NotVerified("the provider sent no ID token")
    registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
    try:
        read = jwt.decode(token, keys, registry=registry)
    except InvalidKeyIdError:
        raise UnknownKey("the ID token is signed by an unknown key") from None
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise NotVerified(f"the ID token's signature doesn't hold ({type(error).__name__})") from None
    must: dict[str, Any] = {
        "iss": {"essential": True, "value": expected.issuer}, "aud": {"essential": True, "value": expected.client_id},
        "sub": {"essential": True}, "exp": {"essential": True}, "nonce": {"essential": True, "value": expected.nonce},
    }  # fmt: skip
    params = {"nonce": expected.nonce, "client_id": expected.client_id, "access_token": expected.access_token}
    try:
        CodeIDToken(read.claims, read.header, must, params).validate(leeway=LEEWAY)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        claim = getattr(error, "claim", None)
        about = f"its {claim} is wrong" if isinstance(claim, str) else type(error).__name__
        raise NotVerified(f"the ID token doesn't hold: {about}") from None
    if not isinstance(read.claims["sub"], str) or not read.claims["sub"]:
        raise NotVerified("the ID token doesn't hold: its sub is wrong")
    return dict(read.claims)


def groups_of(claims: Mapping[str, Any], path: str) -> frozenset[str] | None:
    """The groups in a claim, which may have a dot in its name or be inside another; null if it isn't there."""
    value: object = claims.get(path)
    if value is None:
        value = claims
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return frozenset({value})
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else None


def person_of(claims: Mapping[str, Any], table: OidcTable) -> Person:
    """The person with these claims. Raises `NotVerified` if none of their groups may do anything."""
    groups = groups_of(claims, table.groups_claim) or frozenset()
    roles: set[Role] = set()
    if groups & set(table.readers):
        roles.add("reader")
    if groups & set(table.approvers):
        roles |= {"reader", "approver"}
    if not roles:
        raise NotVerified("none of your groups may use this service; ask whoever runs it")
    name = claims.get(table.name_claim)
    if table.name_claim == "email" and claims.get("email_verified") is not True:
        name = None
    # With an @ or a colon, which no token's name has: nobody signs in under the name of a program.
    shown = (
        name if isinstance(name, str) and "@" in name else f"oidc:{name if isinstance(name, str) else claims['sub']}"
    )
    return Person(name=one_line(shown, _NAME_MOST), roles=frozenset(roles))
