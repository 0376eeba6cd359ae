"""What `serve` watches, by rediagnose.toml: the file it's kept in, and the work that keeps it."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

from agent.cli.check_inputs import CheckInputs
from agent.runbooks.library import Library
from agent.watch.pace import Pace, watch
from tools.clock import Clock
from tools.errors import UsageError
from tools.past.history import usual_file
from tools.past.store import Limits, Store
from tools.settings.file import all_settings
from tools.settings.watch_table import WatchTable


class Watching(NamedTuple):
    """What is watched, and where it's kept."""

    store: Store
    work: Coroutine[Any, Any, None]
    """To be run as a task; it goes on until it's cancelled."""


def watching(
    clock: Clock, library: Library, *, path: Path | None = None, busy: Callable[[str], bool] = lambda target: False,
    heard: Callable[[str], None] = lambda problem: None, inputs: CheckInputs | None = None,
) -> Watching | None:  # fmt: skip
    """The watch of the targets of rediagnose.toml; null if there are none, or `targets` of [watch] is empty.

    `path` is another file than the usual one, `inputs` how to log in where the settings don't say. `busy` says whether
    a target is being investigated, `heard` gets what went wrong. Raises `UsageError`.
    """
    files = list(all_settings())
    table = next((one.watch for one in files if "watch" in one.model_fields_set), WatchTable())
    names = () if table.targets is None else table.targets
    if table.targets == () or not any(one.targets for one in files):
        return None
    asked = (inputs or CheckInputs()).model_copy(update={"names": names, "all": table.targets is None})
    store = Store(path or _usual(), Limits(table.keep_days * 86_400, int(table.keep_megabytes * 2**20)))
    pace = Pace(interval=table.interval, check_interval=table.check_interval)
    # The members are read anew each time: a password may have been changed since.
    work = watch(asked.members, store, clock, pace, library, busy=busy, heard=heard, options=asked.options())
    return Watching(store, work)


def _usual() -> Path:
    try:
        return usual_file()
    except OSError as error:
        raise UsageError(f"the past can't be kept: {error.strerror}") from None
