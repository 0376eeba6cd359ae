"""The fault lab: what it starts it ends, and each fault shows its decisive evidence."""

import asyncio
import re
import signal
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from random import Random
from typing import get_args
from urllib.parse import urlsplit

import psutil
import pytest

from agent.answer.diagnosis import Outcome
from agent.answer.taxonomy import CAUSES
from evals.lab.catalogue import FAULTS
from evals.lab.fault import Fault, Incident
from evals.lab.score import expected
from evals.lab.servers import LabError, ServerKind, installed, missing, running, start
from evals.lab.traffic import works
from evals.lab.wire import LOST, crew, dial
from tests.families import elsewhere
from tools.host.diag import tcp_sockets

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and SIGSTOP as Linux has them")
KINDS = installed()


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


class Look:
    """What can be seen from a new connection, over a second or so."""

    def __init__(self, incident: Incident) -> None:
        self.incident = incident
        self.error: BaseException | None = None
        self.first: dict[str, str] = {}
        self.info: dict[str, str] = {}
        self.clients: list[dict[str, str]] = []
        self.slowlog: list[str] = []
        self.log = ""

    async def take(self) -> "Look":
        try:
            # A slot that was got is used for all of it.
            wire = await dial(self.incident.own_url or self.incident.url, timeout=1.5)
            try:
                self.first = _fields(await wire.ask("INFO", "all"))
                await asyncio.sleep(0.7)
                self.info = _fields(await wire.ask("INFO", "all"))
                lines = (await wire.ask("CLIENT", "LIST")).splitlines()
                self.clients = [dict(part.partition("=")[::2] for part in line.split(" ")) for line in lines]
                self.slowlog = [entry[3][0] for entry in await wire.ask("SLOWLOG", "GET", 10)]
                _, folder = await wire.ask("CONFIG", "GET", "dir")
                self.log = Path(folder, "redis.log").read_text()
            finally:
                await wire.close()
        except LOST as error:
            self.error = error
        return self

    def delta(self, field: str) -> float:
        return float(self.info.get(field, 0)) - float(self.first.get(field, 0))

    def spent(self, command: str) -> float:
        """The share of the server's time since its start that a command took."""
        usec = re.search(r"usec=(\d+)", self.info.get(f"cmdstat_{command}", "usec=0"))
        return int(usec[1]) / 1e6 / max(1, int(self.info["uptime_in_seconds"])) if usec else 0.0

    def most(self, field: str, flag: str = "N") -> int:
        return max((int(client.get(field, 0)) for client in self.clients if flag in client["flags"]), default=0)

    def owners(self) -> Counter[tuple[str, str]]:
        return Counter((client["name"], client["cmd"]) for client in self.clients)

    def errors(self, code: str) -> bool:
        return f"errorstat_{code}" in self.info

    def listener(self) -> tuple[int, int]:
        found, _ = tcp_sockets(urlsplit(self.incident.url).port or 0)
        return next((one.recv_q, one.send_q or 0) for one in found if one.state == "listen")


def _fields(text: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def refused(look: Look) -> bool:
    return "max number of clients" in str(look.error)


def leaked(look: Look) -> bool:
    (_, command), count = look.owners().most_common(1)[0]
    return count >= 90 and command == "get" and look.delta("rejected_connections") == 0


def overflown(look: Look) -> bool:
    waiting, most = look.listener()
    return waiting > most


def busy(look: Look) -> bool:
    return str(look.error).startswith("BUSY")


def silent(look: Look) -> bool:
    return isinstance(look.error, TimeoutError)


def slow(*commands: str) -> Callable[[Look], bool]:
    return lambda look: bool(set(look.slowlog) & set(commands))


def calm(look: Look) -> bool:
    """Nothing that a fault would show, over the window; the application is served."""
    counters = ("rejected_connections", "evicted_clients", "evicted_keys", "errorstat_ERR")
    return look.error is None and not any(look.delta(name) for name in counters if name in look.info) and (
        look.delta("total_commands_processed") > 10
    )  # fmt: skip


EVIDENCE: dict[str, Callable[[Look], bool]] = {
    "process-down": lambda look: isinstance(look.error, ConnectionRefusedError),
    "process-frozen": lambda look: silent(look) and psutil.Process(look.incident.pid).status() == "stopped",
    "loading-dataset": lambda look: look.info["loading"] == "1" and int(look.info["loading_eta_seconds"]) > 30,
    "listen-backlog-overflow": overflown,
    "listen-backlog-overflow-frozen": overflown,
    "firewall-drop": silent,
    "firewall-reject": lambda look: getattr(look.error, "errno", None) == 113,
    "firewall-reject-refused": lambda look: isinstance(look.error, ConnectionRefusedError),
    "protected-mode-denied": lambda look: str(look.error).startswith("DENIED"),
    "maxclients-exhausted": refused,
    "maxclients-exhausted-for-good": refused,
    "leak-until-refused": refused,
    "connection-leak": leaked,
    "connection-leak-standing": leaked,
    "fd-limit-clamp": lambda look: refused(look) and psutil.Process(look.incident.pid).rlimit(7)[0] <= 160,
    "fd-limit-clamp-at-run-time": lambda look: (
        psutil.Process(look.incident.pid).num_fds() >= psutil.Process(look.incident.pid).rlimit(7)[0] - 1
    ),
    "connection-churn": lambda look: (
        look.delta("total_connections_received") > 0.5 * look.delta("total_commands_processed")
    ),
    "slow-consumer-output": lambda look: look.most("omem", "P") > 5_000_000,
    "slow-consumer-output-dropped": lambda look: "overcoming of output buffer limits" in look.log,
    "slow-consumer-output-normal": lambda look: look.most("omem") > 5_000_000,
    "query-buffer-hog": lambda look: look.most("qbuf") > 3_000_000,
    "query-buffer-limit": lambda look: "reached max query buffer length" in look.log,
    "healthy-large-values": lambda look: calm(look) and "reached max query buffer length" not in look.log,
    "client-evicted": lambda look: look.delta("evicted_clients") > 0,
    "client-paused": lambda look: any("b" in one["flags"] and one["cmd"] == "set" for one in look.clients),
    "client-paused-all": silent,
    "lua-busy": busy,
    "lua-busy-fresh": busy,
    "lua-busy-function": busy,
    "lua-unkillable": busy,
    "auth-failure-password-lost": lambda look: "failed_calls=0" not in look.info["cmdstat_auth"],
    "slow-on-command": slow("KEYS"),
    "slow-on-command-sort": slow("SORT"),
    "slow-on-command-big-key": slow("HGETALL", "LRANGE", "SMEMBERS"),
    "slow-on-command-small-walks": lambda look: look.spent("sinter") > 0.15,
    "healthy-small-sets": lambda look: calm(look) and 0 < look.spent("sinter") < 0.05,
    "cpu-saturated": lambda look: look.delta("total_commands_processed") > 100_000,
    "auth-failure": lambda look: look.errors("WRONGPASS"),
    "auth-failure-no-password": lambda look: look.errors("NOAUTH"),
    "auth-failure-application": lambda look: look.errors("WRONGPASS"),
    "auth-failure-permissions": lambda look: look.errors("NOPERM"),
    "tls-mismatch": lambda look: any(one["cmd"] == "NULL" and int(one["qbuf"]) > 100 for one in look.clients),
    "tls-mismatch-plain-client": lambda look: isinstance(look.error, ConnectionResetError | EOFError),
    "healthy-load": lambda look: calm(look) and look.delta("total_commands_processed") > 1000,
    "healthy-scanned": lambda look: calm(look) and look.delta("total_commands_processed") > 0,
    "healthy-workers": lambda look: calm(look) and int(look.info["blocked_clients"]) >= 15,
    "healthy-pool": lambda look: calm(look) and int(look.info["connected_clients"]) > 100 and look.most("idle") < 10,
    "healthy-subscribers": lambda look: calm(look) and sum("P" in one["flags"] for one in look.clients) >= 20,
    # On a machine that is busy the set's making is logged as well.
    "healthy-old-slowlog": lambda look: calm(look) and {"SORT"} <= set(look.slowlog) <= {"SORT", "SADD", "UNLINK"},
    "healthy-old-counters": lambda look: calm(look) and int(look.info["rejected_connections"]) > 0,
    "healthy-slowlog-off": lambda look: calm(look) and not look.slowlog,
    "healthy-snapshot": lambda look: calm(look) and look.info["rdb_bgsave_in_progress"] == "1",
}
"""What a new look has to show, sooner or later."""


async def untrusted(incident: Incident) -> None:
    parts = urlsplit(incident.url)
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection(parts.hostname, parts.port, ssl=ssl.create_default_context())


async def farther(incident: Incident) -> None:
    loop = asyncio.get_running_loop()
    far = await dial(incident.url)
    began = loop.time()
    assert await far.ask("PING") == "PONG"
    # What the path adds is a least time, whatever the machine does.
    assert loop.time() - began >= 0.014
    await far.close()


async def closed_at_rest(incident: Incident) -> None:
    wire = await dial(incident.url)
    with pytest.raises(EOFError):
        await wire.reply(timeout=20)
    await wire.close()


async def forgotten_at_rest(incident: Incident) -> None:
    assert incident.own_url
    wire, own = await dial(incident.url), await dial(incident.own_url)
    number = await wire.ask("CLIENT", "ID")
    await asyncio.sleep(5.2)
    with pytest.raises(OSError):
        await wire.ask("PING", timeout=1)
    assert f"id={number} " in await own.ask("CLIENT", "LIST")
    await wire.close()
    await own.close()


BY_TRYING: dict[str, Callable[[Incident], Awaitable[None]]] = {
    "tls-mismatch-untrusted": untrusted,
    "path-latency": farther,
    "idle-timeout": closed_at_rest,
    "idle-drop-by-network": forgotten_at_rest,
    "idle-drop-by-network-reset": forgotten_at_rest,
}
"""What has to be tried, because no single look shows it."""


async def established(fault: Fault, kind: ServerKind) -> None:
    """The fault is there with its evidence, and its remedy, where the server has one, fixes it."""
    async with fault.begin(kind, Random(11)) as incident:
        assert incident.ticket in fault.tickets
        if trying := BY_TRYING.get(fault.id):
            return await trying(incident)
        for _ in range(20):
            look = await Look(incident).take()
            if seen := look.error is None or not isinstance(look.error, AssertionError):
                try:
                    seen = EVIDENCE[fault.id](look)
                except (KeyError, IndexError, StopIteration):
                    seen = False
            if seen:
                break
            await asyncio.sleep(0.2)
        assert seen, f"{kind.name}: {look.error!r} {look.owners().most_common(3)} {look.slowlog}"
        if fault.id in REMEDIES:
            await fixed(incident, *REMEDIES[fault.id])


REMEDIES: dict[str, tuple[str, ...]] = {
    "maxclients-exhausted": ("CONFIG", "SET", "maxclients", "5000"),
    "leak-until-refused": ("CONFIG", "SET", "maxclients", "5000"),
    "lua-busy": ("SCRIPT", "KILL"),
    "lua-busy-function": ("FUNCTION", "KILL"),
    "client-paused": ("CLIENT", "UNPAUSE"),
}


async def fixed(incident: Incident, *remedy: str) -> None:
    assert incident.fixed and not await incident.fixed()
    for _ in range(200):
        try:
            wire = await dial(incident.url)
            await wire.ask(*remedy)
            await wire.close()
            break
        except LOST:
            # A patient client gets a slot.
            await wire.close() if "wire" in locals() else None
            await asyncio.sleep(0.05)
    for _ in range(50):
        # A script or function that was told to end does so a moment after the reply.
        if await incident.fixed():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{' '.join(remedy)} didn't fix it")


@pytest.mark.live
@pytest.mark.lab
@pytest.mark.parametrize("id", [id for id in FAULTS if id in EVIDENCE or id in BY_TRYING])
async def test_faults_show_their_evidence(id: str) -> None:
    fault = FAULTS[id]
    usable = [kind for kind in KINDS if fault.unavailable(kind) is None]
    if not usable:
        pytest.skip("; ".join({str(fault.unavailable(kind)) for kind in KINDS}) or "; ".join(missing()))
    # One server for each, another for the next: the recordings hold each fault on every server that can have it.
    await established(fault, usable[sorted(FAULTS).index(id) % len(usable)])


def test_every_fault_is_looked_at_here_or_by_tests_of_its_own() -> None:
    # Those that come minutes after their beginning are there when they're recorded, or that fails.
    soon = {id for id, fault in FAULTS.items() if not fault.later}
    assert soon == EVIDENCE.keys() | BY_TRYING.keys() | elsewhere()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_is_known_to_the_taxonomy_and_named_by_no_ticket(fault: Fault) -> None:
    assert {fault.cause, *fault.also} <= {*CAUSES, *get_args(Outcome)}
    assert fault.tickets
    for ticket in fault.tickets:
        for cause in (fault.cause, *fault.also):
            assert cause not in ticket
            # A single word may be what the server itself says, such as NOREPLICAS.
            assert "-" not in cause or cause.replace("-", " ") not in ticket.lower()
    # An attack's twin is the same incident without it.
    same = set(expected(FAULTS[fault.twin])) == set(expected(fault))
    assert same == (fault.attack is not None)
    for pattern in fault.never:
        re.compile(pattern)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("frozen", [False, True])
async def test_servers_leave_nothing_behind(kind: ServerKind, frozen: bool) -> None:
    server = await start(kind)
    assert server.kind.version in await _version(server.url, kind)
    assert await works(server.url, times=1)
    if frozen:
        server.signal(signal.SIGSTOP)
    await server.stop()
    assert not server.running and not psutil.pid_exists(server.pid) and not server.folder.exists()


async def _version(url: str, kind: ServerKind) -> str:
    wire = await dial(url)
    fields = _fields(await wire.ask("INFO", "server"))
    await wire.close()
    return fields["valkey_version" if kind.name.startswith("valkey") else "redis_version"]


@pytest.mark.live
async def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(LabError, match="no-such-setting"):
        await start(KINDS[0], config={"no-such-setting": "1"})


@pytest.mark.live
async def test_a_start_that_is_cancelled_ends_its_server() -> None:
    starting = asyncio.create_task(start(KINDS[0], host="127.0.0.1", config={"port": "0", "unixsocket": "s"}))
    async with asyncio.timeout(30):
        while not psutil.Process().children(recursive=True):
            await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


@pytest.mark.live
async def test_an_error_inside_ends_everything() -> None:
    with pytest.raises(RuntimeError, match="mine"):
        async with running(KINDS[0]) as server, crew() as hands:
            await hands.dial(server.url)
            raise RuntimeError("mine")
    assert not psutil.pid_exists(server.pid)


async def test_a_bug_in_the_background_surfaces() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with crew() as hands:
            hands.spawn(broken())
