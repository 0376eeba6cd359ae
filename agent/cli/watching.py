"""What `serve` watches, by rediagnose.toml: the file it's kept in, and the work that keeps it."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

from agent.cli.check_inputs import CheckInputs
from agent.cli.place import ConnectionInputs
from agent.runbooks.library import Library
from agent.watch.metrics import metrics_text
from agent.watch.pace import Pace, watch
from tools.clock import Clock
from tools.errors import Unanswered, UsageError, bug
from tools.past.history import usual_file
from tools.past.store import Limits, Store
from tools.settings.file import all_settings
from tools.settings.watch_table import WatchTable

FRESH = 1.0
"""Seconds between two looks at which targets are being investigated."""


class Watching(NamedTuple):
    """What is watched, and where it's kept."""

    store: Store
    work: Callable[[], Coroutine[Any, Any, None]]
    """Watches until it's cancelled."""

    def metrics(self) -> str:
        """The targets as Prometheus reads them; nothing if the file can't be read at the moment."""
        try:
            return metrics_text(self.store)
        except Unanswered:
            return ""


def watching(
    clock: Clock, library: Library, investigated: Callable[[], Collection[str]], heard: Callable[[str], None], *,
    logins: ConnectionInputs | None = None, path: Path | None = None,
) -> Watching | None:  # fmt: skip
    """The watch of the targets of rediagnose.toml; null if there are none, or `targets` of [watch] is empty.

    `investigated` gives the names and URLs of the targets that are being investigated, `heard` gets what went wrong.
    `logins` say how to log in where the settings don't, `path` is another file than the usual one. Raises `UsageError`.
    """
    files = list(all_settings())
    table = next((one.watch for one in files if "watch" in one.model_fields_set), WatchTable())
    if table.targets == () or not any(one.targets for one in files):
        return None
    given = {name: getattr(logins, name) for name in ConnectionInputs.model_fields} if logins else {}
    asked = CheckInputs(names=table.targets or (), all=table.targets is None, **given)
    store = Store(path or _usual(), Limits(table.keep_days * 86_400, int(table.keep_megabytes * 2**20)))
    pace = Pace(interval=table.interval, check_interval=table.check_interval)
    busy: set[str] = set()

    async def follow() -> None:
        while True:
            now = await asyncio.to_thread(investigated)
            busy.clear()
            busy.update(now)
            await clock.sleep(FRESH)

    async def work() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(follow())
                # The members are read anew each time: a password may have been changed since.
                group.create_task(
                    watch(
                        asked.members, store, clock, pace, library, busy=busy.__contains__, heard=heard,
                        options=asked.options(),
                    )
                )  # fmt: skip
        except* Exception as failed:
            # The service goes on without it, but says so.
            heard(str(bug("the watch", failed.exceptions[0])))

    return Watching(store, work)


def _usual() -> Path:
    try:
        return usual_file()
    except OSError as error:
        raise UsageError(f"the past can't be kept: {error.strerror}") from None
