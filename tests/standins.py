"""Stand-ins for GitHub, Jira, PagerDuty and a webhook: real HTTP on loopback, strict about what they're sent."""

import asyncio
import base64
import contextlib
import json
import socket
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
"""What they let in; it isn't anybody's."""
EMAIL = "oncall@example.com"
PLACE, KEY, INCIDENT = "/repos/example-shop/checkout", "OPS-12", "PGR0VU2"


class Seen(NamedTuple):
    """One request."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: Any


class Fault(NamedTuple):
    """What a stand-in does instead of its work."""

    status: int = 0
    """0 hangs up in the middle of its answer, -1 never answers, -2 is no fault, -3 answers byte by byte."""
    body: str = "{}"
    headers: Mapping[str, str] = {}
    works: bool = False
    """Whether its work is done all the same, and only the answer is lost."""


HANG, CUT, WORKS, DRIP = Fault(-1), Fault(0), Fault(-2), Fault(-3)


class Refused(Exception):
    """A request that the service would refuse."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class StandIn(ABC):
    """What they have in common: they remember requests, and fail as they're told."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.faults: dict[str, list[Fault]] = {}
        """By method, or by method and end of the path: what the next requests meet."""
        self.url = ""
        self.closing = asyncio.Event()
        self.comments: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        body = json.loads(raw) if raw else None
        query = parse_qs(request.url.query)
        one = Seen(request.method, request.url.path, query, dict(request.headers), body)
        self.seen.append(one)
        fault = self._fault(one)
        if fault is not None and fault != WORKS:
            if fault.works:
                self.work(one)
            if fault.status == -1:
                await self.closing.wait()
            elif fault.status == -3:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                while not self.closing.is_set():
                    await send({"type": "http.response.body", "body": b" ", "more_body": True})
                    await asyncio.sleep(0.1)
            elif fault.status == 0:
                # An answer that isn't ended is dropped with its connection.
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
                await send({"type": "http.response.body", "body": b"{", "more_body": True})
            else:
                await Response(fault.body, fault.status, dict(fault.headers))(scope, receive, send)
            return
        try:
            status, answer, headers = self.work(one)
        except Refused as refused:
            status, answer, headers = refused.status, refused.body, {}
        text = json.dumps(answer)
        await Response(text, status, {"content-type": "application/json", **headers})(scope, receive, send)

    def _fault(self, one: Seen) -> Fault | None:
        for key, faults in self.faults.items():
            method, _, end = key.partition(" ")
            if faults and one.method == method and one.path.endswith(end):
                return faults.pop(0) if len(faults) > 1 else faults[0]
        return None

    @abstractmethod
    def work(self, one: Seen) -> tuple[int, Any, Mapping[str, str]]:
        """The answer to one request."""

    def sent(self, *methods: str) -> list[str]:
        """What was asked, as METHOD PATH."""
        return [f"{one.method} {one.path}" for one in self.seen if not methods or one.method in methods]


class GitHubStandIn(StandIn):
    """GitHub's REST API for one issue."""

    def __init__(self, login: str = "rediagnose-bot") -> None:
        super().__init__()
        self.login = login
        self.state = "open"
        self.app = False
        """Whether the token is an app's: it can't ask who it is."""

    def work(self, one: Seen) -> tuple[int, Any, Mapping[str, str]]:
        assert one.headers["accept"] == "application/vnd.github+json"
        assert one.headers["x-github-api-version"] == "2022-11-28"
        assert one.headers["user-agent"]
        if one.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Refused(401, {"message": "Bad credentials", "status": "401"})
        issue = f"{PLACE}/issues/1347"
        match one.method, one.path:
            case "GET", "/user":
                if self.app:
                    raise Refused(403, {"message": "Resource not accessible by integration", "status": "403"})
                return 200, {"login": self.login, "id": 7, "type": "User"}, {}
            case "GET", path if path == issue:
                return 200, {"number": 1347, "state": self.state, "locked": False}, {}
            case "GET", path if path == f"{issue}/comments":
                return self._page(one)
            case "POST", path if path == f"{issue}/comments":
                return 201, self._put({"id": 100 + len(self.comments), "body": _body(one)}), {}
            case "PATCH", path if path.startswith(f"{PLACE}/issues/comments/"):
                found = [c for c in self.comments if c["id"] == int(path.rpartition("/")[2])]
                if not found:
                    raise Refused(404, {"message": "Not Found", "status": "404"})
                found[0]["body"] = _body(one)
                return 200, found[0], {}
        raise Refused(404, {"message": "Not Found", "status": "404"})

    def _put(self, comment: dict[str, Any]) -> dict[str, Any]:
        user = {"login": "shop[bot]" if self.app else self.login, "type": "Bot" if self.app else "User"}
        url = f"https://github.com/example-shop/checkout/issues/1347#issuecomment-{comment['id']}"
        self.comments.append({**comment, "user": user, "html_url": url})
        return self.comments[-1]

    def _page(self, one: Seen) -> tuple[int, Any, Mapping[str, str]]:
        size, page = int(one.query["per_page"][0]), int(one.query.get("page", ["1"])[0])
        assert size <= 100
        more = len(self.comments) > page * size
        link = {"link": f'<{self.url}{one.path}?per_page={size}&page={page + 1}>; rel="next"'} if more else {}
        return 200, self.comments[(page - 1) * size : page * size], link


class JiraStandIn(StandIn):
    """Jira's REST API for one issue: Cloud (3) or Data Center (2)."""

    def __init__(self, version: int = 3) -> None:
        super().__init__()
        self.version = version
        self.category = "indeterminate"
        self.project = "software"
        self.internal: list[bool] = []
        """Whether customers were kept from each comment."""
        self.most = 2
        """Comments that a page holds at most, whatever is asked for."""

    def work(self, one: Seen) -> tuple[int, Any, Mapping[str, str]]:
        basic = base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
        wanted = f"Basic {basic}" if self.version == 3 else f"Bearer {TOKEN}"
        if one.headers.get("authorization") != wanted:
            raise Refused(401, {"errorMessages": ["You do not have the permission to see the specified issue."]})
        api = f"/rest/api/{self.version}"
        issue = f"{api}/issue/{KEY}"
        match one.method, one.path:
            case "GET", path if path == f"{api}/myself":
                return 200, self._me(), {}
            case "GET", path if path == issue:
                assert one.query["fields"] == ["status,project"]
                status = {
                    "name": "Closed" if self.category == "done" else "Open",
                    "statusCategory": {"key": self.category},
                }
                fields = {"status": status, "project": {"key": "OPS", "projectTypeKey": self.project}}
                return 200, {"key": KEY, "fields": fields}, {}
            case "GET", path if path == f"{issue}/comment":
                start = int(one.query["startAt"][0])
                page = self.comments[start : start + min(self.most, int(one.query["maxResults"][0]))]
                return (
                    200,
                    {"startAt": start, "maxResults": self.most, "total": len(self.comments), "comments": page},
                    {},
                )
            case "POST", path if path == f"{issue}/comment":
                self.comments.append(
                    {"id": str(10000 + len(self.comments)), "author": self._me(), "body": self._body(one)}
                )
                return 201, self.comments[-1], {}
            case "PUT", path if path.startswith(f"{issue}/comment/"):
                found = [c for c in self.comments if c["id"] == path.rpartition("/")[2]]
                if not found:
                    raise Refused(404, {"errorMessages": ["Can not find a comment for the id."]})
                found[0]["body"] = self._body(one)
                return 200, found[0], {}
        raise Refused(404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]})

    def _me(self) -> dict[str, Any]:
        return {"accountId": "5b10"} if self.version == 3 else {"key": "JIRAUSER1", "name": "bot"}

    def _body(self, one: Seen) -> Any:
        if one.method == "POST":
            kept = [{"key": "sd.public.comment", "value": {"internal": True}}]
            self.internal.append(one.body.get("properties") == kept)
        assert set(one.body) <= {"body", "properties"}
        body = one.body["body"]
        text = json.dumps(body, ensure_ascii=False) if self.version == 3 else body
        if len(text) > 32767:
            raise Refused(400, {"errorMessages": [], "errors": {"comment": "The entered text is too long."}})
        if self.version == 3:
            valid_adf(body)
        else:
            assert isinstance(body, str)
        return body


class PagerDutyStandIn(StandIn):
    """PagerDuty's REST API for one incident."""

    def __init__(self) -> None:
        super().__init__()
        self.status = "triggered"

    def work(self, one: Seen) -> tuple[int, Any, Mapping[str, str]]:
        assert one.headers["accept"] == "application/vnd.pagerduty+json;version=2"
        if one.headers.get("authorization") != f"Token token={TOKEN}":
            raise Refused(401, {"error": {"message": "Unauthorized", "code": 2006}})
        incident = f"/incidents/{INCIDENT}"
        match one.method, one.path:
            case "GET", path if path == incident:
                url = f"https://example-shop.pagerduty.com{incident}"
                return 200, {"incident": {"id": INCIDENT, "status": self.status, "html_url": url}}, {}
            case "GET", path if path == f"{incident}/notes":
                return 200, {"notes": self.comments}, {}
            case "POST", path if path == f"{incident}/notes":
                number = len(self.comments)
                note = {
                    "id": f"PWL7QX{number}",
                    "content": self._content(one),
                    "created_at": f"2026-05-04T12:0{number}:00Z",
                }
                self.comments.append(note)
                return 200, {"note": note}, {}
            case "PUT", path if path.startswith(f"{incident}/notes/"):
                found = [c for c in self.comments if c["id"] == path.rpartition("/")[2]]
                if not found:
                    raise Refused(404, {"error": {"message": "Not Found", "code": 2100}})
                found[0]["content"] = self._content(one)
                return 200, {"note": found[0]}, {}
        raise Refused(404, {"error": {"message": "Not Found", "code": 2100}})

    def _content(self, one: Seen) -> str:
        if one.headers.get("from") != EMAIL:
            raise Refused(400, {"error": {"message": "Invalid Input Provided", "errors": ["Requester User Not Found"]}})
        assert set(one.body) == {"note"} and set(one.body["note"]) == {"content"}
        content: str = one.body["note"]["content"]
        assert 0 < len(content) <= 25_000
        return content


class WebhookStandIn(StandIn):
    """An incoming webhook."""

    def work(self, one: Seen) -> tuple[int, Any, Mapping[str, str]]:
        assert one.method == "POST" and one.headers["content-type"] == "application/json"
        return 200, "ok", {}


def _body(one: Seen) -> str:
    assert set(one.body) == {"body"}
    if len(one.body["body"]) > 65536:
        raise Refused(422, {"message": "Validation Failed", "errors": [{"message": "body is too long"}]})
    body: str = one.body["body"]
    return body


_BLOCKS = {"paragraph", "bulletList", "codeBlock", "expand"}


def valid_adf(body: Any) -> None:
    """What Jira checks of a document: node by node, with no field that it doesn't know."""
    assert set(body) == {"type", "version", "content"} and body["type"] == "doc" and body["version"] == 1
    for node in body["content"]:
        _valid_block(node, _BLOCKS)


def _valid_block(node: Any, allowed: set[str]) -> None:
    kind = node["type"]
    assert kind in allowed and node["content"], node
    if kind == "expand":
        assert set(node) == {"type", "attrs", "content"} and set(node["attrs"]) == {"title"}
        for child in node["content"]:
            _valid_block(child, _BLOCKS - {"expand"})
    elif kind == "bulletList":
        assert set(node) == {"type", "content"}
        for child in node["content"]:
            assert child["type"] == "listItem" and set(child) == {"type", "content"}
            _valid_block(child["content"][0], {"paragraph"})
    else:
        assert set(node) == {"type", "content"}
        for child in node["content"]:
            assert child["type"] == "text" and child["text"] and set(child) <= {"type", "text", "marks"}, child
            marks = [mark["type"] for mark in child.get("marks", [])]
            assert kind == "paragraph" or not marks
            assert set(marks) <= {"strong", "code"} and len(marks) < 2


App = TypeVar("App", bound=StandIn)


@contextlib.asynccontextmanager
async def serving(app: App) -> AsyncIterator[App]:
    """Serve one on a free port of loopback for as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = _Server(uvicorn.Config(app, log_level=60, lifespan="off", timeout_graceful_shutdown=1))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield app
        finally:
            app.closing.set()
            server.should_exit = True
            await task


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the test's own."""
        yield
