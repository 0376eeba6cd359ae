"""`python -m evals.lab` is `rediagnose lab`, without an installation."""

import sys

from agent.cli.program import run
from evals.commands import COMMANDS

if __name__ == "__main__":
    sys.exit(run(COMMANDS, "", ["lab", *sys.argv[1:]]))
