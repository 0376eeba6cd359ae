"""The table of commands: what isn't in it doesn't reach a server, and no module goes round it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.answer.taxonomy import CAUSES
from evals.lab.servers import ServerKind, running
from tests.looking import looking
from tools.connection.allowed import TABLE, Allowed, NotAReading, must_read
from tools.connection.protocol import Command
from tools.server.users import WRITES

ROOT = Path(__file__).resolve().parents[3]
CHANGING = """
FLUSHALL | FLUSHDB ASYNC | SHUTDOWN NOSAVE | SAVE | BGSAVE | BGREWRITEAOF | SET a 1 | DEL a | GET a | KEYS * | MONITOR
CONFIG SET timeout 1 | CONFIG REWRITE | CONFIG RESETSTAT | CLIENT KILL TYPE normal | CLIENT PAUSE 1 | CLIENT UNPAUSE
SLOWLOG RESET | LATENCY RESET | ACL LOG RESET | ACL SETUSER x on | COMMANDLOG RESET slow | DEBUG SLEEP 0 | MEMORY PURGE
SCRIPT KILL | SCRIPT FLUSH | FUNCTION FLUSH | EVAL return 0 | REPLICAOF NO ONE | SLAVEOF h 1 | FAILOVER | MULTI | EXEC
CLUSTER RESET HARD | CLUSTER FAILOVER | MODULE LOAD /x.so | SUBSCRIBE a | BLPOP a 0 | SWAPDB 0 1 | RESET | QUIT | SORT a
"""
UNBOUNDED = """
SLOWLOG GET | SLOWLOG GET -1 | SLOWLOG GET 129 | COMMANDLOG GET 10000 slow | ACL LOG | ACL LOG 129
CONFIG GET [a-z]* | SCAN 0 | SCAN 0 MATCH a* COUNT 10 | SCAN 0 COUNT 1001 | MEMORY USAGE k SAMPLES 0 | CLIENT LIST TYPE
CLIENT LIST ID x | XINFO STREAM k FULL | HELLO 3 | PSUBSCRIBE news.* | CLIENT SETNAME someone | CLIENT | INFO a/b
CLUSTER SLOT-STATS ORDERBY key-count LIMIT 999 DESC | TYPE | TYPE a b
"""
SMUGGLED: list[Command] = [
    (), ("",), ("CONFIG GET", "*"), ("CLIENT LIST",), ("CLIENT", "LIST\r\nFLUSHALL"), ("PING\r\nFLUSHALL",),
    ("PING", ""), ("INFO", "all\r\nFLUSHALL"), ("INFO", "server", "x y"), ("CONFIG", "GET", "a*b*c*"), 
    ("CONFIG", " GET", "*"), ("LATENCY", "HISTORY", "a\r\nb"), ("SLOWLOG", "GET", "1 RESET"), ("CLIENT|LIST",),
    ("\u017flowlog", "get", "1"), ("SENTINEL", "C\u212aQUORUM", "m"),
]  # fmt: skip


def parsed(text: str) -> list[tuple[str, ...]]:
    return [tuple(one.split()) for line in text.strip().splitlines() for one in line.split("|")]


def spellings(command: tuple[str, ...]) -> Iterator[Command]:
    """One command as a careless or sly caller may write it."""
    yield command
    yield tuple(word.lower() for word in command)
    yield (command[0].title(), *command[1:])
    yield (" ".join(command),)
    yield (f" {command[0]}", *command[1:])
    yield (*command[:-1], f"{command[-1]}\r\n")


REFUSED = [
    *(spelling for command in parsed(CHANGING) for spelling in spellings(command)), *parsed(UNBOUNDED), *SMUGGLED,
]  # fmt: skip


async def test_what_the_table_lacks_never_reaches_a_server(kind: ServerKind) -> None:
    assert len(REFUSED) > 200
    async with running(kind) as server, looking(server) as (node, wire):
        await node.ask(("PING",))

        async def counted() -> list[str]:
            text = str(await wire.ask("INFO", "everything" if kind.at_least(7) else "all"))
            counts = [line.split(",")[0] for line in text.splitlines() if line.startswith(("cmdstat_", "errorstat_"))]
            return [line for line in counts if not line.startswith("cmdstat_info")]

        before = await counted()
        for command in REFUSED:
            with pytest.raises(NotAReading):
                await node.one(*command)
            with pytest.raises(NotAReading):
                await node.ask(("PING",), command)
        assert await counted() == before


async def test_every_row_of_the_table_is_sent_and_understood(kind: ServerKind) -> None:
    rows = [row for row in TABLE.values() if row.tier in ("reader", "key-reader")]
    product = kind.name.partition("-")[0]

    def has(row: Allowed) -> bool:
        since = (row.since or {product: "6.2"}).get(product)
        return since is not None and kind.at_least(*map(int, since.split(".")))

    async with running(kind) as server, looking(server) as (node, _):
        replies = await node.ask(*((*row.words, *row.cheapest) for row in rows))
    unknown = {row.name for row, reply in zip(rows, replies, strict=True) if getattr(reply, "kind", None)}
    lacking = {row.name for row in rows if not has(row)}
    assert unknown <= lacking
    # A server without cluster support says so before it looks at the subcommand.
    assert {name for name in lacking - unknown if not name.startswith("cluster|")} == set()


@pytest.mark.parametrize(
    "command",
    ["slowlog GET 128", "CLIENT LIST ID 1 2 3", "client list", "CONFIG GET *", "CONFIG GET timeout hz bf.error-rate",
     "SCAN 0 COUNT 1000 TYPE stream", "MEMORY USAGE k", "MEMORY USAGE k SAMPLES 5", "INFO everything", "XINFO GROUPS k",
     "CLUSTER SLOT-STATS ORDERBY KEY-COUNT LIMIT 3 DESC", "LATENCY HISTOGRAM get config|get"],
)  # fmt: skip
def test_the_bounded_forms_pass(command: str) -> None:
    must_read(command.split())


def test_a_refusal_does_not_repeat_what_was_given() -> None:
    for command in (("CONFIG", "SET", "requirepass", "hunter2"), ("AUTH hunter2",), ("SLOWLOG", "GET", "hunter2")):
        with pytest.raises(NotAReading) as refused:
            must_read(command)
        assert "hunter2" not in str(refused.value)


def test_the_table_names_causes_that_exist_and_nothing_that_changes() -> None:
    named = {cause for row in TABLE.values() for cause in row.causes}
    assert named <= set(CAUSES)
    assert len(named) > 60
    assert not set(WRITES) & set(TABLE)


def calls(attribute: str) -> Iterator[tuple[str, ast.Call]]:
    """Each call of a method of that name in the rooms that a user's program runs, with its file."""
    for room in ("tools", "agent"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for part in ast.walk(ast.parse(path.read_text())):
                if isinstance(part, ast.Call) and getattr(part.func, "attr", "") == attribute:
                    yield path.relative_to(ROOT).as_posix(), part


def test_only_the_gate_can_change_a_server() -> None:
    assert [path for path, _ in calls("change")] == ["tools/gate/apply.py"]
    # The gate's own method of that name ends at `change`, too.
    inside = {"tools/connection/node.py", "tools/connection/live.py", "tools/gate/apply.py"}
    for name in ("_send", "_exchange"):
        assert {path for path, _ in calls(name)} <= inside


def test_what_goes_past_the_node_is_written_out_and_in_the_table() -> None:
    for path, call in calls("exchange"):
        # The node's own, and the recorder's, which hands on what the node sends.
        if path in ("tools/connection/node.py", "tools/record/recorded_network.py") and isinstance(
            call.args[0], ast.Name
        ):
            continue
        assert isinstance(call.args[0], ast.List), f"{path}:{call.lineno}: write the commands out"
        for command in call.args[0].elts:
            if ast.unparse(command) == "*auth":
                continue
            words = ast.literal_eval(command)
            # The probe of a silence: a command that no server has.
            if words != ("REDIAGNOSE.UNKNOWN",):
                must_read(words)
