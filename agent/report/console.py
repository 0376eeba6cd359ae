"""The console for styled output: no value is treated as markup, and none contains a control sequence."""

import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console as _Console
from rich.console import ConsoleOptions, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from tools.terminal import styled
from tools.text import one_line, printable


class Console(_Console):
    """Rich's console without markup, emoji codes, guessed colours and links, onto stdout or stderr."""

    def __init__(self, *, stderr: bool = False, cleaned: TextIO | None = None) -> None:
        """`cleaned` is a sink to print to instead of these."""
        stream = cleaned or styled(sys.stderr if stderr else sys.stdout)
        super().__init__(file=stream, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is rendered, with its text cleaned while text and our own styling are still separate."""
        for text, style, control in super().render(renderable, options):
            if control:
                yield Segment(text, style, control)
            else:
                yield Segment(printable(text), style.update_link(None) if style and style.link else style)

    def say(self, line: str, style: str | None = None, *, wrap: bool = False) -> None:
        """Print one line, whatever line breaks it contains; `wrap` breaks it between words."""
        self.print(Text(one_line(line), style=style or ""), soft_wrap=not wrap)


def moving_line(console: Console, text: str) -> Live:
    """A line with a spinner, to be started and stopped.

    What is printed meanwhile isn't routed through it, since it would interpret the sequences in it as styles.
    """
    return Live(
        _moving(text), console=console, refresh_per_second=12.5, transient=True, redirect_stdout=False,
        redirect_stderr=False,
    )  # fmt: skip


def show_moving(line: Live, text: str) -> None:
    """Change the text of a moving line."""
    line.update(_moving(text))


def _moving(text: str) -> Spinner:
    return Spinner("dots", text=Text(one_line(text), no_wrap=True, overflow="ellipsis"), style="status.spinner")
