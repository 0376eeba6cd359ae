"""The pages by which a person signs in and out, and the cookies that they set."""

import html
import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote, urlsplit

from starlette.responses import RedirectResponse, Response

from agent.service.records import Person
from agent.web.access.access import Access
from agent.web.access.asked import TOKENS, Asked
from agent.web.access.id_token import NotVerified
from agent.web.access.provider import SECONDS as OIDC_SECONDS
from agent.web.access.refusal import Refused, page, style
from agent.web.access.sessions import SECONDS
from agent.web.access.shape import cookie
from tools.errors import LOGGER

PREFIX = "/access/"
SIGN_IN, SIGN_OUT = "/access/sign-in", "/access/sign-out"
_BEGIN, _CALLBACK = "/access/oidc/start", "/access/oidc/callback"
_PLACE = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,=:@%-]+)*/?(?:\?[A-Za-z0-9._~!$&'()*+,=:@/?%-]*)?")


async def style_sheet(access: Access, asked: Asked) -> Response:
    """How these pages look."""
    return Response(style(), media_type="text/css")


async def form(access: Access, asked: Asked) -> Response:
    """The page to sign in."""
    return _form(access, place(asked.parameter("next")))


def _form(
    access: Access, after: str, problem: str = "", status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    parts = [f'<p role="alert">{html.escape(problem)}</p>'] if problem else []
    if access.provider:
        name = html.escape(urlsplit(access.provider.table.issuer).hostname or "")
        begin = html.escape(f"{_BEGIN}?next={quote(after, safe='')}")
        parts.append(f'<p><a class="button" href="{begin}">Sign in with {name}</a></p>')
    if access.takes_tokens:
        parts.append(
            f'<form method="post" action="{SIGN_IN}"><input type="hidden" name="next" value="{html.escape(after)}">'
            '<label for="token">Token</label><input id="token" name="token" type="password" required autofocus '
            'autocomplete="current-password"><button>Sign in</button></form>'
        )
    if access.start:
        parts.append("<p>The link that the service printed when it started signs you in, too.</p>")
    return page("Sign in to rediagnose", "".join(parts), status, headers=headers)


async def by_form(access: Access, asked: Asked, fields: Mapping[str, str]) -> Response:
    """A token that was typed; the page again if it's wrong."""
    after = place(fields.get("next"))
    try:
        person = by_token(access, asked, fields.get("token", ""))
    except Refused as refused:
        return _form(access, after, refused.why, refused.status, refused.headers)
    return _signed_in(access, asked, person, after)


async def by_link(access: Access, asked: Asked, token: str) -> Response:
    """The token in the link of the start becomes a cookie, and leaves the address."""
    after = asked.address_without(*TOKENS)
    try:
        person = by_token(access, asked, token)
    except Refused as refused:
        return _form(access, place(after), f"The link has expired: {refused.why}.", refused.status, refused.headers)
    return _signed_in(access, asked, person, after)


def by_token(access: Access, asked: Asked, token: str) -> Person:
    """Whose token it is, who may also look at the page. Raises `Refused`."""
    person = access.person(token)
    if person is None:
        raise failed(access, asked, "this token isn't known")
    if not person.roles & {"reader", "approver"}:
        raise Refused(403, f"the token {person.name} only sends; it opens no page")
    return person


def failed(access: Access, asked: Asked, why: str) -> Refused:
    """The refusal of a wrong token: 401, and 429 to an address that keeps trying."""
    LOGGER.warning("signing in failed from %s", asked.peer)
    if wait := access.attempts.failed(asked.peer):
        return Refused(
            429, f"too many failed attempts from here; wait {wait} s", {"Retry-After": str(wait)}, close=True
        )
    return Refused(401, why, {"WWW-Authenticate": 'Bearer realm="rediagnose"'})


async def begin(access: Access, asked: Asked) -> Response:
    """Go to the identity provider."""
    if access.provider is None:
        raise Refused(404, "no identity provider is set; write [serve.oidc]")
    try:
        url, kept = await access.provider.begin(asked.origin + _CALLBACK, place(asked.parameter("next")))
    except NotVerified as error:
        return _form(access, "/", str(error), 502)
    response = RedirectResponse(url, 303)
    # Lax, as the provider's page leads back here.
    _set(response, asked, f"{asked.cookie}-oidc", kept, OIDC_SECONDS, "lax")
    return response


async def callback(access: Access, asked: Asked) -> Response:
    """Back from the identity provider."""
    if access.provider is None:
        raise Refused(404, "no identity provider is set; write [serve.oidc]")
    if wait := access.attempts.wait(asked.peer):
        # The provider would be asked for each attempt.
        raise Refused(429, f"too many failed attempts from here; wait {wait} s", {"Retry-After": str(wait)})
    try:
        if asked.parameter("error"):
            raise NotVerified("the identity provider refused")
        person, after = await access.provider.finish(
            asked.origin + _CALLBACK, cookie(asked.headers, f"{asked.cookie}-oidc"),
            asked.parameter("state"), asked.parameter("code"), asked.parameter("iss"),
        )  # fmt: skip
        response = _signed_in(access, asked, person, place(after))
    except NotVerified as error:
        LOGGER.warning("signing in failed from %s: %s", asked.peer, error)
        access.attempts.failed(asked.peer)
        response = _form(access, "/", f"You aren't signed in: {error}.", 403)
    _set(response, asked, f"{asked.cookie}-oidc", "", 0, "lax")
    return response


def signed_out(asked: Asked) -> Response:
    """The page after signing out."""
    response = RedirectResponse(SIGN_IN, 303)
    _set(response, asked, asked.cookie, "", 0, "strict")
    return response


def to_sign_in(asked: Asked) -> Response:
    """Where a person who isn't signed in goes."""
    return RedirectResponse(f"{SIGN_IN}?next={quote(asked.address_without(), safe='')}", 303)


def once_more(asked: Asked) -> Response:
    """A page that asks for the same address again, from here: with a link on another site no strict cookie comes."""
    address = html.escape(asked.address_without())
    return page(
        "rediagnose", f'<p><a href="{address}">Continue</a></p>',
        head=f'<meta http-equiv="refresh" content="0; url={address}">',
    )  # fmt: skip


def place(wanted: str | None) -> str:
    """Where a person goes after signing in: a place of this service, else its first page."""
    if not wanted or len(wanted) > 2048 or not _PLACE.fullmatch(wanted) or wanted.startswith((PREFIX, "//")):
        return "/"
    return wanted


def _signed_in(access: Access, asked: Asked, person: Person, after: str) -> Response:
    value, _ = access.sessions.open(person)
    LOGGER.info("%s signed in from %s", person.name, asked.peer)
    response = RedirectResponse(after, 303)
    _set(response, asked, asked.cookie, value, int(SECONDS), "strict")
    return response


def _set(response: Response, asked: Asked, name: str, value: str, seconds: int, same_site: str) -> None:
    secure = "; Secure" if asked.secure else ""
    response.headers.append(
        "Set-Cookie", f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site.capitalize()}{secure}"
    )


Page = Callable[[Access, Asked], Awaitable[Response]]
PAGES: Mapping[str, Page] = {
    "/access/style.css": style_sheet, SIGN_IN: form, _BEGIN: begin, _CALLBACK: callback,
}  # fmt: skip
"""What anybody may GET."""
