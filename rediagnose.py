"""The program: composes the commands of `agent` and `evals`."""

import sys
from pathlib import Path

__version__ = "0.1.0"

_HERE = Path(__file__).resolve().parent
# In the wheel the rooms lie in a private folder: names such as `tools` would collide in site-packages.
_ROOMS = _HERE / "_rediagnose"
sys.path.insert(0, str(_ROOMS if _ROOMS.is_dir() else _HERE))


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status: 0 answered, 1 own check failed, 2 wrong usage, 3 no answer, 130 interrupted."""
    from agent.commands import COMMANDS as AGENT
    from agent.program import run
    from evals.commands import COMMANDS as EVALS

    return run((*AGENT, *EVALS), __version__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
