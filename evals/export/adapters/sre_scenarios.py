"""The incidents of redis-sre-agent's own evaluation as recordings that this one scores, facts only.

    python -m evals.export.adapters.sre_scenarios DIR
    rediagnose eval --scenarios DIR
    rediagnose eval export OTHER --scenarios DIR

Each is a few figures of a single moment, so much of what an investigation asks can't be answered from it.
"""

import argparse
import asyncio
import sys
import tempfile
import tomllib
from pathlib import Path

from agent.investigation.model_settings import ModelSettings
from agent.pastes.incident import Incident, incident_of
from agent.pastes.keeping import keep
from agent.recordings.pasted import answered
from agent.recordings.scenario_file import add_scenario
from agent.runbooks.library import load
from tools.errors import UsageError
from tools.paste.recognise import recognise
from tools.records import Record

TABLE = Path(__file__).with_name("sre_scenarios.toml")


class Converted(Record):
    """One of its scenarios."""

    ticket: str
    finding: str
    """What it requires an answer to find."""
    cause: str
    """The same as a cause of ours, or an outcome."""
    output: str
    """What its server says, as redis-cli shows it."""


def table() -> dict[str, Converted]:
    """All of them, by its own names."""
    return {
        name: Converted.model_validate(one)
        for name, one in tomllib.loads(TABLE.read_text(encoding="utf-8")).items()
    }  # fmt: skip


def incident(one: Converted) -> Incident:
    """What is known of its server."""
    return incident_of([recognise(one.output, "redis-cli")], one.ticket)


def write(folder: Path) -> None:
    """Add them to a folder of scenarios. Raises `UsageError`."""
    library = load()
    for name, one in table().items():
        found = incident(one)
        answer = asyncio.run(answered(found, ModelSettings(), library))
        with tempfile.TemporaryDirectory() as beside:
            recording = Path(beside) / "recording"
            keep(found, recording)
            add_scenario(folder, f"sre-{name}", recording, answer, one.cause)


def main(argv: list[str]) -> int:
    """Write them into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    try:
        write(parser.parse_args(argv).folder)
    except UsageError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
