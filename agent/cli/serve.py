"""`rediagnose serve` and `rediagnose worker`: the service by HTTP, and further processes that share its work."""

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import uvicorn

from agent.cli.program import ANSWERED
from agent.cli.serve_inputs import ServeInputs, WorkerInputs
from agent.cli.slack import app_of, joined
from agent.cli.watching import watching
from agent.service.service import DurableService
from agent.web.access.access import access_of
from agent.web.access.connections import uvicorn_options
from agent.web.access.guarded import guarded
from agent.web.app import app
from agent.web.webhooks import routes as webhooks
from tools.clock import SystemClock
from tools.connection.target import address
from tools.errors import RediagnoseError, UsageError
from tools.settings.file import load_settings
from tools.settings.tables import Settings
from tools.text import one_line

if TYPE_CHECKING:
    from agent.mcp.http import Assistants
    from agent.slack.app import SlackApp

ENDS_WITHIN = 3
"""Seconds for requests that are under way when the service is ended."""


async def serve(inputs: ServeInputs) -> int:
    """Serve until a signal comes. Raises `UsageError` for an address or a database that can't be used."""
    settings = load_settings()
    granted = access_of(settings, inputs.listen)
    for webhook in settings.webhook:
        webhook.must_be_trusted()
    _try_secrets(settings)
    listening = _listening(inputs.listen)
    port = listening.getsockname()[1]
    service = inputs.service(urls=inputs.takes_urls, link=f"{granted.base(port)}incidents/")
    watched = watching(
        SystemClock(), inputs.library(), service.investigated,
        lambda problem: _say(f"the watch: {problem}"), logins=inputs,
    )  # fmt: skip
    assistants = _assistants(service, inputs, f"{granted.base(port)}incidents/")
    in_slack = app_of(inputs, service, f"{granted.base(port)}incidents/") if settings.slack.is_set else None
    hooks = [*webhooks(service, load_settings, service.seen), *(in_slack.routes() if in_slack else ())]
    hooks += [assistants.route] if assistants else []
    served = app(service, webhooks=hooks, metrics=watched.metrics if watched else str)
    options = {**uvicorn_options(), "timeout_graceful_shutdown": ENDS_WITHIN}
    config = uvicorn.Config(guarded(served, granted), log_config=None, lifespan="off", **options)
    await service.start()
    watch = asyncio.create_task(watched.work()) if watched else None
    joining = asyncio.create_task(_joined(in_slack)) if in_slack else None
    try:
        server = _Server(config)
        async with assistants.running() if assistants else contextlib.nullcontext():
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            _say(f"incidents are kept in {service.store.database.name}")
            if watched:
                _say(f"what is watched is kept in {watched.store.path}")
            _say(f"open  {granted.link(port)}")
            await serving
    finally:
        beside = [one for one in (watch, joining) if one]
        for one in beside:
            one.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        if in_slack:
            await in_slack.stop()
        await service.stop()
    return ANSWERED


def _try_secrets(settings: Settings) -> None:
    """Say which webhooks nobody can send to: a secret may still come, so the rest goes on."""
    for webhook in settings.webhook:
        if webhook.proof == "sns":
            continue
        try:
            webhook.secret.read()
        except UsageError as error:
            _say(f"webhook {webhook.name}: every request is refused until its secret can be read: {error}")


def _assistants(service: DurableService, inputs: ServeInputs, link: str) -> "Assistants | None":
    """What assistants are offered; null without the extra that they need."""
    if find_spec("mcp") is None:
        return None
    from agent.cli.mcp_inputs import means_of
    from agent.mcp.http import Assistants

    return Assistants(service, means_of(inputs, urls=inputs.takes_urls), service.investigated, link)


async def _joined(in_slack: "SlackApp") -> None:
    """Take part in Slack; without it the rest goes on."""
    try:
        await joined(in_slack)
    except RediagnoseError as error:
        _say(f"not in Slack: {error}")


async def worker(inputs: WorkerInputs) -> int:
    """Take part in the work until a signal comes. Raises `UsageError` for a database that can't be used."""
    service = inputs.service(urls=True)
    await service.start()
    try:
        _say(f"working on the incidents in {service.store.database.name}")
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        await ended.wait()
    finally:
        await service.stop()
    return ANSWERED


class _Server(uvicorn.Server):
    """Ends with its own status: a signal is how a service is ended, not an interruption."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def _listening(where: str) -> socket.socket:
    """A socket on an address. Raises `UsageError`."""
    host, _, port = where.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"--listen {where!r}: give HOST:PORT, such as 127.0.0.1:8379")
    given = "127.0.0.1" if host == "localhost" else host
    try:
        ipaddress.ip_address(given)
    except ValueError:
        raise UsageError(f"--listen {where!r}: give an address such as 127.0.0.1 or 0.0.0.0, not a name") from None
    listening = socket.socket(socket.AF_INET6 if ":" in given else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((given, int(port)))
        listening.listen(512)
    except OSError as error:
        listening.close()
        free = f"; it may be serving already, and --listen {address(given, 0)} takes a free port"
        remedy = free if error.errno == errno.EADDRINUSE else "; give another address"
        raise UsageError(f"--listen {where}: {error.strerror}{remedy}") from None
    return listening


def _say(line: str) -> None:
    print(one_line(f"rediagnose: {line}"), file=sys.stderr, flush=True)
