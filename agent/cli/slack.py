"""`rediagnose slack`: the service in a Slack workspace, over Socket Mode; `serve` does the same beside its pages."""

import asyncio
import signal
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agent.cli.program import ANSWERED
from agent.cli.serve_inputs import WorkerInputs
from agent.service.journal import say
from agent.service.service import DurableService
from tools.clock import SystemClock
from tools.errors import UsageError
from tools.settings.file import load_settings

if TYPE_CHECKING:
    from agent.slack.app import SlackApp

WAITS = 30.0
"""Seconds after which Slack is asked again that couldn't be reached."""


class SlackInputs(WorkerInputs):
    """`rediagnose slack`."""


async def slack(inputs: SlackInputs) -> int:
    """Work in Slack until a signal comes. Raises `UsageError`, and `SlackError` if the workspace refuses the tokens."""
    table = load_settings().slack
    table.must_be_trusted()
    if not table.is_set or table.app_token is None:
        raise UsageError(
            "Socket Mode needs [slack] with bot_token_env and app_token_env in rediagnose.toml; signed requests alone "
            "are taken in by `rediagnose serve`"
        )
    service = inputs.service(urls=table.urls)
    app = app_of(inputs, service)
    await service.start()
    joining = asyncio.create_task(joined(app))
    try:
        say(f"working on the incidents in {service.store.database.name}")
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        over = asyncio.create_task(ended.wait())
        await asyncio.wait({joining, over}, return_when=asyncio.FIRST_COMPLETED)
        if joining.done():
            joining.result()
            await over
    finally:
        joining.cancel()
        await asyncio.gather(joining, return_exceptions=True)
        await app.stop()
        await service.stop()
    return ANSWERED


def app_of(inputs: WorkerInputs, service: DurableService, link: str = "") -> "SlackApp":
    """The app over a service; neither is started yet. Raises `UsageError` if its extra isn't installed."""
    if find_spec("slack_bolt") is None or find_spec("aiohttp") is None:
        raise UsageError(
            "[slack] in rediagnose.toml: what speaks to Slack isn't installed; pip install 'rediagnose[slack]'"
        )
    from agent.slack.app import SlackApp

    return SlackApp(service, load_settings, inputs.plant(urls=False, link=link).talk, SystemClock(), link=link)


async def joined(app: "SlackApp") -> None:
    """Take part as soon as the workspace can be reached. Raises `SlackError` if it refuses, and `UsageError`."""
    from agent.slack.workspace import SlackError

    while True:
        try:
            say(await app.start())
            return
        except SlackError as error:
            if error.lasting:
                raise
            say(f"{error}; asked again in {WAITS:.0f} s")
        await asyncio.sleep(WAITS)
