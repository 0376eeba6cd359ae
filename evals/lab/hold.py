"""`rediagnose lab start`: one fault, there until somebody says that it's enough."""

import asyncio
import shlex
import signal
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from agent.cli.program import ANSWERED
from evals.inputs import StartInputs
from evals.lab.apart import begun
from evals.lab.catalogue import EVERY, FAULTS
from evals.lab.fault import Fault
from evals.lab.servers import LabError, ServerKind, installed, missing
from evals.lab.worlds import WORLDS, unsuitable
from tools.errors import UsageError


async def start(inputs: StartInputs) -> int:
    """Have a fault until Ctrl-C or SIGTERM. Raises `UsageError` or `LabError`."""
    fault = known(inputs.fault, among=EVERY)
    worlds = known_worlds(inputs.world)
    kind = kind_for(fault, inputs.kind, worlds)
    end_by_signal()
    try:
        async with begun(fault.id, kind, inputs.seed, worlds) as incident:
            typed = _typed(("rediagnose", "triage", incident.url, incident.ticket, *incident.arguments))
            print(f"{incident.url}\n{incident.ticket}\n\nIn another terminal: {typed}", flush=True)
            print("Ctrl-C ends it.", flush=True)
            if incident.own_url:
                print(f"(the lab's own access: {incident.own_url})", flush=True)
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        # Told to end, and everything is gone.
        return ANSWERED
    raise AssertionError("an event that nobody sets was set")


def _typed(words: Iterable[str]) -> str:
    """A command as a person would type it: an apostrophe stands in double quotes where a shell allows it."""
    return " ".join(
        f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word) for word in words
    )


def known(id: str, others: Iterable[str] = (), among: Mapping[str, Fault] = FAULTS) -> Fault:
    """The fault of an id. Raises `UsageError` naming the closest ones, `others` that may have been meant among them."""
    if (fault := among.get(id)) is None:
        close = get_close_matches(id, [*among, *others], n=3, cutoff=0.4)
        raise UsageError(f"there is no fault {id!r}; " + (f"closest: {', '.join(close)}" if close else "see lab list"))
    return fault


def known_worlds(names: Sequence[str]) -> tuple[str, ...]:
    """Worlds by their names, each once. Raises `UsageError`."""
    if unknown := [name for name in names if name not in WORLDS]:
        raise UsageError(f"--world {unknown[0]}: there is none of that name; there are {', '.join(WORLDS)}")
    return tuple(sorted(set(names)))


def servers(name: str | None = None) -> list[ServerKind]:
    """The servers that are here, or the one of a name. Raises `UsageError` saying how to get one."""
    kinds = installed()
    if not kinds:
        raise UsageError(
            f"no server is installed here; use pip install 'rediagnose[lab]', or one of: {'; '.join(missing())}"
        )
    if name is not None and name not in [kind.name for kind in kinds]:
        raise UsageError(f"--kind {name}: not installed here; available are {', '.join(kind.name for kind in kinds)}")
    return [kind for kind in kinds if name in (None, kind.name)]


def kind_for(fault: Fault, name: str | None, worlds: Sequence[str] = ()) -> ServerKind:
    """The first server that can have a fault. Raises `LabError` with the reasons if none can."""
    kinds = servers(name)
    why = {kind: fault.unavailable(kind) or unsuitable(kind, worlds) for kind in kinds}
    usable = [kind for kind in kinds if why[kind] is None]
    if not usable:
        reasons = dict.fromkeys(str(one) for one in why.values())
        raise LabError(f"{fault.id} can't be reproduced here: {'; '.join(reasons)}")
    return usable[0]


def end_by_signal() -> None:
    """Cancel the calling task at the first SIGINT or SIGTERM; further ones don't disturb the tidying up."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    numbers = (signal.SIGINT, signal.SIGTERM)

    def end() -> None:
        for number in numbers:
            loop.add_signal_handler(number, lambda: None)
        task.cancel()

    for number in numbers:
        loop.add_signal_handler(number, end)
