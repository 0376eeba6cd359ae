"""The picture and the answer in README, of a real fault in a real terminal: `python -m evals.picture`."""

import asyncio
import io
import random
import re
import sys
import tempfile

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from evals.readme import DOCS, README, between
from evals.terminal import terminal

INCIDENT, SYMPTOM, SEED = "maxclients-exhausted", "checkout times out on Redis", 7
WIDTH, HEIGHT = 100, 30
PICTURE = DOCS / "first-screen.svg"
THEME = TerminalTheme(
    (24, 26, 31), (222, 224, 230),
    [(60, 64, 72), (240, 113, 120), (126, 200, 140), (232, 191, 106), (110, 168, 254), (196, 148, 255), (102, 204, 204),
     (222, 224, 230)],
    [(128, 134, 146), (255, 140, 146), (152, 220, 164), (247, 210, 132), (142, 189, 255), (214, 176, 255),
     (140, 224, 224), (255, 255, 255)],
)  # fmt: skip
# No font is loaded from elsewhere: a picture in a README asks nobody for anything.
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<rect width="{width}" height="{height}" rx="8" fill="#181a1f"/>
<g transform="translate({terminal_x}, 14)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


async def screens() -> tuple[str, str]:
    """The screen with its colours as a terminal is sent them, and its text."""
    async with FAULTS[INCIDENT].begin(installed()[0], random.Random(SEED)) as incident:
        program = (sys.executable, "-m", "rediagnose", "triage", incident.url, SYMPTOM, "--model", "offline")
        with tempfile.TemporaryDirectory() as state:
            given = {"XDG_STATE_HOME": state, "TERM": "xterm-256color", "PAGER": "cat"}
            command = (*program, "--approve", "never")
            async with terminal(command, given, width=WIDTH, height=HEIGHT) as at:
                await at.ended()
                coloured = await at.tmux("capture-pane", "-p", "-e", "-S", "-")
                text = await at.screen()
    return _cleaned(coloured), _cleaned(text)


def _cleaned(screen: str) -> str:
    lines = [line.rstrip() for line in screen.splitlines()]
    return "\n".join(line for line in lines if "Pane is dead" not in line).strip("\n")


HEAD = f"$ rediagnose triage cache-7 {SYMPTOM!r}\n"


def picture(coloured: str, head: str = HEAD) -> str:
    """An SVG of what a terminal shows, under a first line."""
    shown = Text.from_ansi(coloured)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble((head, "bold"), shown))
    return console.export_svg(theme=THEME, code_format=FRAME, unique_id="screen")


if __name__ == "__main__":
    coloured, text = asyncio.run(screens())
    PICTURE.write_text(picture(coloured), encoding="utf-8")
    # A port is another one each time.
    readme = README.read_text(encoding="utf-8")
    usual = re.sub(r"(:|-p )[0-9]{5}", r"\g<1>6379", text)
    README.write_text(between(readme, "answer", f"```\n{usual}\n```"), encoding="utf-8")
