"""The service behind its guard: no request reaches it unless it may."""

from collections.abc import Mapping
from secrets import compare_digest

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.service.records import Person
from agent.web.access import sign_in
from agent.web.access.access import Access
from agent.web.access.asked import READING, TOKENS, Asked, check_origin, from_elsewhere, parameters_of
from agent.web.access.bodies import FORM, Gone, form_of, lingering, media_type, read_body, replayed
from agent.web.access.refusal import Refused, answer
from agent.web.access.rules import Rule, may, rule_for
from agent.web.access.sessions import Session
from agent.web.access.shape import check_host, check_target, cookie, headers_of, peer_of, port_of
from tools.errors import LOGGER

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
    # `no-referrer` would make browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin", "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}  # fmt: skip
_STATIC = "/static/"
_CSRF_TYPES = (FORM, "application/json")


def guarded(app: ASGIApp, access: Access) -> ASGIApp:
    """The app, so that each request is plain, small, and from somebody who may.

    `request.state.person` is the `Person`, or null where anybody may ask; `request.state.csrf` is what a form has to
    send in its field `csrf`, or a script in the header X-CSRF-Token; `request.state.peer` is the address it comes from.
    """

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await _http(app, access, scope, receive, send)

    return guard


async def _http(app: ASGIApp, access: Access, scope: Scope, receive: Receive, send: Send) -> None:
    tidy = _with_headers(scope, send)
    query = scope["query_string"]
    # An address that has a secret is never logged, whoever logs: what is refused is logged without its parameters.
    scope["query_string"] = b""
    asked: Asked | None = None
    try:
        check_target(scope, query)
        headers = headers_of(scope)
        asked = _asked(access, scope, headers, query)
        rule = rule_for(asked.method, asked.path)
        if asked.path.startswith(sign_in.PREFIX):
            response: Response | None = await _own_page(access, asked, receive)
        else:
            response = await _enter(app, access, asked, rule, query, scope, receive, send)
    except Refused as refused:
        LOGGER.info("refused %s: %s", refused.status, refused.why)
        if scope["method"] not in READING:
            # Its body, however long, isn't waited for.
            refused.headers["Connection"] = "close"
        response = answer(refused, to_person=asked is not None and asked.by_person)
    except Gone:
        return
    if response is not None:
        await response(scope, receive, lingering(receive, tidy) if "Connection" in response.headers else tidy)


def _asked(access: Access, scope: Scope, headers: Mapping[str, str], query: bytes) -> Asked:
    host = check_host(scope, headers, access.hosts, access.loopback)
    own = host in access.hosts
    raw = scope.get("raw_path") or scope["path"].encode()
    return Asked(
        scope["method"], scope["path"], raw.decode("ascii"), parameters_of(query), headers, host, port_of(scope),
        peer_of(scope, headers, access.proxies), scope["scheme"] == "https" or (access.https and own),
    )  # fmt: skip


async def _own_page(access: Access, asked: Asked, receive: Receive) -> Response:
    if asked.method in READING and (own := sign_in.PAGES.get(asked.path)):
        return await own(access, asked)
    if asked.method != "POST" or asked.path not in (sign_in.SIGN_IN, sign_in.SIGN_OUT):
        raise Refused(404, "there is no such page")
    check_origin(asked)
    body = await _form_body(access, asked, receive)
    fields = form_of(body)
    if asked.path == sign_in.SIGN_IN:
        return await sign_in.by_form(access, asked, fields)
    if session := access.sessions.find(cookie(asked.headers, asked.cookie)):
        _check_csrf(asked, session, body)
        access.sessions.close(session)
    return sign_in.signed_out(asked)


async def _form_body(access: Access, asked: Asked, receive: Receive) -> bytes:
    if media_type(asked.headers) != FORM:
        raise Refused(415, f"send {FORM}", close=True)
    return await read_body(receive, asked.headers, rule_for("POST", asked.path).most, access.body_seconds)


async def _enter(
    app: ASGIApp, access: Access, asked: Asked, rule: Rule, query: bytes, scope: Scope, receive: Receive, send: Send
) -> Response | None:
    """Let a request in; or a page that says where else to go."""
    person: Person | None = None
    session: Session | None = None
    if any(name in TOKENS for name, _ in asked.parameters):
        token = asked.parameter("token")
        if token is None or rule.need != "read" or asked.path.startswith("/v1/") or not asked.navigates:
            raise Refused(400, "a token in the address isn't accepted; send Authorization: Bearer", close=True)
        return await sign_in.by_link(access, asked, token)
    if not rule.open:
        person, session = _whose(access, asked)
        if person is None:
            if from_elsewhere(asked) and asked.navigates and asked.by_person:
                return sign_in.once_more(asked)
            if asked.navigates and asked.by_person:
                return sign_in.to_sign_in(asked)
            raise Refused(
                401, "send Authorization: Bearer with a token", {"WWW-Authenticate": 'Bearer realm="rediagnose"'}
            )
        if not may(person, rule.need):
            raise Refused(403, f"{person.name} may not do this: it needs a role that may {rule.need}", close=True)
    if session:
        _check_page(asked)
    body = await read_body(receive, asked.headers, rule.most, access.body_seconds)
    if session and asked.method not in READING:
        _check_csrf(asked, session, body)
    scope["query_string"] = query
    scope["state"] = {**scope.get("state", {}), "person": person, "csrf": session.csrf if session else "",
                      "peer": asked.peer}  # fmt: skip
    ending = _until_signed_out(access, session, _with_headers(scope, send))
    await app(scope, replayed(body, receive), ending)
    return None


def _whose(access: Access, asked: Asked) -> tuple[Person | None, Session | None]:
    """Who asks: by the token in the header, else by the cookie. Raises `Refused` for a wrong token."""
    given = asked.headers.get("authorization")
    if given is None:
        session = access.sessions.find(cookie(asked.headers, asked.cookie))
        return (session.person, session) if session else (None, None)
    scheme, _, token = given.partition(" ")
    person = access.person(token.strip()) if scheme.lower() == "bearer" else None
    if person is None:
        raise sign_in.failed(access, asked, "this token isn't known")
    return person, None


def _check_page(asked: Asked) -> None:
    """Raise `Refused` if a cookie came with what another site's page asks for."""
    if asked.method not in READING:
        check_origin(asked)
        if media_type(asked.headers) not in _CSRF_TYPES and "content-type" in asked.headers:
            raise Refused(415, f"send {' or '.join(_CSRF_TYPES)}", close=True)
    elif from_elsewhere(asked) and not asked.navigates:
        raise Refused(403, "another site's page asks for a part of this one")


def _check_csrf(asked: Asked, session: Session, body: bytes) -> None:
    given = asked.headers.get("x-csrf-token")
    if given is None and media_type(asked.headers) == FORM:
        given = form_of(body).get("csrf")
    if not given or not compare_digest(given.encode(), session.csrf.encode()):
        raise Refused(403, "the form isn't of this session; load the page again", close=True)


def _with_headers(scope: Scope, send: Send) -> Send:
    async def tidy(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", [])))
            for name, value in HEADERS.items():
                headers[name] = value
            if not scope["path"].startswith(_STATIC):
                headers["Cache-Control"] = "no-store"
            message = {**message, "headers": headers.raw}
        await send(message)

    return tidy


def _until_signed_out(access: Access, session: Session | None, send: Send) -> Send:
    """A stream of events ends with the session that it was opened by."""
    if session is None:
        return send
    ended = False

    async def bounded(message: Message) -> None:
        nonlocal ended
        if ended:
            return
        if (
            message["type"] == "http.response.body"
            and message.get("more_body")
            and not access.sessions.is_open(session)
        ):
            ended = True
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await send(message)

    return bounded
