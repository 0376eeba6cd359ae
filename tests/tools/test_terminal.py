"""The sink: what of a text gets onto a terminal, into a pipe and into JSON."""

import ast
import contextlib
import io
import json
import sys
from pathlib import Path

import pytest
from rich.text import Text

from agent.report.console import Console
from evals.attacks._pty import MARKS, steering
from tools.terminal import Sink, sinks
from tools.text import escaped_json, one_line, printable

ROOT = Path(__file__).resolve().parent.parent.parent


class Tty(io.StringIO):
    """A text stream that says it's a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("mark", MARKS, ids=ascii)
def test_a_mark_gets_through_no_way(mark: str) -> None:
    foreign = f"a{mark}b"
    for raw in (io.StringIO(), Tty()):
        Sink(raw).write(foreign)
        assert not steering(raw.getvalue().encode()) and "\r" not in raw.getvalue()
    terminal = Tty()
    with contextlib.redirect_stdout(terminal), sinks():
        console = Console()
        console.print(Text(foreign, style="bold"))
        console.print(foreign)
        console.say(foreign, "red")
        print(foreign, file=sys.stdout)
    assert not steering(terminal.getvalue().encode())


def test_styles_are_ours_on_a_terminal_and_nowhere_else() -> None:
    for raw, styled in ((Tty(), True), (io.StringIO(), False)):
        with contextlib.redirect_stdout(raw), sinks():
            console = Console()
            console._color_system = None  # whatever this machine's TERM is, a style is asked for below
            console.file.write("\x1b[1mours\x1b[0m")
            print("\x1b[1mtheirs\x1b[0m")
        assert ("\x1b[1mours" in raw.getvalue()) is styled
        assert "\x1b[1mtheirs" not in raw.getvalue() and "theirs" in raw.getvalue()


def test_plain_words_of_any_language_stay() -> None:
    for words in ("Größe äöü", "naïve e\u0301", "日本語", "שָׁלוֹם", "ภาษาไทย", "▁▂█ → …", "tab\tline\n"):
        assert printable(words) == words


def test_marks_are_no_flood_and_half_letters_are_none() -> None:
    assert len(printable("a" + "\u0301" * 1000)) <= 4
    assert printable("\ud800") == " "
    Sink(io.TextIOWrapper(io.BytesIO(), encoding="ascii")).write("ü\ud800")


def test_a_line_is_one_line_and_bounded() -> None:
    assert one_line("a\nb\r\nc\td") == "a b c d"
    assert len(one_line("x" * 10_000)) <= 4000


@pytest.mark.parametrize("mark", MARKS, ids=ascii)
def test_json_keeps_its_values(mark: str) -> None:
    shown = escaped_json(json.dumps({"a": mark}, ensure_ascii=False))
    assert json.loads(shown) == {"a": mark} and printable(shown) == shown


def test_only_one_module_makes_a_console_for_a_terminal() -> None:
    makers = set()
    for room in ("agent", "evals", "tools"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module == "rich.console":
                    makers |= {path.name for alias in node.names if alias.name == "Console"}
    # The picture's console draws in memory and has no terminal.
    assert makers == {"console.py", "picture.py"}
