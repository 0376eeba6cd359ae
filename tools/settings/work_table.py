"""The keys of [serve] that say how the service works: where incidents are kept, how many, and who hears of them."""

from typing import Annotated

from pydantic import Field

from tools.settings.secret_source import SecretSource
from tools.settings.table import BesideFile, Table, Text

Seconds = Annotated[float, Field(gt=0, strict=False)]
HARMLESS = ("jobs", "waiting", "keep_days", "keep_mib", "lease")
"""What may be set by a file that isn't trusted: it says nothing about who is asked, or where anything goes."""


class WorkTable(Table):
    """How the service works; null for the program's own default."""

    database_env: Text | None = None
    database_file: BesideFile | None = None
    """Where the database's URL is: it may contain a password."""
    jobs: Annotated[int, Field(ge=1, le=64)] | None = None
    """Investigations at the same time in one process."""
    waiting: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Incidents that may wait to be investigated."""
    notify: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    """Names of [[notify]]."""
    urls: bool | None = None
    """Whether incidents may name servers by URL."""
    keep_days: Seconds | None = None
    """Days after which an incident that nothing happened to is deleted."""
    keep_mib: Annotated[int, Field(ge=1)] | None = None
    """Most MiB of recordings."""
    lease: Seconds | None = None
    """Seconds without a sign of life after which another process takes on the work of one."""

    @property
    def database(self) -> SecretSource | None:
        """Where the database's URL is."""
        return self._source("database")
