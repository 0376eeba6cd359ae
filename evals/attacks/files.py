"""A process of this machine that speaks Redis and names files: keys, others' settings, links, endless globs.

It reports its own pid and run_id, may be named redis-server and wear a server's title. Real configurations with crooked
includes are read as well, and files as a process of another user would name them. Each file holds a mark that must not
come out.
"""

import asyncio
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from evals.attacks.attempt import Attempt
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.errors import RediagnoseError, Unanswered
from tools.host.config_file import MOST_FILES, Configuration, config_file, read_configuration
from tools.host.disk import disk
from tools.host.local import Host
from tools.host.log import log
from tools.host.proc import Files
from tools.host.process_files import ProcessFiles, User
from tools.redact import Pseudonyms
from tools.server.config_drift import config_drift

HOLDS = "no byte of a file that the server's own process doesn't vouch for, and no unbounded glob"
MARK = "mark-of-a-victim"
KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r{MARK}\nport 1 {MARK}\n-----END OPENSSH PRIVATE KEY-----\n"
CONF = f"port 6379\nmaxmemory 12345678\npidfile /run/{MARK}.pid\nrequirepass {MARK}\ndir /srv/{MARK}\n"
LOG = f"4711:M 31 Jan 2026 02:05:07.123 # {MARK}\n4711:M 31 Jan 2026 02:05:07.123 * Ready to accept connections\n"
STRANGER = User(uid=12345, groups=frozenset((12345,)))
"""A user who owns nothing here."""
MOST = 130
"""Tries at most: each of an impostor takes a second."""
SLOW = 5.0
"""Seconds that a look may take on a busy machine; a glob over the whole machine took more than 100."""
IMPOSTOR = """
import asyncio, os
named = dict(zip(("config_file", "logfile", "dir"), os.environ["NAMED"].split("\\n")))
async def serve(reader, writer):
    while data := await reader.read(65536):
        for word in data.split(b"\\r\\n*"):
            upper = word.upper()
            if b"INFO" in upper:
                text = (f"# Server\\r\\nredis_version:7.0.15\\r\\nprocess_id:{os.getpid()}\\r\\nrun_id:{'a' * 40}\\r\\n"
                        f"config_file:{named['config_file']}\\r\\n").encode()
                writer.write(b"$%d\\r\\n%s\\r\\n" % (len(text), text))
            elif b"CONFIG" in upper:
                pairs = (*named.items(), ("maxmemory", "1"), ("pidfile", "x"), ("port", "1"))
                flat = [part.encode() for pair in pairs for part in pair]
                writer.write(b"*%d\\r\\n" % len(flat))
                writer.write(b"".join(b"$%d\\r\\n%s\\r\\n" % (len(one), one) for one in flat))
            elif b"CLIENT" in upper and b"ID" in upper:
                writer.write(b":7\\r\\n")
            else:
                writer.write(b"+OK\\r\\n")
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with open("/proc/self/comm", "w") as comm:
        comm.write("redis-server")
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(120)
asyncio.run(main())
"""


@contextlib.contextmanager
def impostor(named: tuple[str, str, str], program: Path, title: str, user: int | None) -> Iterator[tuple[int, int]]:
    """A Python program that reports itself as a server, titled as one, and names files; its port and pid."""
    home = sys.base_prefix if user is None else "/usr"
    process = subprocess.Popen(
        [title], executable=program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={"PYTHONHOME": home, "NAMED": "\n".join(named)}, user=user, group=user,
        extra_groups=None if user is None else (), cwd="/",
    )  # fmt: skip
    assert process.stdin and process.stdout
    try:
        process.stdin.write(IMPOSTOR.encode())
        process.stdin.close()
        yield int(process.stdout.readline()), process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _impostors(folder: Path) -> Iterator[tuple[Path, int | None]]:
    """Programs, and the users that they run as: as root also one whose program looks like a server's, as two users."""
    here = Path(os.path.realpath(sys.executable))
    renamed = folder / "redis-server"
    shutil.copy(here, renamed)
    yield from ((here, None), (renamed, None))
    system = Path("/usr/bin/python3")
    if os.geteuid() == 0 and system.exists():
        disguised = folder / "disguised" / "redis-server"
        disguised.parent.mkdir()
        shutil.copy(system.resolve(), disguised)
        with disguised.open("ab") as program:
            program.write(b"redis_version:")
        yield from ((disguised, STRANGER.uid), (disguised, None))


async def _answers(port: int, pid: int, config: str, logfile: str) -> str:
    """All that the tools of a machine answer of a server that reports this pid and these files."""
    target, clock = parse_target(f"redis://127.0.0.1:{port}", environ={}), SystemClock()
    node, host = Node(target, clock, Budget(), Pseudonyms()), Host(target, clock)
    answers: list[str] = []
    host.confirm(pid)
    host.config_file, host.logfile = config, logfile
    try:
        for look in (config_file(host), log(host), disk(host), config_drift(node, host), log(host)):
            try:
                answers.append(str(await asyncio.wait_for(look, 30)))
            except Unanswered as error:
                answers.append(f"{error.kind} {error.detail} {error.values}")
            except (RediagnoseError, TimeoutError) as error:
                answers.append(f"{type(error).__name__} {error}")
    finally:
        node.close()
    return "\n".join(answers)


def _tree(folder: Path) -> dict[str, str]:
    """Files of a victim, and ways to name them."""
    victim, own = folder / "victim", folder / "own"
    victim.mkdir(mode=0o755)
    own.mkdir(mode=0o755)
    for name, text in (("id_rsa", KEY), ("other.conf", CONF), ("other.log", LOG)):
        (victim / name).write_text(text)
        (victim / name).chmod(0o600)
    (own / "link.conf").symlink_to(victim / "other.conf")
    (own / "link.log").symlink_to(victim / "other.log")
    (own / "hop").symlink_to(victim)
    (own / "loop").symlink_to(own / "loop")
    os.mkfifo(own / "pipe.conf")
    ways = {
        "key": victim / "id_rsa", "configuration": victim / "other.conf", "log": victim / "other.log",
        "link": own / "link.conf", "log's link": own / "link.log", "folder's link": own / "hop" / "other.conf",
        "loop": own / "loop" / "redis.conf", "pipe": own / "pipe.conf", "dots": own / ".." / "victim" / "other.conf",
        "environ": Path("/proc/self/environ"), "device": Path("/dev/zero"), "passwd": Path("/etc/passwd"),
    }  # fmt: skip
    return {name: str(path) for name, path in ways.items()}


def _includes(folder: Path, rng: random.Random) -> list[tuple[str, Callable[[], Configuration]]]:
    """Configurations whose includes lead elsewhere, fan out or never end."""
    victim = folder / "victim"
    crooked = [
        f"include {victim}/other.conf", f"include {victim}/*.conf", "include ../victim/other.conf",
        "include ../*/*.conf", "include /*/*/*/*", "include /**/*", "include /*/*/*/*/*/*/*",
        "include /proc/*/environ", "include /dev/zero", "include hop/other.conf", "include hop/*.conf",
        "include link.conf", "include loop", "include pipe.conf", "include redis.conf", "include *.conf\n" * 500,
        "include [a-z]*\n" * 500, f"include {'a*' * 40}b", f'include "{victim}/other.conf"',
        "INCLUDE ../victim/other.conf", "include sub/../../victim/other.conf",
        f"include /proc/self/root{victim}/other.conf", f"include {'../' * 60}{str(victim)[1:]}/other.conf",
    ]  # fmt: skip
    found: list[tuple[str, Callable[[], Configuration]]] = []
    for number, lines in enumerate(crooked):
        path = folder / "own" / f"redis{number}.conf"
        path.write_text(f"port 1\nmaxmemory 1mb\ntimeout 0\n{lines}\n")
        user = None if rng.random() < 0.5 else STRANGER

        def read(path: Path = path, user: User | None = user) -> Configuration:
            files = ProcessFiles(Files(), os.getpid())
            files.user = user or files.user
            return read_configuration(files, str(path))

        found.append((lines.splitlines()[0][:60], read))
    return found


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Includes first, which are quick; then files that another user's process names; then impostors."""
    made = 0
    with tempfile.TemporaryDirectory(prefix="files-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        ways = _tree(folder)
        for lines, read in _includes(folder, rng):
            began = time.monotonic()
            found = await asyncio.to_thread(read)
            seconds = time.monotonic() - began
            held = MARK not in str(found) and seconds < SLOW and found.files <= MOST_FILES
            yield Attempt(f"include: {lines}", held, f"{seconds:.1f} s, {found}"[:300])
            made += 1
        for way, path in ways.items():
            files = ProcessFiles(Files(), os.getpid())
            files.user = STRANGER
            other = read_configuration(files, path)
            tail = files.read(path, 4096, tail=True)
            held = MARK not in str(other) and (way == "passwd" or tail is None)
            yield Attempt(f"named by another user's process: {way}", held, f"{other} {tail}"[:300])
            made += 1
        programs = list(_impostors(folder))
        titles = ("redis-server 127.0.0.1:6379", "redis-server *:6379 [cluster]")
        cases = [
            (way, log_, title, program, user) for way in ways for log_ in ("log", "log's link", "key")
            for title in titles for program, user in programs
        ]  # fmt: skip
        rng.shuffle(cases)
        for way, log_, title, program, user in cases[: max(0, min(tries, MOST) - made)]:
            named = ways[way], ways[log_], str(folder / "victim")
            with impostor(named, program, title, user) as (port, pid):
                answers = await _answers(port, pid, named[0], named[1])
            gone = await _answers(port, pid, named[0], named[1])
            held = not any(word in told for told in (answers, gone) for word in (MARK, "12345678", "'maxmemory'"))
            held = held and "ready.count" not in answers + gone and "dir_total_bytes': 1" not in answers
            yield Attempt(f"{program} as {user} titled {title!r} names {way}, logs to {log_}", held, answers + gone)
