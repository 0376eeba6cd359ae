"""The table [watch]: what `serve` watches, how often, and how much of it is kept."""

from typing import Annotated

from pydantic import Field

from tools.settings.table import Table, Text


class WatchTable(Table):
    """How the targets are watched."""

    interval: Annotated[float, Field(ge=10, le=3600, strict=False)] = 60.0
    """Seconds between two short looks at a server."""
    check_interval: Annotated[float, Field(ge=0, le=7 * 86_400, strict=False)] = 900.0
    """Seconds between two checks; 0 for none."""
    keep_days: Annotated[float, Field(gt=0, le=3660, strict=False)] = 14.0
    keep_megabytes: Annotated[float, Field(ge=1, le=1_000_000, strict=False)] = 256.0
    targets: Annotated[tuple[Text, ...], Field(strict=False)] | None = None
    """Names of targets; null for all of the file."""
