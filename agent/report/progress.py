"""What is being read, as it happens: on a terminal's stderr only."""

from types import TracebackType
from typing import TYPE_CHECKING, cast

from agent.answer.events import (
    ChecksMade,
    Event,
    ModelAsked,
    ModelFailed,
    ModelRetried,
    ModelText,
    ProposalForbidden,
    ReadingBegun,
    ReadingTaken,
    Started,
)
from agent.report.plain import Lines
from agent.report.render import figures_text, sparkline
from tools.records import Reading
from tools.text import one_line, printable

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from agent.report.console import Console


class Progress:
    """Shows the stream of events; does nothing but say which model it is where stderr isn't a terminal."""

    def __init__(self, console: Lines) -> None:
        self.console = console
        self._status: Live | None = None
        self._running: dict[str, str] = {}
        self._speaking = False

    def __enter__(self) -> "Progress":
        self._running.clear()
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
        """Stop the moving line: a person is about to be asked."""
        if self._status is not None:
            self._fall_silent(self._status)
            self._status.stop()
            self._status = None

    def _speak(self, text: str, status: "Live") -> None:
        """Print a piece of text as it comes; the moving line would wipe it out again."""
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
            how = "checks alone" if event.model == "offline" else f"model {event.model}"
            self.console.say(f"rediagnose: {how} ({event.why_model})")
        elif isinstance(event, ModelFailed):
            self.console.say(f"rediagnose: the checks' answer stands: {event.why}")
        elif isinstance(event, ProposalForbidden):
            self.console.say(f"rediagnose: forbidden: {event.action}: {event.why}")
        elif self._status is not None:
            self._live(event, self._status)

    def _live(self, event: Event, status: "Live") -> None:
        if isinstance(event, ModelText):
            self._speak(event.text, status)
            return
        self._fall_silent(status)
        if isinstance(event, ReadingBegun):
            self._running[event.begun.id] = event.begun.tool
        elif isinstance(event, ReadingTaken):
            self._running.pop(event.reading.id, None)
            if event.reading.tool != "symptom":
                self._terminal.print(_line(event.reading), soft_wrap=True)
        elif isinstance(event, ChecksMade):
            found = ", ".join(f"{cause.id} {cause.probability:.0%}" for cause in event.findings[:3]) or "nothing"
            self.console.say(f"checks: {found}", "bold")
        elif isinstance(event, ModelRetried):
            self.console.say(f"asking again in {event.seconds:.1f} s: {event.why}", "yellow")
        waiting = f"turn {event.turn}" if isinstance(event, ModelAsked) else ", ".join(self._running.values())
        from agent.report.console import show_moving

        show_moving(status, waiting or "thinking")


def _line(reading: Reading) -> "Text":
    from rich.text import Text

    line = Text(f"{one_line(reading.id):<4} ", style="dim")
    line.append(f"{one_line(reading.tool):<14}", style="red" if reading.unavailable else "green")
    line.append(f" {reading.ms or 0:8.1f} ms  ", style="dim")
    line.append(one_line(figures_text(reading)), style="default")
    series = (reading.values or {}).get("series_ms")
    if series:
        line.append(f"  {sparkline(str(series))}", style="cyan")
    return line
