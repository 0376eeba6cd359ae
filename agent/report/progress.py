"""What is being read, as it happens; shown only on a terminal's stderr."""

from types import TracebackType
from typing import TYPE_CHECKING, cast

from agent.answer.events import (
    ChecksMade,
    Event,
    ModelAsked,
    ModelFailed,
    ModelRetried,
    ModelText,
    ModelThought,
    ProposalForbidden,
    ReadingBegun,
    ReadingTaken,
    Started,
)
from agent.report.plain import Lines
from tools.text import one_line, printable

if TYPE_CHECKING:
    from rich.live import Live

    from agent.report.console import Console


THOUGHT_KEPT, THOUGHT_SHOWN = 400, 56
"""How many characters of a model's reported thinking are kept, and how many are shown: one moving line."""


class Progress:
    """One moving line that vanishes; if stderr isn't a terminal, which arm answers and what it was refused."""

    def __init__(self, console: Lines, *, speaks: bool = False) -> None:
        """`speaks` prints a model's words as they stream and what remains of them: nothing else does."""
        self.console, self.speaks = console, speaks
        self._taken, self._found = 0, ""
        self._status: Live | None = None
        self._running: dict[str, str] = {}
        self._speaking = False
        self._thought = ""

    def __enter__(self) -> "Progress":
        self._running.clear()
        self._taken, self._found = 0, ""
        if self.console.is_terminal:
            from agent.report.console import moving_line

            self._status = moving_line(self._terminal, "looking")
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.pause()

    @property
    def _terminal(self) -> "Console":
        return cast("Console", self.console)

    def pause(self) -> None:
        """Stop the moving line before a person is asked."""
        if self._status is not None:
            self._fall_silent(self._status)
            self._status.stop()
            self._status = None

    def _speak(self, text: str, status: "Live") -> None:
        """Print a piece of text as it arrives, without the moving line, which would erase it."""
        from rich.text import Text

        if not self._speaking:
            status.stop()
            self._speaking = True
        self._terminal.print(Text(printable(text)), end="", soft_wrap=True)

    def _fall_silent(self, status: "Live") -> None:
        if self._speaking:
            self._terminal.print()
            self._speaking = False
            status.start()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            # On a terminal the answer's last line says so, and a separate notice would stay on screen.
            if self._status is None:
                how = "checks alone" if event.model == "offline" else f"model {event.model}"
                self.console.say(f"rediagnose: {how} ({event.why_model})")
        elif isinstance(event, ModelFailed):
            self._notice(f"rediagnose: the checks' answer is used: {event.why}")
        elif isinstance(event, ProposalForbidden):
            self._notice(f"rediagnose: forbidden: {event.action}: {event.why}")
        elif self._status is not None:
            self._live(event, self._status)

    def _notice(self, line: str) -> None:
        """A line that stays, for when the answer doesn't appear on the same terminal and say it."""
        if self._status is None or self.speaks:
            self.console.say(line)

    def _live(self, event: Event, status: "Live") -> None:
        if isinstance(event, ModelText):
            if self.speaks:
                self._speak(event.text, status)
            return
        self._fall_silent(status)
        if isinstance(event, ReadingBegun):
            self._running[event.begun.id] = event.begun.tool
        elif isinstance(event, ReadingTaken):
            self._running.pop(event.reading.id, None)
            self._taken += event.reading.tool != "symptom"
        elif isinstance(event, ChecksMade) and event.findings:
            self._found = f"; so far {event.findings[0].id} {event.findings[0].probability:.0%}"
        if isinstance(event, ModelRetried):
            now = f"retrying in {event.seconds:.1f} s: {event.why}"
        elif isinstance(event, ModelAsked):
            self._thought = ""
            now = f"model turn {event.turn}"
        elif isinstance(event, ModelThought):
            self._thought = f"{self._thought}{event.text}"[-THOUGHT_KEPT:]
            now = f"thinking: {_newest(self._thought)}"
        else:
            now = ", ".join(dict.fromkeys(self._running.values())) or "thinking"
        from agent.report.console import show_moving

        show_moving(status, f"{self._taken} readings{self._found}; {now}")


def _newest(thought: str) -> str:
    """The end of a thought, on one line and starting at a word."""
    line = " ".join(one_line(thought).replace("*", "").split())
    return line if len(line) <= THOUGHT_SHOWN else f"\u2026{line[-THOUGHT_SHOWN:].partition(' ')[2]}"
