"""The position of a served replay in its recording."""

import asyncio


class Moment:
    """Seconds into the recording: they run from the start of serving, at some speed, or stay at one moment."""

    def __init__(self, *, speed: float = 1.0, at: float | None = None, start: float = 0.0) -> None:
        """`start` is the moment at which serving starts; `at` the one at which it stands still."""
        self._speed = speed
        self._at = at
        self._start = start
        self._began = asyncio.get_running_loop().time()

    @property
    def now(self) -> float:
        """The moment."""
        if self._at is not None:
            return self._at
        return self._start + (asyncio.get_running_loop().time() - self._began) * self._speed

    @property
    def runs(self) -> bool:
        """Whether it goes on."""
        return self._at is None

    def real(self, seconds: float) -> float:
        """How long a recorded span takes here."""
        return seconds / self._speed

    async def until(self, moment: float | None) -> None:
        """Wait for a moment; forever if it never comes."""
        if moment is None or (self._at is not None and moment > self._at):
            await asyncio.Event().wait()
        elif (ahead := moment - self.now) > 0:
            await asyncio.sleep(self.real(ahead))
