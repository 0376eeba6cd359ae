"""`rediagnose schema`: the JSON schema of an answer."""

from agent.answer.schema import SCHEMA
from agent.cli.program import ANSWERED
from agent.cli.setup_inputs import NoInputs


def schema(inputs: NoInputs) -> int:
    """Print the schema that `--format json` follows."""
    print(SCHEMA.read_text(encoding="utf-8"), end="")
    return ANSWERED
