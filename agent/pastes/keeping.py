"""Writing a paste's recording down, so that it can be replayed."""

from datetime import datetime
from pathlib import Path

from agent.pastes.incident import Incident
from tools.record.recorder import Recorder
from tools.redact import Pseudonyms


class _Began:
    """The moment at which a recording begins, and no other."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Nothing waits."""


def keep(incident: Incident, path: Path) -> None:
    """Write the recording into a new file. No plan is in it: nothing of a paste can be applied.

    Raises `UsageError` where it can't be written.
    """
    head = incident.tape.head
    recorder = Recorder(path, _Began(incident.tape.began), Pseudonyms())
    recorder.begin(**head.model_dump(exclude={"type", "version", "at"}))
    for line in incident.lines:
        recorder.write(line)
    recorder.close()
