"""The past, from Prometheus or this program's own file: figures before, at and after the alert, and what changed."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tools.clock import Clock, iso_time
from tools.connection.node import Node
from tools.errors import ToolError, Unanswered
from tools.files import state_folder
from tools.records import Values
from tools.toolbox import reads

if TYPE_CHECKING:
    from tools.past.changes import Window

DEADLINE = 8.0
_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")


def usual_file() -> Path:
    """Where `serve` keeps the past of what it watches. Raises `OSError` for a user without a home directory."""
    return state_folder() / "watch.db"


class History:
    """The source of the past, and the moment in question. Raises `UsageError` for an unusable URL."""

    def __init__(
        self, url: str | None, clock: Clock, at: datetime | None = None, *, source: str = "--prometheus",
        deadline: float = DEADLINE, kept: Path | None = None, named: bool = True,
    ) -> None:  # fmt: skip
        self.url: str | None = None
        """URL of a Prometheus, perhaps with credentials; null if none was named."""
        self.clock = clock
        self.at = at
        """When the alert came; null for now."""
        self.deadline = deadline
        """Seconds that Prometheus may take in total."""
        self.kept = kept
        """The file of a past that this program keeps itself; null for none."""
        self.named = named
        """Whether a person named that file; else it's the usual one, which may know nothing of a server."""
        if url:
            # Imported here, so that nobody else waits for the HTTP library.
            from tools.past.prometheus import checked_url

            self.url = checked_url(url, source)

    @property
    def is_kept(self) -> bool:
        """Whether there is anything to ask."""
        return self.url is not None or self.kept is not None


def parse_moment(text: str, now: datetime) -> datetime:
    """The moment that a person means: 14:05 was today or yesterday; without an offset it's this machine's time.

    Raises `ValueError` with the remedy.
    """
    local = now.astimezone()
    try:
        if clock := _TIME.fullmatch(text.strip()):
            hour, minute, second = (int(part or 0) for part in clock.groups())
            naive = datetime(local.year, local.month, local.day, hour, minute, second)
            # Localised after subtracting the day: the day before may have had another offset.
            when = naive.astimezone()
            when = when if when <= local else (naive - timedelta(days=1)).astimezone()
        else:
            when = datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        raise ValueError(f"time {text!r} isn't understood; use 14:05 or 2026-05-04T14:05Z") from None
    if when > now:
        raise ValueError(f"time {text!r} is in the future; it is {local.isoformat(timespec='minutes')} here")
    return when.astimezone(UTC)


@reads
async def history(
    node: Node,
    source: History,
    at: Annotated[str | None, Field(description="When it began: 14:05 or ISO 8601")] = None,
    minutes: Annotated[int, Field(ge=1, le=720)] = 30,
) -> Values:
    """Figures before, at and after the page, and what changed most; `source` is prometheus, or rediagnose's own file.

    `at` is the page's time (UTC), `start` and `end` what was looked at, in steps of `step_seconds` of which each has
    its largest value (its smallest, of what is bad when low). `<field>.before` is the median of the minutes before,
    `.at` the value of the page's minutes (a sixth of `minutes` on both sides) that is farthest from it, `.now`
    the last value, `.change` at - before; where it began on another level, long before the page, `.first` is that and
    `.until` when it was last near it. Fields are INFO's, `.rate` per second. `changed1` is the most unusual one:
    `.when` its excursion left the band, `.seconds` how long it stayed out, `.spreads` how many of its own usual
    deviations it's away, `.seen_before` whether it had gone as far earlier in these minutes. `restarted` is the last
    start of the server in there. `gap_share` is the share of scrapes that is missing. The own file also has the worst
    of these minutes, even if the server no longer has it: `slow1` of SLOWLOG, `stall1` of LATENCY, and `config1`, a
    parameter that was changed.
    """
    if source.url is None and source.kept is None:
        raise _unnamed()
    window = _window(source, at, minutes)
    values: Values = {
        "at": iso_time(window.at), "start": iso_time(window.start), "end": iso_time(window.end), "minutes": minutes,
    }  # fmt: skip
    own: Values = {}
    failed: Unanswered | None = None
    if source.kept is not None:
        try:
            own = await _own(node, source.kept, window, named=source.named)
        except Unanswered as error:
            failed = error
    if source.url is None:
        if failed:
            raise Unanswered(failed.kind, failed.detail, {**values, **failed.values})
        return values | own
    from tools.past.lookup import look_up

    try:
        # What both have is taken from Prometheus, which looks more often.
        return {**values, **own, **await look_up(node, source.url, source.deadline, window), "source": "prometheus"}
    except Unanswered as error:
        if own:
            return {**values, **own, "prometheus.unavailable": error.kind}
        raise Unanswered(error.kind, error.detail, {**values, **error.values}) from None


def _unnamed() -> Unanswered:
    remedy = "give --prometheus URL, or prometheus= in rediagnose.toml"
    return Unanswered("not-recorded", f"no Prometheus was named: {remedy}")


async def _own(node: Node, path: Path, window: "Window", *, named: bool) -> Values:
    """What this program's own file has of a node. Raises `Unanswered`."""
    # Imported here, so that nobody else waits for SQLite.
    from tools.past.kept import kept_past
    from tools.past.run import run_id

    run = await run_id(node)
    try:
        return await asyncio.to_thread(kept_past, path, node.name, run, node.pseudonyms, window)
    except Unanswered as error:
        raise (error if named or error.kind != "not-recorded" or error.values else _unnamed()) from None


def _window(source: History, at: str | None, minutes: int) -> "Window":
    from tools.past.changes import Window

    now = source.clock.now()
    try:
        page = parse_moment(at, now) if at else min(source.at or now, now)
    except ValueError as error:
        raise ToolError(f"history: {error}") from None
    middle, half = page.timestamp(), minutes * 60
    return Window(middle - half, middle, min(now.timestamp(), middle + half), now.timestamp(), half / 6)
