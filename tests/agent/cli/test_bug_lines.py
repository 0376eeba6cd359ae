"""A bug is one line on stderr, with where it is for who asks; nothing of its text."""

import pytest

from agent.cli.bug_lines import bug_lines
from tools.clock import SystemClock
from tools.records import Values
from tools.toolbox import Toolbox, bind, reads


@reads
async def broken() -> Values:
    """Fail."""
    raise KeyError("".join(("hun", "ter2", chr(27), "[8m")))


@pytest.mark.parametrize("verbose", [False, True])
async def test_a_bug_in_a_tool_is_a_line(verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    box = Toolbox([bind(broken)], SystemClock(), lambda what: None)
    with bug_lines(verbose=verbose):
        for _ in range(3):
            assert (await box.call("broken")).unavailable
    await box.call("broken")
    said = capsys.readouterr().err
    assert said.count("rediagnose: a bug of rediagnose in broken: KeyError at test_bug_lines.py:") == 1
    assert "hunter2" not in said and "\x1b" not in said
    assert ("in broken" in said.partition("\n")[2]) == verbose == ("raise KeyError" in said)
