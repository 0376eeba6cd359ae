"""The command line: one parser for all commands, each loaded only when run."""

import importlib
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from textwrap import wrap
from typing import Any, NamedTuple

from agent.cli.parsing import USAGE, Parser
from tools.terminal import sinks
from tools.text import one_line

LINGERS = 1.0
"""Seconds after the last output for work in other threads to finish."""
LOADS = 30.0
"""Seconds within which a command has to be loaded, even on a busy machine; its deadline starts then."""
AT_BOOT = 300.0
"""The same for a command that nobody waits for: it may be started with a whole machine."""
NOT_LOADED = "the program wasn't loaded within {:g} s; nothing was asked"
ANSWERED, FAILED, NOTHING, INTERRUPTED = 0, 1, 3, 130
SERVES = ("dbos", "jinja2", "prometheus_client", "sqlalchemy", "sse_starlette", "starlette", "uvicorn")
"""Packages of the extra that the service needs."""
EXAMPLES = ("rediagnose demo", 'rediagnose triage redis://host:6379 "checkout times out"')


class Command(NamedTuple):
    """One command. Plain, so that --help loads nothing else."""

    name: str
    usage: str
    """Its positionals, for the table of commands."""
    help: str
    configure: Callable[[Parser], None]
    """Adds its arguments."""
    inputs: str
    """`module:record` of its arguments, each under the name the parser gives it."""
    run: str
    """`module:function`; the function takes the record and gives the exit status, or a coroutine of it."""
    group: str
    """Its group in the program's help."""
    examples: tuple[str, str]
    """Usage examples for its help."""
    loads: float = LOADS
    """Seconds within which it has to be loaded."""


def parser(commands: Sequence[Command], version: str, named: str | None = None) -> Parser:
    """The parser of all commands, or, since each takes a while to make, of the one that was named."""
    root = Parser(prog="rediagnose", overview=overview(commands, version))
    root.add_argument("--version", action="version", version=f"rediagnose {version}")
    choices = root.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=Parser, prog="rediagnose"
    )
    for command in [one for one in commands if one.name == named] or commands:
        usage = f"rediagnose {command.name} {command.usage} [options]".replace("  ", " ")
        choices.add_parser(
            command.name, usage=usage, help=command.help, description=command.help, examples=command.examples,
            configure=partial(_configure, command), root=partial(parser, commands, version),
        )  # fmt: skip
    return root


def _configure(command: Command, parser: Parser) -> None:
    command.configure(parser)
    hint = "show more; -vv shows all readings too; both show where rediagnose itself failed"
    parser.add_argument("-v", "--verbose", action="count", help=hint)


def overview(commands: Sequence[Command], version: str) -> str:
    """The help of the whole program: the commands by purpose."""
    width = max(len(one.name) for one in commands)
    lines = [f"rediagnose {version}: an SRE agent for Redis and Valkey.", "", "usage: rediagnose COMMAND ...", ""]
    for group in dict.fromkeys(one.group for one in commands):
        lines.append(group)
        for one in commands:
            if one.group == group:
                head, *rest = wrap(one.help, 76 - width)
                lines += [f"  {one.name:<{width}}  {head}", *(f"{'':<{width + 4}}{line}" for line in rest)]
        lines.append("")
    lines += ["examples:", *(f"  {example}" for example in EXAMPLES), ""]
    lines.append("rediagnose COMMAND --help prints a command's options; rediagnose --version prints the version.")
    return "\n".join(lines) + "\n"


def parsed(root: Parser, argv: Sequence[str] | None) -> dict[str, Any]:
    """The arguments. A URL or a symptom may also come after the options, where argparse doesn't look for one."""
    args, rest = root.parse_known_args(argv)
    if rest and (any(word.startswith("-") for word in rest) or not hasattr(args, "what")):
        from tools.credentials import hide_secrets

        whole = f"{root.prog} {args.command}"
        left = " ".join(one_line(hide_secrets(word), 60) for word in rest)
        root.exit(USAGE, f"{whole}: this is too much: {left} (see {whole} --help)\n")
    if rest:
        args.what = [*args.what, *rest]
    found: dict[str, Any] = vars(args)
    return found


def run(commands: Sequence[Command], version: str, argv: Sequence[str] | None, *, own: bool = False) -> int:
    """Parse, load the one command, run it; errors as one line and an exit status.

    `own` says that the process is the program's own and ends with it. Everything printed goes through a sink, so no
    value, name or argument can control the terminal.
    """
    with sinks():
        return _run(commands, version, argv, own=own)


def _run(commands: Sequence[Command], version: str, argv: Sequence[str] | None, *, own: bool) -> int:
    if not argv:
        print(overview(commands, version), end="")
        return ANSWERED
    try:
        arguments = parsed(parser(commands, version, argv[0]), argv)
    except SystemExit as exit_:
        return int(exit_.code or 0)
    name = str(arguments["command"])
    command = next(one for one in commands if one.name == name)
    import asyncio

    if own:
        from agent.cli.lean_imports import without_plugins

        without_plugins()
        if command.run.startswith("agent."):
            # The lab's servers would inherit it.
            from agent.cli.open_files import allow_many_files

            allow_many_files()
    from tools.errors import RediagnoseError, UsageError

    try:
        from agent.cli.bug_lines import bug_lines
        from agent.cli.hard_stop import hard_stop

        def give(ended: bool) -> int:
            print(f"rediagnose {name}: {NOT_LOADED.format(command.loads)}", file=sys.stderr)
            return NOTHING

        with hard_stop(command.loads, give) if own else nullcontext(), loading(command) if own else nullcontext():
            from agent.cli.inputs import check_environment, typed

            check_environment(os.environ)
            function, record = _loaded(command.run), _loaded(command.inputs)
        result = function(typed(record, arguments))
        if not asyncio.iscoroutine(result):
            return int(result)
        with ExitStack() as ending, bug_lines(verbose=bool(arguments.get("verbose"))):
            return asyncio.run(_interruptible(result, ending if own else None))
    except UsageError as error:
        print(one_line(f"rediagnose {name}: {error}"), file=sys.stderr)
        return USAGE
    except RediagnoseError as error:
        print(one_line(f"rediagnose {name}: {error}"), file=sys.stderr)
        return NOTHING
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return ANSWERED
    except OSError as error:
        # The machine's fault: no room, too many files, a failed device.
        print(f"rediagnose {name}: {error}", file=sys.stderr)
        return NOTHING
    except Exception as error:
        from agent.cli.bug_lines import bug_lines
        from tools.errors import bug

        with bug_lines(verbose=bool(arguments.get("verbose"))):
            found = bug("the program", error)
        print(f"rediagnose {name}: {found}; nothing was answered", file=sys.stderr)
        return NOTHING


@contextmanager
def loading(command: Command) -> Iterator[None]:
    """Load what stays until the process ends: the garbage collector would otherwise walk through it again and again."""
    import gc

    from agent.cli.lean_imports import without_clients

    # The lab's applications use redis-py's clients.
    lean = command.run.startswith("agent.")
    gc.disable()
    try:
        with without_clients() if lean else nullcontext():
            yield
    finally:
        gc.freeze()
        gc.enable()


async def _interruptible(work: Coroutine[Any, Any, int], ending: ExitStack | None) -> int:
    from agent.cli.interruption import interruptible

    with interruptible():
        status = await work
    if ending is not None:
        # Everything was printed: a stuck thread, such as a name resolution, must not keep the process alive.
        leaves = threading.Timer(LINGERS, leave, (status,))
        leaves.daemon = True
        leaves.start()
        ending.callback(leaves.cancel)
    return status


def leave(status: int) -> None:
    """End the process now, whatever its threads do; what was printed is flushed."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _loaded(place: str) -> Any:
    module, _, name = place.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        from tools.errors import UsageError

        if (error.name or "").partition(".")[0] not in SERVES:
            raise
        raise UsageError(f"{error.name} isn't installed; pip install 'rediagnose[serve]'") from None
