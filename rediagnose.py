"""The program: composes the commands of `agent` and `evals`, and hands out what other programs embed.

    from rediagnose import Diagnosis, investigate

    diagnosis: Diagnosis = await investigate("redis://host:6379", "requests time out")

The rest of the code is no interface: it moves.
"""

import atexit
import contextlib
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from agent.answer.diagnosis import Diagnosis
    from agent.investigation.embedded import investigate
    from tools.errors import RediagnoseError, UsageError
    from tools.mcp.server import McpServer

__version__ = "0.1.0"
__all__ = ["Diagnosis", "McpServer", "RediagnoseError", "UsageError", "investigate", "main"]

_HERE = os.path.dirname(os.path.realpath(__file__))
# In the wheel the rooms lie in a private folder: names such as `tools` would collide in site-packages.
_ROOMS = os.path.join(_HERE, "_rediagnose")
sys.path.insert(0, _ROOMS if os.path.isdir(_ROOMS) else _HERE)
_PLACES = {
    "Diagnosis": "agent.answer.diagnosis", "investigate": "agent.investigation.embedded",
    "McpServer": "tools.mcp.server", "RediagnoseError": "tools.errors", "UsageError": "tools.errors",
}  # fmt: skip


def __getattr__(name: str) -> "Any":
    """What is handed out, loaded on first use: `--help` needs none of it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status: 0 answered, 1 own check failed, 2 wrong usage, 3 no answer, 130 interrupted.

    Without `argv` it's this process that is the program: its arguments are taken, its streams and signals seen to.
    """
    if argv is None:
        _process()
    return _run(argv)


def _process() -> "NoReturn":
    # What is loaded stays, and the collector finds nothing in it: `agent.cli.program.loading` lets it work again.
    gc.disable()
    # Until there is something to say a signal just ends it: in the middle of an import, too.
    try:
        import signal

        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        for number in numbers:
            if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
                signal.signal(number, _end)
    except KeyboardInterrupt:
        os._exit(130)
    from agent.cli.streams import open_streams, unsaid

    open_streams()
    status = _run(sys.argv[1:], own=True)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # All was said. Python would wait for threads that are stuck, and take apart what the kernel drops in one go.
    os._exit(3 if unsaid() and status == 0 else status)


def _end(number: int, frame: object) -> None:
    # No stream: it may be in the middle of a write.
    with contextlib.suppress(OSError):
        os.write(2, b"rediagnose: interrupted\n")
    os._exit(130)


def _run(argv: list[str], *, own: bool = False) -> int:
    from agent.cli.commands import COMMANDS as AGENT
    from agent.cli.program import run
    from evals.commands import COMMANDS as EVALS

    return run((*AGENT, *EVALS), __version__, argv, own=own)


if __name__ == "__main__":
    raise SystemExit(main())
