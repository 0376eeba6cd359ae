"""What the parts of the surface share, and the refusals that only the person concerned hears of."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from agent.report.markup import in_chat
from agent.service.plant import Talk
from agent.service.seam import Service
from agent.slack.blocks import section
from agent.slack.message import Message
from agent.slack.sealed import Place, Seals
from agent.slack.threads import Threads
from agent.slack.workspace import Workspace
from tools.clock import Clock
from tools.errors import RediagnoseError
from tools.settings.slack_table import SlackTable
from tools.settings.tables import Settings
from tools.text import one_line


class Refused(RediagnoseError):
    """Somebody may not do that, or it can't be done now; the message is for them."""


@dataclass(frozen=True)
class Desk:
    """The service, and the workspace that it's used from."""

    service: Service
    threads: Threads
    workspace: Workspace
    seals: Seals
    load: Callable[[], Settings]
    """The settings, read anew each time, so that somebody can be taken off a list at once. It blocks."""
    talk: Callable[[], Talk]
    """What a paste is investigated with."""
    clock: Clock
    wake: Callable[[], None]
    """Says that there is a new thread to be kept."""
    link: str = ""
    """The page's address, to which an incident's id is added; empty for none."""

    async def settings(self) -> Settings:
        """The settings. Raises `UsageError` if they can't be used, or may not decide who approves."""
        found = await asyncio.to_thread(self.load)
        found.slack.must_be_trusted()
        return found

    async def table(self) -> SlackTable:
        """The table [slack]."""
        return (await self.settings()).slack

    async def member(self, user: str) -> None:
        """Raise `Refused` for anybody but a person of this workspace, which Slack is asked about."""
        if not (await self.workspace.somebody(user)).is_member:
            raise Refused("people of other organisations and bots can read here, but neither start nor decide anything")

    async def tell(self, place: Place, user: str, why: str) -> None:
        """Tell one person something. Raises `SlackError`."""
        said = in_chat(one_line(f"{why[:1].upper()}{why[1:]}", 1000))
        await self.workspace.tell(place, user, Message(said, [section([said])]))


def name_of(user: str) -> str:
    """A user as the audit log names them."""
    return f"slack:{user}"
