"""The app: Slack's requests over Socket Mode or HTTP, each proven, acknowledged in time, and taken in once."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.service.journal import Seldom, say, why
from agent.service.plant import Talk
from agent.service.service import DurableService
from agent.slack import views
from agent.slack.acting import NotDone, click, submit
from agent.slack.desk import Desk
from agent.slack.hearing import hear
from agent.slack.journal import journal
from agent.slack.keeping import PACE, ROUNDS, Keeping
from agent.slack.sealed import Seals
from agent.slack.threads import Threads
from agent.slack.undone import ATTEMPTS, KEPT, Undone
from agent.slack.workspace import Workspace
from agent.tickets.ticket import object_of, objects_of, text_of
from tools.clock import Clock
from tools.errors import RediagnoseError, UsageError, bug
from tools.settings.tables import Settings

ANSWERS_WITHIN = 2.0
"""Seconds after which a request is acknowledged although it isn't done: Slack waits for three."""
PATH = "/slack/events"
Work = Coroutine[Any, Any, Any]


class SlackApp:
    """The app in its workspace, over a service that is started and stopped by whoever makes it."""

    def __init__(
        self, service: DurableService, load: Callable[[], Settings], talk: Callable[[], Talk], clock: Clock, *,
        link: str = "", pace: float = PACE, rounds: float = ROUNDS, answers_within: float = ANSWERS_WITHIN,
        kept: float = KEPT,
    ) -> None:  # fmt: skip
        self._service, self._load, self._talk, self._clock, self._link = service, load, talk, clock, link
        self._keeping, self._within, self._rounds = Keeping(pace, rounds), answers_within, rounds
        self._kept = kept
        self._busy: set[str] = set()
        self._undone: Undone | None = None
        self._late: set[str] = set()
        """What this process works on although it was acknowledged."""
        self._seldom = Seldom(clock.monotonic)
        self._signed: set[str] = set()
        self._running: set[asyncio.Task[Any]] = set()
        self._open = contextlib.AsyncExitStack()
        self._http: AsyncSlackRequestHandler | None = None
        self._verifier: SignatureVerifier | None = None
        self._desk: Desk | None = None

    async def start(self) -> str:
        """Take part; what to say about it. Raises `UsageError` for settings that can't be used, and `SlackError`."""
        try:
            return await self._start()
        except BaseException:
            await self._open.aclose()
            raise

    async def _start(self) -> str:
        table = (await asyncio.to_thread(self._load)).slack
        table.must_be_trusted()
        if (source := table.bot_token) is None:
            raise UsageError("[slack] is missing in rediagnose.toml; docs/slack.md has an example")
        token = source.read()
        app_token = table.app_token.read().get_secret_value() if table.app_token else None
        secret = table.signing_secret.read().get_secret_value() if table.signing_secret else None
        workspace = Workspace(token, table)
        self._open.push_async_callback(workspace.close)
        await workspace.start()
        me = f"{workspace.me.team} {self._service.engine_id}"
        self._desk = Desk(
            self._service, Threads(self._service.store.database, me), workspace, Seals(token), self._load, self._talk,
            self._clock, self._keeping.wake, self._link,
        )  # fmt: skip
        logger = journal()
        app = AsyncApp(client=workspace.client, signing_secret=secret or "", logger=logger, ssl_check_enabled=False)
        app.use(self._dispatch)
        if secret:
            self._verifier, self._http = SignatureVerifier(secret), AsyncSlackRequestHandler(app)
        if app_token:
            socket = AsyncSocketModeHandler(app, app_token, web_client=workspace.client, logger=logger)
            self._open.push_async_callback(socket.close_async)
            # Asked for here, so that a wrong token is an error at once and not an endless attempt.
            socket.client.wss_uri = await workspace.socket(app_token)
            await socket.client.connect()  # type: ignore[no-untyped-call]
        self._undone = Undone(self._service.store.database, me, self._kept)
        for work in (self._keeping.work(self._desk), self._do_what_was_left()):
            self._open.push_async_callback(_ended, asyncio.create_task(work))
        how = " and ".join(name for name, there in (("Socket Mode", app_token), (f"HTTP at {PATH}", secret)) if there)
        return f"in Slack as a bot of the workspace {workspace.me.name} ({how})"

    async def stop(self) -> None:
        """Leave; the threads are kept by other processes, or by the next one."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._open.aclose()

    def routes(self) -> list[Route]:
        """The route of Slack's signed requests."""
        return [Route(PATH, self._request, methods=["POST"])]

    async def _request(self, request: Request) -> Response:
        if self._http is None or self._verifier is None:
            return JSONResponse({"error": "nothing is taken in here (yet)"}, 503)
        body = await request.body()
        at, signature = (request.headers.get(f"x-slack-{name}", "") for name in ("request-timestamp", "signature"))
        proven = at.isascii() and at.isdigit() and len(at) < 12 and self._verifier.is_valid(body, at, signature)
        if not proven:
            peer = getattr(request.state, "peer", "") or (request.client.host if request.client else "?")
            said = f"slack: a request from {peer} isn't signed as Slack signs, or is too old"
            self._seldom(
                "signature", f"{said}: compare the secret in [slack] with the app's Signing Secret, and the clock"
            )
            return JSONResponse({"error": "this signature isn't Slack's, or it's too old"}, 401)
        key, now = f"slack mac {hashlib.sha256(signature.encode()).hexdigest()}", self._clock.now()
        is_known = key in self._signed or await asyncio.to_thread(self._service.seen.known, key, now)
        if is_known or key in self._signed:
            # Slack signs anew whatever it sends again.
            return JSONResponse({"error": "exactly this request was received before"}, 403)
        self._signed.add(key)
        try:
            await asyncio.to_thread(self._service.seen.add, [key], now)
            return await self._http.handle(request)
        finally:
            self._signed.discard(key)

    async def _dispatch(self, body: dict[str, Any]) -> BoltResponse:
        """Everything that is proven comes here, whichever way it came."""
        assert self._desk is not None
        match body.get("type"):
            case "event_callback":
                return await self._once(body, hear(self._desk, body))
            case "block_actions":
                return await self._in_time(click(self._desk, body))
            case "view_submission":
                return await self._sent(self._desk, body)
        return BoltResponse(status=200, body="")

    async def _sent(self, desk: Desk, body: Mapping[str, Any]) -> BoltResponse:
        """Take what a dialog was sent with: it says why nothing was done, or the thread does if that took too long."""
        waits = True

        async def work() -> NotDone | None:
            if (refused := await submit(desk, body)) and not waits and refused.place:
                await desk.tell(refused.place, refused.user, f"Nothing was done: {refused.why}")
            return refused

        task = asyncio.create_task(work())
        answer = await self._wait(task)
        waits = False
        if not task.done() or task.exception() is not None or (refused := task.result()) is None:
            return answer
        view = views.told("Nothing was done", refused.why)
        update = json.dumps({"response_action": "update", "view": view})
        return BoltResponse(status=200, body=update, headers={"content-type": ["application/json"]})

    async def _do_what_was_left(self) -> None:
        """Do what was acknowledged by a process that ended before it was done."""
        assert self._undone is not None and self._desk is not None
        while True:
            try:
                for one in await asyncio.to_thread(self._undone.take, self._late):
                    if one.attempt > ATTEMPTS:
                        say(f"slack: {one.key}: given up, since this program ended each time it was begun")
                        await asyncio.to_thread(self._undone.done, one.key)
                        continue
                    if one.key in self._busy:
                        # Slack has sent it again.
                        continue
                    self._late.add(one.key)
                    await self._once(one.body, hear(self._desk, one.body))
            except Exception as error:
                say(f"slack: events that were left: {why(error)}")
            await asyncio.sleep(self._rounds)

    async def _once(self, body: Mapping[str, Any], work: Work) -> BoltResponse:
        """Take in an event that wasn't taken in before, and acknowledge it when that is done: if this program ends
        before, Slack sends it again. What takes longer than Slack waits is kept until it's done."""
        keys, seen, now = _keys(body), self._service.seen, self._clock.now()
        if self._busy & set(keys):
            work.close()
            return BoltResponse(status=200, body="")
        # Taken before anything is waited for: the same event may come several times at once.
        self._busy |= set(keys)

        async def done() -> None:
            try:
                known = any([await asyncio.to_thread(seen.known, key, now) for key in keys])
                if known or not self._is_ours(body):
                    work.close()
                else:
                    await work
                    await asyncio.to_thread(seen.add, keys, now)
            except BaseException:
                # It's tried again once nobody says that it's being worked on.
                self._late.discard(keys[0])
                raise
            finally:
                self._busy -= set(keys)
            over.set()
            if keys[0] in self._late:
                await self._forget(keys[0])

        over = asyncio.Event()
        task = asyncio.create_task(done())
        answer = await self._wait(task)
        if not task.done() and self._undone is not None:
            self._late.add(keys[0])
            await asyncio.to_thread(self._undone.keep, keys[0], body)
            if over.is_set():
                await self._forget(keys[0])
        return answer

    async def _forget(self, key: str) -> None:
        assert self._undone is not None
        await asyncio.to_thread(self._undone.done, key)
        self._late.discard(key)

    def _is_ours(self, body: Mapping[str, Any]) -> bool:
        assert self._desk is not None
        teams = {text_of(body.get("team_id"))}
        teams |= {text_of(one.get("team_id")) for one in objects_of(body.get("authorizations"))}
        return self._desk.workspace.me.team in teams

    async def _in_time(self, work: Work) -> BoltResponse:
        return await self._wait(asyncio.create_task(work))

    async def _wait(self, task: "asyncio.Task[Any]") -> BoltResponse:
        self._running.add(task)
        task.add_done_callback(self._over)
        await asyncio.wait({task}, timeout=self._within)
        if not task.done():
            return BoltResponse(status=200, body="")
        if task.cancelled() or task.exception() is not None:
            # Slack sends an event again that it isn't thanked for.
            return BoltResponse(status=500, body="")
        return BoltResponse(status=200, body="")

    def _over(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            say(f"slack: {why(error) if isinstance(error, RediagnoseError) else bug('a request', error)}")


def _keys(body: Mapping[str, Any]) -> list[str]:
    """What an event is known by: its own id, and the message it's about with the way it came."""
    event = object_of(body.get("event"))
    parts = [text_of(event.get(key)) for key in ("type", "subtype", "channel", "ts", "event_ts")]
    return [f"slack event {text_of(body.get('event_id'))[:100]}", f"slack message {' '.join(parts)[:180]}"]


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
