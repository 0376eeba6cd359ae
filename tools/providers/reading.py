"""The reading `provider`: what whoever runs a managed server says of it."""

import asyncio
from datetime import datetime

from tools.clock import Clock
from tools.errors import Unanswered
from tools.providers.found import Provider, Window
from tools.providers.values import values_of
from tools.records import Values
from tools.toolbox import reads

DEADLINE = 3.0
"""Seconds for one look, finding credentials not among them."""
GRACE = 2.0
"""Seconds after which a provider that doesn't keep its time is cut off, with all that it found."""
LOGS_IN = 10.0
"""Seconds for loading what asks and for finding credentials, which may be another program's work."""
FIGURES, EVENTS = 3600.0, 86_400.0
"""Seconds before the moment of the report for which figures and events are asked for."""
AFTER = 600.0
"""Seconds after it that are asked for too, where they have passed."""


class Managed:
    """Who is asked, and about which moment; what was loaded stays from one look to the next."""

    def __init__(
        self, clock: Clock, provider: Provider, at: datetime | None = None, deadline: float = DEADLINE
    ) -> None:
        """`at` is when the problem was reported; None for now."""
        self.provider = provider
        self._clock = clock
        self._at = at
        self._deadline = deadline
        self._prepared = False
        self._failed: Unanswered | None = None

    async def prepare(self) -> None:
        """Load what asks and find credentials, before anything is measured. Raises `Unanswered`."""
        if self._prepared:
            return
        try:
            async with asyncio.timeout(LOGS_IN):
                await self.provider.prepare()
            self._prepared = True
        except TimeoutError:
            self._failed = Unanswered("timeout", f"finding credentials took longer than {LOGS_IN:g} s")
        except Unanswered as error:
            self._failed = error
        if self._failed:
            raise self._failed

    async def look(self) -> Values:
        """One look. Raises `Unanswered`."""
        if self._failed:
            # The first look takes over what was tried just before it; a later one tries again.
            failed, self._failed = self._failed, None
            raise failed
        await self.prepare()
        window = self._window()
        try:
            async with asyncio.timeout(self._deadline + GRACE):
                return values_of(await self.provider.look(window, self._deadline), window)
        except TimeoutError:
            what = self.provider.what
            raise Unanswered("timeout", f"nothing was said about {what} within {self._deadline:g} s") from None

    def _window(self) -> Window:
        now = self._clock.now().timestamp()
        moment = min(self._at.timestamp(), now) if self._at else now
        return Window(moment, moment - FIGURES, min(now, moment + AFTER), moment - EVENTS)


@reads
async def provider(managed: Managed) -> Values:
    """What the service's own interface says of a managed server around the report: figures, events, settings.

    `eN.age` is in seconds before the report (`at`), the newest event first; `figure.X` are the service's own figures,
    `_15m` those of the 15 minutes before it. `setting.X` differ from the defaults, as far as the service says.
    """
    return await managed.look()
