"""`rediagnose schema`: the JSON schema of an answer."""

from agent.answer.schema import SCHEMA
from agent.cli.inputs import NoInputs
from agent.cli.program import ANSWERED


def schema(inputs: NoInputs) -> int:
    """Print what `--format json` holds to."""
    print(SCHEMA.read_text(encoding="utf-8"), end="")
    return ANSWERED
