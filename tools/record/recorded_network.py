"""A network and its connections, with everything that crosses them recorded."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tools.connection.connection import Connection, Meter, Timed
from tools.connection.network import Network, SystemNetwork
from tools.connection.protocol import Command, Reply
from tools.connection.target import Target
from tools.errors import Unanswered
from tools.record import redaction
from tools.record.recorder import Recorder
from tools.record.schema import Ask, Came, Dial, Gone, Named
from tools.records import Unavailable, Values


class RecordedNetwork:
    """A network with everything that crosses it recorded."""

    def __init__(self, recorder: Recorder, network: Network | None = None) -> None:
        self._recorder = recorder
        self._network = network or SystemNetwork()

    @property
    def pasted(self) -> bool:
        return self._network.pasted

    def connection(self, target: Target) -> Connection:
        self._recorder.links += 1
        return RecordedConnection(self._network.connection(target), self._recorder, self._recorder.links)

    async def addresses(self, host: str, port: int) -> list[str]:
        began = self._recorder.now
        try:
            found = await self._network.addresses(host, port)
        except OSError:
            self._recorder.write(Named(t=began, host=host, addresses=None))
            raise
        self._recorder.write(Named(t=began, host=host, addresses=tuple(found)))
        return found


class RecordedConnection:
    """A connection with everything that crosses it recorded."""

    def __init__(self, connection: Connection, recorder: Recorder, number: int) -> None:
        self.target = connection.target
        self.progress = connection.progress
        self._connection = connection
        self._recorder = recorder
        self._number = number
        connection.on_lost(self._lost)

    @property
    def usable(self) -> bool:
        return self._connection.usable

    async def open(self, timeout: float) -> None:
        began, end = self._recorder.now, None
        try:
            await self._connection.open(timeout)
        except Unanswered as error:
            end = Unavailable(kind=error.kind, detail=error.detail)
            raise
        finally:
            self._recorder.write(
                Dial(
                    t=began,
                    node=self.target.node,
                    link=self._number,
                    ms=self._since(began),
                    stages=_without_nulls(self.progress.stages),
                    stage=self.progress.stage,
                    end=end,
                )
            )

    async def exchange(self, commands: Sequence[Command], timeout: float) -> list[Reply]:
        began = self._recorder.now
        with self._failures(began, commands):
            replies = await self._connection.exchange(commands, timeout)
        self._recorder.write(self._ask(began, commands, replies=self._hidden(commands, replies)))
        return replies

    async def timed(self, command: Command, timeout: float) -> Timed:
        began = self._recorder.now
        with self._failures(began, [command]):
            timed = await self._connection.timed(command, timeout)
        own = None if timed.own_seconds is None else round(timed.own_seconds * 1000, 3)
        ask = self._ask(
            began, [command], replies=self._hidden([command], [timed.reply]), ms=round(timed.seconds * 1000, 3),
            own_ms=own, own_is_known=timed.is_known,
        )  # fmt: skip
        self._recorder.write(ask)
        return timed

    @contextlib.contextmanager
    def _failures(self, began: float, commands: Sequence[Command]) -> Iterator[None]:
        try:
            yield
        except Unanswered as error:
            self._recorder.write(self._ask(began, commands, end=Unavailable(kind=error.kind, detail=error.detail)))
            raise
        except BaseException:
            # Cancelled from outside: by then there was no answer.
            end = Unavailable(kind="timeout", detail=f"{commands[0][0]}: given up")
            self._recorder.write(self._ask(began, commands, end=end))
            raise

    def _ask(self, began: float, commands: Sequence[Command], **fields: Any) -> Ask:
        about = {"t": began, "node": self.target.node, "link": self._number, "ms": self._since(began)}
        return Ask(**{**about, "commands": tuple(map(self._redacted, commands)), **fields})

    def _hidden(self, commands: Sequence[Command], replies: Sequence[Reply]) -> tuple[Any, ...]:
        pairs = zip(commands, replies, strict=True)
        return tuple(redaction.reply(command, reply, self._recorder.pseudonyms) for command, reply in pairs)

    def _redacted(self, command: Command) -> tuple[str | int, ...]:
        """A command as recorded: what it names is hidden if the replies that named it were."""
        hide = self._recorder.pseudonyms.hide
        return tuple(
            hide(word) if isinstance(word, str) and len(word) > 8 else word for word in redaction.command(command)
        )

    def measure(self, meter: Meter) -> None:
        self._connection.measure(meter)

    def take_bytes(self) -> int:
        return self._connection.take_bytes()

    def take_unasked(self) -> list[Reply]:
        taken = self._connection.take_unasked()
        if taken:
            redacted = tuple(redaction.reply(("PSUBSCRIBE",), one, self._recorder.pseudonyms) for one in taken)
            self._recorder.write(Came(t=self._recorder.now, node=self.target.node, link=self._number, replies=redacted))
        return taken

    async def closed(self, timeout: float) -> bool:
        return await self._connection.closed(timeout)

    def on_lost(self, callback: Callable[[], None]) -> None:
        self._connection.on_lost(callback)

    def _lost(self) -> None:
        self._recorder.write(Gone(t=self._recorder.now, node=self.target.node, link=self._number))

    def close(self) -> None:
        self._connection.close()

    def _since(self, began: float) -> float:
        return max(0.0, round((self._recorder.now - began) * 1000, 3))


def _without_nulls(values: Values) -> Values:
    return {field: value for field, value in values.items() if value is not None}
