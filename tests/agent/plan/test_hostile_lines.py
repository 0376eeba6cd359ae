"""Lines to paste, with names that servers and clients chose to be more than a word of them."""

import shlex
from functools import partial

import pytest

from agent.plan.shell import redis_cli, sent_by_hand
from agent.report.wrapping import command_lines
from agent.runbooks.library import load
from agent.runbooks.placeholders import EXAMPLES
from agent.runbooks.remedy import Remedy
from tools.connection.target import parse_target

LINES = sorted({
    line for book in load().runbooks for notes in book.causes.values() for one in notes.remedies for line in one.lines
})  # fmt: skip
HOSTILE = (
    "a;reboot", "a b", "$(reboot)", "`reboot`", "a|sh", "a&", "a>b", "a\nreboot", "a\rreboot", "-oProxyCommand=id",
    "--eval", "'", '"', "a'b", "\\", "*", "?", "~root", "{a,b}", "!!", "#", "a#b", "client#1", "$HOME", "\u202ea",
    "a\u200bb", "é", "\x1b[2J", "", "a" * 5000, "-", "10.0.0.7:1;id", "[::1", "[::1%$(id)]:1", "h:-1", "\uff1b",
    "a\x00b", "=a b",
)  # fmt: skip


def words(line: str) -> list[str]:
    """The words of a line, and the signs between them that a shell acts on."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_name_is_one_word_of_a_line_or_the_line_is_left_out(value: str) -> None:
    cli = partial(redis_cli, parse_target("redis://h:1"))
    for line in LINES:
        remedy = Remedy(kind="outside", action="Look.", why="", risk="safe", paste=(line,))
        for name in remedy.placeholders:
            known = {one: (text,) for one, text in EXAMPLES.items()}
            plain = remedy.filled(known, cli)[0].paste
            for made in remedy.filled({**known, name: (value,)}, cli):
                for told in made.paste:
                    assert name == "cli" or (value and value.isascii() and value.isprintable() and " " not in value)
                    assert not plain or len(words(told)) == len(words(plain[0])), (line, name)


@pytest.mark.parametrize("value", [one for one in HOSTILE if "\x00" not in one])
def test_a_command_is_its_own_words_however_long_it_is(value: str) -> None:
    line = sent_by_hand(parse_target("redis://h:1"), ("CONFIG", "SET", value, "a b"))
    assert shlex.split(line)[-4:] == ["CONFIG", "SET", value, "a b"]
    if value.isprintable():
        pasted = "\n".join(command_lines(line, 40, "", "    "))
        assert shlex.split(pasted.replace("\\\n", "")) == shlex.split(line)
