"""The program: composes the commands of `agent` and `evals`."""

import os.path
import sys

__version__ = "0.1.0"

_HERE = os.path.dirname(os.path.realpath(__file__))
# In the wheel the rooms lie in a private folder: names such as `tools` would collide in site-packages.
_ROOMS = os.path.join(_HERE, "_rediagnose")
sys.path.insert(0, _ROOMS if os.path.isdir(_ROOMS) else _HERE)


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status: 0 answered, 1 own check failed, 2 wrong usage, 3 no answer, 130 interrupted."""
    from agent.cli.commands import COMMANDS as AGENT
    from agent.cli.program import run
    from evals.commands import COMMANDS as EVALS

    return run((*AGENT, *EVALS), __version__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
