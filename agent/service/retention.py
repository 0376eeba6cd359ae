"""What is kept, and for how long: by age, and by the size of the recordings."""

import contextlib
from pathlib import Path

from sqlalchemy import select

from agent.service.store import WAITING, Store
from agent.service.tables import incidents
from tools.records import Record

DAY = 86_400.0


DAYS, SIZE = 90.0, 4 * 2**30
"""How long incidents are kept, and how many bytes of recordings."""


class Limits(Record):
    """How much is kept."""

    days: float = DAYS
    """Days after which an incident that nothing happened to is deleted."""
    size: int = SIZE
    """Most bytes of all recordings; the oldest closed incidents lose theirs first."""


def clean(store: Store, folder: Path, limits: Limits) -> list[str]:
    """Delete what is too old or too much; the ids of the incidents that lost something."""
    gone = _idle(store, limits)
    for id in gone:
        for file in folder.glob(f"{id}-*"):
            with contextlib.suppress(OSError):
                file.unlink()
        store.forget(id)
    return gone + _shrunk(store, folder, limits.size)


def _idle(store: Store, limits: Limits) -> list[str]:
    asked = select(incidents.c.id).where(
        incidents.c.updated_at < store.now() - limits.days * DAY, incidents.c.state.not_in(WAITING)
    )
    with store.database.reading() as connection:
        return list(connection.scalars(asked))


def _shrunk(store: Store, folder: Path, most: int) -> list[str]:
    """Delete recordings until they fit, those of the oldest incidents first, closed ones before open ones."""
    files = {file.name: file for file in folder.glob("*.rec")}
    size = sum(file.stat().st_size for file in files.values())
    if size <= most:
        return []
    asked = select(incidents.c.id, incidents.c.closed_at).where(incidents.c.state.not_in(WAITING))
    with store.database.reading() as connection:
        known = {row.id: row.closed_at is None for row in connection.execute(asked)}
    gone = []
    for name in sorted(files, key=lambda name: (known.get(name.rpartition("-")[0], False), name)):
        if size <= most:
            break
        size -= files[name].stat().st_size
        # The log of its changes stays: it is proof, and small.
        files[name].unlink(missing_ok=True)
        gone.append(name.rpartition("-")[0])
    return gone
