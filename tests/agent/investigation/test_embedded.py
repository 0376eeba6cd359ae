"""The interface for programs that embed this one: the docs' own example runs, and bad arguments are named."""

import asyncio
import random
import re
import textwrap
from typing import Any

import pytest

import rediagnose
from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from evals.readme import DOCS


@pytest.mark.live
async def test_the_docs_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(encoding="utf-8"), re.DOTALL)
    async with FAULTS["maxclients-exhausted"].begin(installed()[0], random.Random(3)) as incident:
        code = textwrap.dedent(code).replace("redis://host:6379", incident.url)
        # The example runs a loop of its own.
        await asyncio.to_thread(exec, compile(code, "python.md", "exec"), {"__name__": "__main__"})
    assert "maxclients-exhausted" in capsys.readouterr().out


async def test_a_dead_server_is_an_answer_and_each_reading_is_heard_of() -> None:
    heard: list[str] = []
    answer = await rediagnose.investigate(
        "redis://127.0.0.1:1", "connection refused", on_event=lambda event: heard.append(event.type)
    )
    assert isinstance(answer, rediagnose.Diagnosis)
    assert answer.causes[0].id == "process-down"
    assert {"started", "reading-taken", "answered"} <= set(heard)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"window": 0.0}, "window=0.0"), ({"deadline": -1.0}, "deadline=-1.0"), ({"url": "http://x"}, "http://x")],
)
async def test_an_argument_that_cannot_be_used_is_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(rediagnose.UsageError, match=named):
        given: dict[str, Any] = {"url": "redis://127.0.0.1:1", **arguments}
        await rediagnose.investigate(**given)


def test_nothing_else_is_handed_out() -> None:
    with pytest.raises(AttributeError, match="nothing_such"):
        rediagnose.nothing_such  # noqa: B018
