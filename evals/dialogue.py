"""The picture of an assistant's dialogue in the docs, led on a real fault by the SDK's own client: `python -m
evals.dialogue`."""

import asyncio
import os
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp_types import ElicitRequestParams, ElicitResult, Implementation

from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from evals.picture import INCIDENT, SEED, SYMPTOM, WIDTH, picture
from evals.readme import DOCS
from tools.text import one_line

PICTURE = DOCS / "mcp-dialogue.svg"
CALL, ASKED, PLAIN, WEAK = "\x1b[1;36m", "\x1b[33m", "\x1b[0m", "\x1b[2m"
LINE = WIDTH - 4


class Person:
    """Says yes to what they are asked, and remembers it."""

    def __init__(self) -> None:
        self.asked = ""

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        """The answer to a question."""
        self.asked = params.message
        return ElicitResult(action="accept", content={"answer": "yes"})


async def dialogue() -> str:
    """What was called, asked and answered, with colours as a terminal is sent them."""
    person = Person()
    with tempfile.TemporaryDirectory() as place:
        async with FAULTS[INCIDENT].begin(installed()[0], random.Random(SEED)) as incident:
            settings = f'[[targets]]\nname = "cache-7"\nurl = "{incident.url}"\nmcp.approve = true\n'
            (Path(place) / "rediagnose.toml").write_text(settings)
            environ = {**os.environ, "XDG_STATE_HOME": place, "REDIAGNOSE_CONFIG": f"{place}/rediagnose.toml"}
            server = StdioServerParameters(command=sys.executable, args=["-m", "rediagnose", "mcp"], env=environ)
            with open(os.devnull, "w") as nothing:
                me = Implementation(name="your-assistant", version="1")
                async with Client(
                    stdio_client(server, errlog=nothing), elicitation_callback=person, client_info=me
                ) as client:
                    found = (
                        await client.call_tool("triage", {"target": "cache-7", "report": SYMPTOM})
                    ).structured_content
                    assert found is not None
                    step = next(one for one in found["plan"] if one["kind"] != "outside")
                    given = {"incident": found["incident"], "step": step["id"]}
                    came = (await client.call_tool("apply", given)).structured_content
    assert came is not None
    return "\n".join(_lines(found, step, person.asked, came))


def _lines(found: dict[str, Any], step: dict[str, Any], asked: str, came: dict[str, Any]) -> Iterator[str]:
    cause = found["causes"][0]
    yield f'{CALL}● triage{PLAIN}(target: "cache-7", report: "{SYMPTOM}")'
    yield f"  {found['outcome']}: {cause['id']} {cause['probability']:.0%}"
    yield f"  {one_line(cause['why'], LINE)}"
    for one in cause["evidence"][:3]:
        yield f"{WEAK}  {one['reading']} {one['field']} = {one['value']}{PLAIN}"
    yield f"  plan {step['id']}: {step['action']} ({step['risk']}; undo {step['undo']})"
    yield ""
    yield f'{CALL}● apply{PLAIN}(step: "{step["id"]}")'
    for line in asked.splitlines():
        yield f"{ASKED}  │ {line}{PLAIN}"
    yield f"{ASKED}  │ >{PLAIN} yes"
    yield f"  {came['state']}"
    for line in str(came["said"]).splitlines():
        yield f"  {one_line(line, LINE)}"


if __name__ == "__main__":
    # A port and a question's code are others each time.
    led = re.sub(r"(?<=127\.0\.0\.1:)\d{5}", "6379", asyncio.run(dialogue()))
    PICTURE.write_text(picture(led, head=""), encoding="utf-8")
