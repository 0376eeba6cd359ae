"""A node of the deployment, and the one connection kept to it."""

import asyncio
import contextlib
from collections.abc import Sequence

from tools.clock import Clock
from tools.connection.allowed import must_read
from tools.connection.budget import Budget, OwnTraffic
from tools.connection.connection import Connection, Timed
from tools.connection.network import Network, SystemNetwork
from tools.connection.protocol import Command, MalformedReply, NotPasted, Reply, ServerError
from tools.connection.shapes import checked
from tools.connection.shared import SharedCalls
from tools.connection.stat_name import stat_name
from tools.connection.target import Target
from tools.connection.tokens import Tokens, tokens_of
from tools.errors import ToolError, Unanswered, UsageError
from tools.records import Values
from tools.redact import Pseudonyms

CLIENT_NAME = "rediagnose"
PATIENCE = 2.0
"""Seconds after which "no answer" is a reading: the usual client's own timeout is of this order."""


class Node:
    """Asks one node over a connection that it keeps.

    On a full server there may never be another, and a change has to go through it.
    """

    def __init__(
        self, target: Target, clock: Clock, budget: Budget, pseudonyms: Pseudonyms, network: Network | None = None,
        tokens: Tokens | None = None,
    ) -> None:  # fmt: skip
        """`tokens` are those of the target's credentials, passed in where several nodes share them."""
        self.target = target
        self.clock = clock
        self.budget = budget
        self.pseudonyms = pseudonyms
        self.network = network or SystemNetwork()
        if target.password is not None:
            pseudonyms.add_secret(target.password.get_secret_value())
        self.own = OwnTraffic(counts=not self.network.pasted)
        self.client_id: int | None = None
        """CLIENT ID of the open connection."""
        self.auth: str | None = None
        """The result of AUTH: "ok", "not-required" (the server has no password), or null if there was none."""
        self.lenient = False
        """Whether to ignore a refused AUTH: a sentinel often has no password although its data nodes have one."""
        self.masters: set[str] = set()
        """For a sentinel: the names of this deployment's masters; it may watch others as well."""
        self.version: tuple[int, int] | None = None
        """redis_version's major and minor, once INFO was seen (Valkey's stays at 7.2)."""
        self.process_id: int | None = None  # From INFO, as it was when the node first reported about itself.
        self.one_config = False
        """Whether its CONFIG GET takes only one name, as before Redis 7.0."""
        self.classes: dict[str, frozenset[str]] = {}
        """The flags of non-core commands as reported by the server, by name in lower case."""
        self.shared = SharedCalls()
        """Readings that several tools wait for at the same time."""
        self._tokens = tokens or tokens_of(target.credentials, clock)
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._renewing: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """host:port or unix:PATH."""
        return self.target.node

    @property
    def held(self) -> bool:
        """Whether there is a usable open connection."""
        return self._connection is not None and self._connection.usable

    async def auth_commands(self) -> list[Command]:
        """The AUTH to send on a new connection, if any. Raises `UsageError` if a token is missing."""
        if self._tokens is not None:
            if not self.target.private:
                raise UsageError(f"{self.name}: a token is only sent over TLS; use rediss:// in its URL")
            token = await self._tokens.current()
            self.pseudonyms.add_secret(token.secret.get_secret_value())
            return [("AUTH", token.username, token.secret.get_secret_value())]
        if self.target.password is None:
            return []
        name = [self.target.username] if self.target.username else []
        return [("AUTH", *name, self.target.password.get_secret_value())]

    def new_connection(self) -> Connection:
        """A connection that isn't open yet; its traffic counts against the investigation's bytes as it arrives."""
        connection = self.network.connection(self.target)
        connection.measure(self.budget.transfer)
        return connection

    def is_held(self, connection: Connection) -> bool:
        """Whether this connection is the held one."""
        return self._connection is connection

    async def dial(self, timeout: float = PATIENCE) -> tuple[Connection, Values]:
        """A new connection, logged in and named, with the time of each stage in milliseconds.

        It becomes the held one if none is. Raises `Unanswered` with the stages that were passed as values.
        """
        auth = await self.auth_commands()
        connection = self.new_connection()
        ends = self.clock.monotonic() + timeout
        values: Values = {}
        try:
            await connection.open(timeout)
            values = connection.progress.stages
            await self._let_in(connection, auth, max(0.05, ends - self.clock.monotonic()))
            # A refused connection ran none of its commands.
            self.budget.spend(commands=2 + bool(self.target.db) + len(auth))
        except Unanswered as error:
            self.own.rejected += error.kind == "maxclients"
            progress = connection.progress
            self.own.connections += progress.stage == "open" and error.kind not in ("maxclients", "protected")
            connection.close()
            raise Unanswered(
                error.kind, error.detail, {**progress.stages, **error.values, "stage": progress.stage}
            ) from None
        except BaseException:
            connection.close()
            raise
        finally:
            self._settle(connection)
        self.own.connections += 1
        if not self.held:
            self._hold(connection, auth)
        return connection, {**values, "stage": "open"}

    def _hold(self, connection: Connection, auth: Sequence[Command]) -> None:
        self._connection = connection
        if self._tokens is not None:
            self._stop_renewing()
            # As long as the connection is kept: a server closes it when the token expires, and its slot is gone.
            self._renewing = asyncio.create_task(self._renew(self._tokens, connection, auth))

    async def _renew(self, tokens: Tokens, connection: Connection, shown: Sequence[Command]) -> None:
        """Present each new token on the open connection before the one it logged in with expires."""
        while connection.usable:
            await self.clock.sleep(max(0.1, tokens.renewed_in))
            try:
                auth = await self.auth_commands()
                if auth != shown and connection.usable:
                    self.budget.spend(commands=1)
                    await self._exchange(connection, auth, PATIENCE)
                    shown = auth
            except ToolError:
                # Silence is left for the readings to name.
                continue
            except UsageError:
                # The server closes the connection then, and the next call says why there is no other.
                return

    def _stop_renewing(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None

    async def _let_in(self, connection: Connection, auth: Sequence[Command], timeout: float) -> None:
        hello: list[Command] = [("CLIENT", "SETNAME", CLIENT_NAME), ("CLIENT", "ID")]
        if self.target.db:
            hello.append(("SELECT", self.target.db))
        if auth:
            connection.progress.stage = "auth"
            began = self.clock.monotonic()
            (reply,) = await self._exchange(connection, auth, timeout)
            connection.progress.stages["auth_ms"] = round((self.clock.monotonic() - began) * 1000, 3)
            if isinstance(reply, ServerError):
                if "without any password configured" not in reply.text and not self.lenient:
                    raise Unanswered(reply.kind or "wrongpass", self.pseudonyms.error(reply.text))
                self.auth = "refused" if self.lenient else "not-required"
            else:
                self.auth = "ok"
            connection.progress.stage = "open"
        with contextlib.suppress(Unanswered):
            # A silent server doesn't make a connection unusable: the caller will see what it says next.
            _, number, *_ = await self._exchange(connection, hello, min(timeout, 1.0))
            if isinstance(number, int) and not self.held:
                self.client_id = number
        if not connection.usable:
            await connection.exchange([("PING",)], timeout)

    async def ask(self, *commands: Command, timeout: float = PATIENCE) -> list[Reply]:
        """Send commands in one round trip; each reply is a value or a `ServerError`.

        Raises `Unanswered` if there is no connection or no reply, `BudgetSpent` if the limit is reached, and
        `NotAReading`, a bug, for a command that isn't in `allowed.toml`: then none of them is sent.
        """
        for command in commands:
            must_read(command)
        return await self._send(commands, timeout)

    async def change(self, command: Command, timeout: float = PATIENCE) -> Reply:
        """Send one command that may change the server; returns its reply.

        Only for the gate: after policy and a person's approval.
        """
        (reply,) = await self._send((command,), timeout)
        return reply

    async def _send(self, commands: Sequence[Command], timeout: float) -> list[Reply]:
        connection = await self.connection(timeout)
        self.budget.spend(commands=len(commands))
        try:
            return await self._exchange(connection, commands, timeout)
        finally:
            self._settle(connection)

    async def one(self, *command: str | int, timeout: float = PATIENCE) -> Reply:
        """One command's reply. Raises `Unanswered` for an error that has a kind, `ToolError` for any other."""
        (reply,) = await self.ask(command, timeout=timeout)
        return self.value(reply)

    def value(self, reply: Reply) -> Reply:
        """The reply, unless it's an error: then `Unanswered` with its kind, or `ToolError`."""
        if isinstance(reply, MalformedReply):
            raise Unanswered("malformed", f"{self.name}: {reply.text}")
        if isinstance(reply, ServerError):
            text = reply.text if isinstance(reply, NotPasted) else self.pseudonyms.error(reply.text)
            if reply.kind is None:
                raise ToolError(f"{self.name} replied {text}")
            raise Unanswered(reply.kind, text)
        return reply

    async def ping(self, timeout: float = PATIENCE) -> Timed:
        """One PING of a latency sample. Raises as `one` does."""
        connection = await self.connection(timeout)
        self.budget.spend(pings=1)
        ping: Command = ("PING",)
        try:
            timed = await connection.timed(ping, timeout)
        finally:
            self._settle(connection)
        (reply,) = self._counted([ping], [timed.reply])
        self.value(reply)
        return timed

    async def connection(self, timeout: float = PATIENCE) -> Connection:
        """The open connection, created if there is none."""
        async with self._opening:
            if self._connection is None or not self._connection.usable:
                self._connection = None
                await self.dial(timeout)
            assert self._connection is not None
            return self._connection

    async def _exchange(self, connection: Connection, commands: Sequence[Command], timeout: float) -> list[Reply]:
        return self._counted(commands, await connection.exchange(commands, timeout))

    def _counted(self, commands: Sequence[Command], replies: Sequence[Reply]) -> list[Reply]:
        """Replies of their commands' shapes, counted as our own traffic."""
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, ServerError):
                self.own.errors[reply.text.split(" ", 1)[0]] += 1
                self.own.refused[stat_name(command)] += 1
            else:
                self.own.calls[stat_name(command)] += 1
        return [checked(command, reply) for command, reply in zip(commands, replies, strict=True)]

    def _settle(self, connection: Connection) -> None:
        self.budget.spend(transferred=connection.take_bytes())

    async def hunt(self, until: float) -> bool:
        """Try for a slot of a full server until then (the clock's monotonic seconds), and keep it.

        Raises `Unanswered` if the server turns out to refuse for another reason.
        """
        pause = 0.05
        while not self.held and self.clock.monotonic() < until:
            try:
                await self.dial(PATIENCE)
            except Unanswered as error:
                if error.kind not in ("maxclients", "reset"):
                    raise
                await self.clock.sleep(pause)
                pause = min(0.25, pause * 1.5)
        return self.held

    def close(self) -> None:
        """Close the open connection."""
        self._stop_renewing()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
