"""What the options of `rediagnose serve`, `worker` and `incidents` mean."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from agent.cli.annotate import service_of
from agent.cli.inputs import InvestigationInputs
from agent.cli.place import ADDRESS
from agent.investigation.pipeline import Setup
from agent.model.selection import choose
from agent.service.database import Database, checked_url, default_url
from agent.service.journal import say
from agent.service.leases import LASTS
from agent.service.plant import Plant, Talk
from agent.service.records import Query
from agent.service.retention import DAYS, SIZE, Limits
from agent.service.service import JOBS, WAITING, DurableService
from agent.tickets.notify import Webhook, webhooks
from agent.tickets.rest import PATIENCE
from agent.tickets.service import Service as Comments
from agent.tickets.targets import target_of_ticket
from agent.tickets.ticket import Ticket, TicketError
from agent.tracing.listener import Listen, of_this_service
from tools.clock import SystemClock
from tools.connection.target import Target
from tools.errors import UsageError
from tools.files import state_folder
from tools.records import Record
from tools.settings.file import all_settings, find_target, load_settings
from tools.settings.work_table import HARMLESS
from tools.text import one_line, printable

MIB = 2**20
EXAMPLE = "redis://127.0.0.1:6379"
UNCLEAR = (
    "it isn't clear which server this is about: name it as `target`, or let the `match` of one of the targets in "
    "rediagnose.toml fit it"
)


class DatabaseInputs(Record):
    """Where incidents are kept."""

    database: str | None = None
    """Null for $REDIAGNOSE_DATABASE, what the settings say, or a file in the state folder."""

    def opened(self) -> Database:
        """The database. Raises `UsageError`."""
        if self.database is not None:
            return Database(self.database)
        if given := os.environ.get("REDIAGNOSE_DATABASE"):
            return Database(given)
        source = load_settings().serve.database
        return Database(source.read().get_secret_value() if source else default_url())


class WorkerInputs(InvestigationInputs, DatabaseInputs):
    """`rediagnose worker`."""

    jobs: int | None = None
    """Null for what the settings say, or the default; so are those below."""
    waiting: int | None = None
    notify: tuple[str, ...] = ()
    keep_days: float | None = None
    keep_size: int | None = None
    """In MiB."""
    lease: float | None = None
    """Seconds."""

    def service(self, *, urls: bool = False, link: str = "") -> DurableService:
        """The service, which isn't started yet. Raises `UsageError` for options that can't be used."""
        known = load_settings().serve
        known.must_be_trusted(HARMLESS)
        # They are read again for each answer, but what is wrong is said at the start.
        self._hooks()
        self.options(choose(self.model))
        days, mib = self.keep_days or known.keep_days or DAYS, self.keep_size or known.keep_mib or SIZE // MIB
        return DurableService(
            self.opened(), self.plant(urls=urls, link=link), jobs=self.jobs or known.jobs or JOBS,
            waiting=self.waiting or known.waiting or WAITING, limits=Limits(days=days, size=mib * MIB),
            lease=self.lease or known.lease or LASTS,
        )  # fmt: skip

    def plant(self, *, urls: bool, link: str) -> Plant:
        """What incidents are investigated with."""
        try:
            recordings = state_folder() / "service" / "recordings"
        except OSError as error:
            raise UsageError(f"the state folder: {error.strerror}; set XDG_STATE_HOME") from None
        return Plant(
            meant=partial(self._meant, urls=urls), target=self._target, setup=self._setup, talk=self._talk,
            comments=_comments, hooks=self._hooks, clock=SystemClock(), recordings=recordings, audit=self.audit,
            window=self.window, listen=self.listener(), link=link,
        )  # fmt: skip

    def listener(self) -> Listen:
        """Who else receives the events."""
        return of_this_service()

    def _meant(self, ticket: Ticket, given: str | None, *, urls: bool) -> str:
        if given is None:
            try:
                found, _ = target_of_ticket(ticket, load_settings())
            except (TicketError, UsageError) as error:
                # It names the other targets and a file of this machine, and whoever sent this may be anybody.
                say(f"no target for {ticket.title[:100]!r}: {error}")
                raise TicketError(UNCLEAR) from None
            return found.name or self.configured(found).url
        if (named := find_target(given)) is not None and named.name:
            return named.name
        if "://" not in given and not (ADDRESS.fullmatch(given) and ":" in given):
            other = f", or give a URL such as {EXAMPLE}" if urls else ""
            raise TicketError(
                f"{printable(given)[:100]!r} isn't a target in rediagnose.toml; name one that is there{other}"
            )
        if not urls:
            raise TicketError("servers aren't taken by URL here; name a target in rediagnose.toml")
        try:
            target = self.target(given)
        except UsageError as error:
            raise TicketError(str(error)) from None
        if target.password is not None or target.username is not None:
            raise TicketError("a URL with a login isn't kept; put the server into rediagnose.toml and name it")
        return target.url

    def _target(self, name: str) -> Target:
        if "://" not in name:
            return self.target(name)
        for settings in all_settings():
            for one in settings.targets:
                if not one.name and one.target and (found := self.configured(one)).url == name:
                    return found
        return self.target(name)

    def _setup(self, target: Target, ticket: Ticket, symptom: str, record: Path) -> Setup:
        at = ticket.at.isoformat() if ticket.at and ticket.at <= datetime.now(UTC) else None
        inputs = self.model_copy(update={"record": record, "at": at})
        return inputs.setup(target, symptom, SystemClock())

    def _talk(self) -> Talk:
        use = choose(self.model)
        return Talk(self.model_settings(use), self.library, self.options(use).deadline)

    def _hooks(self) -> Sequence[Webhook]:
        known = load_settings()
        return webhooks(self.notify or known.serve.notify, known)


def _comments(ticket: Ticket) -> Comments | None:
    return service_of(ticket, load_settings(), PATIENCE) if ticket.place else None


class ServeInputs(WorkerInputs):
    """`rediagnose serve`."""

    listen: str = "127.0.0.1:8379"
    urls: Literal["allowed", "refused"] | None = None
    """Null for what the settings say, or to allow them: only who has the token can name one."""

    @property
    def takes_urls(self) -> bool:
        """Whether incidents may name servers by URL."""
        known = load_settings().serve.urls
        return self.urls == "allowed" if self.urls else known is not False


class IncidentsInputs(DatabaseInputs):
    """`rediagnose incidents`."""

    verb: Literal["list", "show", "export"]
    id: str | None = None
    open: bool | None = None
    target: str | None = None
    cause: str | None = None
    text: str | None = None
    limit: int = 50
    format: Literal["text", "json", "markdown", "html"] = "text"
    output: Path | None = None

    def check(self) -> None:
        """Raise `UsageError` for what means nothing beside the verb: who gave it expects something of it."""
        if self.verb == "list" and self.id is not None:
            raise UsageError(f"list {one_line(self.id, 60)!r}: the list takes no id; give --target, --cause or --text, "
                             f"or write `rediagnose incidents show {one_line(self.id, 60)}`")  # fmt: skip
        if self.verb != "export" and self.output is not None:
            raise UsageError(f"-o: only export writes a file; write `>{self.output}` behind {self.verb}")
        filters = ("open", "target", "cause", "text", "limit")
        if self.verb != "list" and (given := next((one for one in filters if one in self.model_fields_set), None)):
            option = f"--{'closed' if given == 'open' and self.open is False else given}"
            raise UsageError(f"{option}: only list takes it; {self.verb} is about one incident, by its id")

    def opened(self) -> Database:
        """The database, which has to exist: this command only reads. Raises `UsageError`."""
        if self.database is not None:
            url = checked_url(self.database)
            if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
                raise UsageError(f"--database: there is no file {url.database}; name the one that `serve` printed")
        return super().opened()

    @property
    def query(self) -> Query:
        """Which incidents are asked for."""
        return Query(open=self.open, target=self.target, cause=self.cause, text=self.text, limit=self.limit)
