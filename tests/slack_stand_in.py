"""A Slack on loopback: the Web API and Socket Mode's websocket, with its limits, and the people in front of it."""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from aiohttp import WSMsgType, web

TEAM, OTHER, BOT_USER, BOT, APP = "T0HOME", "T0ELSEWHERE", "U0BOT", "B0BOT", "A0APP"
CHANNEL = "C0ORDERS"
BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-of-the-stand-in", "xapp-of-the-stand-in", "signing-secret-of-the-stand-in"
PATIENCE = 120.0
Json = dict[str, Any]


def user(team: str = TEAM, **more: Any) -> Json:
    return {"team_id": team, "is_bot": False, "deleted": False, **more}


PEOPLE = {
    "U0ANN": user(), "U0BOB": user(), "U0EVE": user(),
    "U0FAR": user(OTHER, is_stranger=True), "U0BOTTY": user(is_bot=True),
    "U0GONE": user(deleted=True), BOT_USER: user(is_bot=True),
}  # fmt: skip
GROUPS = {"S0ONCALL": ["U0BOB"]}


class Slack:
    """The stand-in. Whatever breaks one of Slack's rules is refused and is among the complaints."""

    def __init__(self) -> None:
        self.base = ""
        self.messages: dict[str, list[Json]] = {}
        self.whispers: list[Json] = []
        self.views: list[Json] = []
        self.calls: list[tuple[str, float]] = []
        self.complaints: list[str] = []
        self.limits: dict[str, list[int]] = {}
        """By method, the seconds of Retry-After that its next calls are refused with."""
        self.files: dict[str, tuple[Json, bytes]] = {}
        self.fetched: list[str] = []
        self.gives_files = asyncio.Event()
        self.gives_files.set()
        self._ids, self._began = itertools.count(1), int(time.time())
        self._sockets: list[web.WebSocketResponse] = []
        self._acks: dict[str, asyncio.Future[Json]] = {}
        self._changed = asyncio.Event()

    def ts(self) -> str:
        """The next message's id."""
        return f"{self._began}.{next(self._ids):06}"

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**22)
        app.router.add_route("*", "/api/{method}", self._called)
        app.router.add_get("/socket", self._socket)
        app.router.add_get("/files/{name}", self._file)
        app.router.add_get("/moved/{name}", self._moved)
        return app

    async def _called(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self.calls.append((method, time.monotonic()))
        if waits := self.limits.get(method):
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429,
                                     headers={"Retry-After": str(waits.pop(0))})  # fmt: skip
        wanted = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        if request.headers.get("Authorization") != f"Bearer {wanted}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        given: Json = dict(request.query)
        if request.content_type == "application/json":
            given |= await request.json()
        else:
            given |= {name: str(value) for name, value in (await request.post()).items()}
        try:
            answer = _METHODS[method](self, given)
        except Refused as refused:
            self.complaints.append(f"{method}: {refused}")
            return web.json_response({"ok": False, "error": str(refused).partition(":")[0]})
        finally:
            self._changed.set()
        return web.json_response({"ok": True, **answer})

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        assert request.query["ticket"] == "secret"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        self._sockets.append(socket)
        self._changed.set()
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                said = json.loads(message.data)
                if (waiting := self._acks.get(said.get("envelope_id", ""))) and not waiting.done():
                    waiting.set_result(said.get("payload") or {})
        self._sockets.remove(socket)
        return socket

    async def _file(self, request: web.Request) -> web.Response:
        assert request.headers.get("Authorization") == f"Bearer {BOT_TOKEN}"
        self.fetched.append(request.match_info["name"])
        await self.gives_files.wait()
        return web.Response(body=self.files[request.match_info["name"]][1])

    async def _moved(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/files/elsewhere")

    async def until(self, done: Callable[[], Any]) -> Any:
        """Wait until something is so, which is looked at after each call."""
        async with asyncio.timeout(PATIENCE):
            while not (found := done()):
                self._changed.clear()
                await self._changed.wait()
        return found

    async def send(self, kind: str, payload: Json) -> Json:
        """Send something over Socket Mode; what it's acknowledged with."""
        await self.until(lambda: self._sockets)
        id = f"envelope-{next(self._ids)}"
        self._acks[id] = asyncio.get_running_loop().create_future()
        envelope = {"envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": True}
        await self._sockets[-1].send_json(envelope)
        # Slack's own patience.
        return await asyncio.wait_for(self._acks[id], 3.0 * SLOW)

    def said(self, text: str, by: str, thread: str | None = None, channel: str = CHANNEL, **more: Any) -> Json:
        """Somebody writes a message, of which nobody hears yet."""
        ts = self.ts()
        one = {"type": "message", "user": by, "text": text, "ts": ts, "channel": channel, **more}
        if thread:
            one["thread_ts"] = thread
        self.messages.setdefault(channel, []).append(one)
        return one

    def event(self, message: Json, kind: str = "message", **more: Any) -> Json:
        """The event about a message."""
        event = {**message, "type": kind, "event_ts": message["ts"]}
        return {"type": "event_callback", "team_id": TEAM, "api_app_id": APP, "event_id": f"Ev{next(self._ids)}",
                "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
                "event": event, **more}  # fmt: skip

    async def mention(self, text: str, by: str, thread: str | None = None, **more: Any) -> Json:
        """Somebody mentions the app, which Slack reports in both ways; the message."""
        one = self.said(f"<@{BOT_USER}> {text}", by, thread, **more)
        await self.send("events_api", self.event(one))
        await self.send("events_api", self.event(one, "app_mention"))
        return one

    async def write(self, text: str, by: str, thread: str | None = None, **more: Any) -> Json:
        """Somebody writes a message."""
        one = self.said(text, by, thread, **more)
        await self.send("events_api", self.event(one))
        return one

    def click_of(self, message: Json, action: str, by: str, at: int = 0, **changes: Any) -> Json:
        """The payload of a click on the button of a message."""
        found = [one for one in _elements(message["blocks"]) if one.get("action_id") == action][at]
        clicked = {"type": found["type"], "action_id": action, "block_id": "b", "value": found.get("value"),
                   "action_ts": self.ts()}  # fmt: skip
        payload: Json = {
            "type": "block_actions", "api_app_id": APP, "team": {"id": TEAM}, "user": {"id": by, "team_id": TEAM},
            "trigger_id": f"trigger-{next(self._ids)}", "channel": {"id": message["channel"]}, "actions": [clicked],
            "message": {key: message[key] for key in ("ts", "thread_ts", "bot_id") if key in message},
            "container": {"type": "message", "message_ts": message["ts"], "channel_id": message["channel"],
                          "thread_ts": message.get("thread_ts")},
        }  # fmt: skip
        return {**payload, **changes}

    async def click(self, message: Json, action: str, by: str, **changes: Any) -> Json | None:
        """Somebody presses a button; the dialog that opens, or null if none does."""
        before = len(self.views), len(self.whispers)
        await self.send("interactive", self.click_of(message, action, by, **changes))
        return self.views[-1]["view"] if len(self.views) > before[0] else None

    def submission_of(self, view: Json, by: str, values: Json | None = None, team: str = TEAM) -> Json:
        """The payload of a dialog that is sent."""
        kept = {key: view[key] for key in ("callback_id", "private_metadata", "type")}
        return {"type": "view_submission", "api_app_id": APP, "team": {"id": team}, "user": {"id": by, "team_id": team},
                "view": {**kept, "state": {"values": values or {}}}}  # fmt: skip

    async def submit(self, view: Json, by: str, values: Json | None = None) -> str | None:
        """Somebody sends a dialog; what it says if nothing was done."""
        said = await self.send("interactive", self.submission_of(view, by, values))
        return None if not said else shown(said["view"]["blocks"])

    def last_whisper(self) -> str:
        """What somebody was last told alone."""
        return str(self.whispers[-1]["text"])

    def own(self, thread: str, channel: str = CHANNEL) -> list[Json]:
        """The app's own messages in a thread."""
        return [
            one for one in self.messages.get(channel, []) if one.get("bot_id") == BOT and one["thread_ts"] == thread
        ]


SLOW = 20.0
"""How much slower than Slack a busy machine may be."""


class Refused(Exception):
    """A call that Slack would refuse."""


def shown(blocks: Any) -> str:
    """All text of blocks."""
    if isinstance(blocks, dict):
        own = [blocks["text"]] if isinstance(blocks.get("text"), str) else []
        return "\n".join([*own, *(text for one in blocks.values() if (text := shown(one)))])
    if isinstance(blocks, list):
        return "\n".join(text for one in blocks if (text := shown(one)))
    return ""


def _elements(blocks: Any) -> Iterator[Json]:
    if isinstance(blocks, dict):
        if "action_id" in blocks:
            yield blocks
        for one in blocks.values():
            yield from _elements(one)
    elif isinstance(blocks, list):
        for one in blocks:
            yield from _elements(one)


def check_blocks(blocks: Any, most: int = 50) -> None:
    """Raise `Refused` for blocks that break Slack's limits."""
    if not isinstance(blocks, list) or not 0 < len(blocks) <= most:
        raise Refused("invalid_blocks: how many")
    for one in blocks:
        match one["type"]:
            case "header":
                _text(one["text"], 150, "plain_text")
            case "section":
                _text(one["text"], 3000)
            case "context":
                if not 0 < len(one["elements"]) <= 10:
                    raise Refused("invalid_blocks: a context")
                for each in one["elements"]:
                    _text(each, 3000)
            case "actions":
                if not 0 < len(one["elements"]) <= 25 or len(one.get("block_id", "")) > 255:
                    raise Refused("invalid_blocks: actions")
            case "rich_text" | "input":
                pass
            case other:
                raise Refused(f"invalid_blocks: {other}")
    for element in _elements(blocks):
        if element["type"] == "button":
            _text(element["text"], 75, "plain_text")
            if not 0 < len(element["value"]) <= 2000:
                raise Refused("invalid_blocks: a value")
        if element["type"] == "static_select":
            if not 0 < len(element["options"]) <= 100:
                raise Refused("invalid_blocks: options")
            for option in element["options"]:
                _text(option["text"], 75, "plain_text")
                if not 0 < len(option["value"]) <= 150:
                    raise Refused("invalid_blocks: an option's value")


def _text(one: Json, most: int, kind: str | None = None) -> None:
    if not 0 < len(one["text"]) <= most or (kind and one["type"] != kind):
        raise Refused(f"invalid_blocks: a text of {len(one['text'])}")


def _auth(slack: Slack, given: Json) -> Json:
    return {"team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT, "team": "home", "user": "rediagnose"}


def _connections(slack: Slack, given: Json) -> Json:
    return {"url": f"{slack.base.replace('http', 'ws')}/socket?ticket=secret"}


def _post(slack: Slack, given: Json) -> Json:
    check_blocks(given["blocks"])
    if given.get("unfurl_links") is not False or given.get("unfurl_media") is not False:
        raise Refused("unfurls: what others wrote")
    thread = given["thread_ts"]
    if not any(one["ts"] == thread for one in slack.messages.get(given["channel"], [])):
        raise Refused("thread_not_found")
    one = {**given, "type": "message", "ts": slack.ts(), "user": BOT_USER, "bot_id": BOT, "app_id": APP}
    slack.messages[given["channel"]].append(one)
    return {"ts": one["ts"], "channel": given["channel"]}


def _update(slack: Slack, given: Json) -> Json:
    check_blocks(given["blocks"])
    found = next((one for one in slack.messages[given["channel"]] if one["ts"] == given["ts"]), None)
    if found is None:
        raise Refused("message_not_found")
    if found.get("bot_id") != BOT:
        raise Refused("cant_update_message")
    found.update(text=given["text"], blocks=given["blocks"], edited=True)
    return {"ts": given["ts"]}


def _whisper(slack: Slack, given: Json) -> Json:
    check_blocks(given["blocks"])
    slack.whispers.append(given)
    return {}


def _replies(slack: Slack, given: Json) -> Json:
    found = [
        one for one in slack.messages.get(given["channel"], []) if given["ts"] in (one["ts"], one.get("thread_ts"))
    ]
    return {"messages": [{key: value for key, value in one.items() if key != "channel"} for one in found]}


def _user(slack: Slack, given: Json) -> Json:
    if given["user"] not in PEOPLE:
        raise Refused("user_not_found")
    return {"user": {"id": given["user"], **PEOPLE[given["user"]]}}


def _group(slack: Slack, given: Json) -> Json:
    return {"users": GROUPS[given["usergroup"]]}


def _open(slack: Slack, given: Json) -> Json:
    view = given["view"] if isinstance(given["view"], dict) else json.loads(given["view"])
    check_blocks(view["blocks"], 100)
    if len(view["title"]["text"]) > 24 or len(view.get("private_metadata", "")) > 3000:
        raise Refused("invalid_arguments: a view")
    slack.views.append({**given, "view": view})
    return {}


def _info(slack: Slack, given: Json) -> Json:
    return {"file": slack.files[given["file"]][0]}


_METHODS: dict[str, Callable[[Slack, Json], Json]] = {
    "auth.test": _auth, "apps.connections.open": _connections, "chat.postMessage": _post, "chat.update": _update,
    "chat.postEphemeral": _whisper, "conversations.replies": _replies, "users.info": _user,
    "usergroups.users.list": _group, "views.open": _open, "files.info": _info,
}  # fmt: skip


@asynccontextmanager
async def slack() -> AsyncIterator[Slack]:
    """A Slack that listens on loopback."""
    one = Slack()
    runner = web.AppRunner(one.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    one.base = f"http://{host}:{port}"
    try:
        yield one
    finally:
        await runner.cleanup()


def settings(slack: Slack, *, four_eyes: bool = False, http: bool = False) -> str:
    """The table [slack] for it."""
    way = 'signing_secret_env = "SLACK_SIGNING_SECRET"' if http else 'app_token_env = "SLACK_APP_TOKEN"'
    return (
        f'[slack]\nbot_token_env = "SLACK_BOT_TOKEN"\n{way}\napi = "{slack.base}/api/"\n'
        f'[[slack.channel]]\nid = "{CHANNEL}"\nalerts = ["B0ALERTS"]\n'
        f'[[slack.approve]]\nusers = ["U0ANN"]\ngroups = ["S0ONCALL"]\nfour_eyes = {str(four_eyes).lower()}\n'
    )


ENVIRON = {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, "SLACK_SIGNING_SECRET": SECRET}


def signed(payload: Json, at: float | None = None, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A request as Slack signs it: its body and its headers."""
    is_event = payload["type"] in ("event_callback", "url_verification")
    body = json.dumps(payload) if is_event else urlencode({"payload": json.dumps(payload)})
    stamp = str(int(time.time() if at is None else at))
    mac = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    kind = "application/json" if is_event else "application/x-www-form-urlencoded"
    return body.encode(), {
        "Content-Type": kind, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={mac}",
    }  # fmt: skip
