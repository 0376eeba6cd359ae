"""`rediagnose host-script`: the read-only script for a machine that the agent can't log into."""

from agent.cli.setup_inputs import NoInputs
from tools.host.facts import SCRIPT


def host_script(inputs: NoInputs) -> int:
    """Print the script: it is run on the server's machine, and its output is given as --host-facts FILE."""
    print(SCRIPT.read_text(encoding="utf-8"), end="")
    return 0
