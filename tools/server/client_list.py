"""The lines of CLIENT LIST."""

from typing import NamedTuple

from tools.connection.shapes import whole_number

MOST_LISTED = 20_000
"""Most lines of one reply, and words of one line, that are read: no server queried this way sends more."""
MOST_WORDS = 128
BLOCKING = frozenset(
    ("blpop", "brpop", "brpoplpush", "blmove", "blmpop", "bzpopmin", "bzpopmax", "bzmpop", "xread", "xreadgroup",
     "wait", "waitaof")
)  # fmt: skip
"""Commands that may block their client by design."""


class Client(NamedTuple):
    """One line of CLIENT LIST; sizes in bytes, times in seconds."""

    id: int
    host: str
    name: str
    cmd: str
    """Last command, in lower case; "NULL" if none yet."""
    flags: str
    age: int
    idle: int
    qbuf: int
    argv_mem: int
    omem: int
    """Output list and reply buffer."""
    oll: int
    tot_mem: int
    db: int
    """The database it selected."""
    events: str
    """r, w or both: w while output waits for the socket."""
    sent: int | None
    """Bytes read from its socket so far, if the server reports them (Valkey 9)."""
    commands: int | None
    """Commands completed so far, if the server reports them (Redis 8, Valkey 9)."""
    user: str
    """Its ACL user."""
    subscriptions: int
    """Channels and patterns that it listens to."""

    @property
    def unused(self) -> bool:
        """Whether it has done nothing since the second in which it connected."""
        return self.age - self.idle <= 1 and "b" not in self.flags and not self.subscriber

    @property
    def subscriber(self) -> bool:
        """Whether it's a subscriber, a monitor or a replica: idle by nature."""
        return any(flag in self.flags for flag in "POSM")

    @property
    def held_up(self) -> bool:
        """Whether it's blocked in a command that doesn't block: a pause."""
        return "b" in self.flags and self.cmd.split("|")[0] not in BLOCKING


def parse_clients(text: str) -> list[Client]:
    """The lines of CLIENT LIST; fields that this version doesn't have are 0."""
    lines = (fields(line) for line in text.split("\n", MOST_LISTED)[:MOST_LISTED])
    return [_client(one) for one in lines if whole_number(one.get("id", "")) and "addr" in one]


def fields(line: str) -> dict[str, str]:
    """The fields of a line of CLIENT LIST."""
    return dict(part.partition("=")[::2] for part in line.split(" ", MOST_WORDS)[:MOST_WORDS])


def _client(fields: dict[str, str]) -> Client:
    def number(name: str) -> int:
        return whole_number(fields.get(name, "")) or 0

    address = fields.get("addr", "")
    # A Unix socket's address is its path followed by :0.
    return Client(
        id=number("id"), host=address.rpartition(":")[0] or address, name=fields.get("name", ""),
        cmd=fields.get("cmd", "NULL"), flags=fields.get("flags", ""), age=number("age"), idle=number("idle"),
        qbuf=number("qbuf"), argv_mem=number("argv-mem"), omem=number("omem"), oll=number("oll"),
        tot_mem=number("tot-mem"), db=number("db"), events=fields.get("events", ""),
        sent=number("tot-net-out") if "tot-net-out" in fields else None,
        commands=number("tot-cmds") if "tot-cmds" in fields else None, user=fields.get("user", ""),
        subscriptions=number("sub") + number("psub") + number("ssub"),
    )  # fmt: skip
