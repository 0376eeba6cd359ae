"""Facts about a machine that this program can't log into, as printed there by `host_script.sh`."""

import re
from collections.abc import Mapping
from pathlib import Path

from tools.connection.target import Target
from tools.errors import Unanswered, UsageError
from tools.files import open_regular
from tools.host.diag import read_tables
from tools.host.listener import Place, plain_name
from tools.host.proc import Files, Space, Task, parse_task, space_of

SCRIPT = Path(__file__).parent / "host_script.sh"
FIRST_LINE = "rediagnose host facts 1"
MOST = 16 << 20
"""Bytes of a file of facts: room for 150,000 connections."""
LINES_MOST, SECTIONS_MOST = 250_000, 10_000
"""Short lines and empty sections take many times their size in memory."""
SECTIONS = frozenset({"text", "tail", "link", "names", "size", "modified", "space", "tasks"})
HEADS = frozenset({"port", "pid", "config", "log", "sample", "taken", "end"})
Sections = Mapping[tuple[str, str], str]
_REMEDY = "run the script that `rediagnose host-script` prints again, and keep its whole output"


class FactFiles(Files):
    """Files as the script saw them, by what was asked and their path."""

    def __init__(self, sections: Sections) -> None:
        self._sections = sections

    def text(self, path: str | Path) -> str | None:
        return self._sections.get(("text", str(path)))

    def tail(self, path: str, most: int) -> str | None:
        return self._sections.get(("tail", path))

    def link(self, path: str) -> str | None:
        return (self._sections.get(("link", path)) or "").rstrip("\n") or None

    def names(self, folder: str, most: int = 100_000) -> list[str] | None:
        found = self._sections.get(("names", folder))
        return None if found is None else found.splitlines()[:most]

    def count(self, folder: str) -> int | None:
        names = self.names(folder)
        return None if names is None else len(names)

    def matching(self, prefix: str, pattern: str) -> list[str]:
        # The shell's * and ? hardly differ from this, and there are a handful of files.
        expression = re.compile(re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\?", "[^/]"))
        paths = sorted(path for kind, path in self._sections if kind == "text" and path.startswith(prefix))
        return [rest for path in paths if expression.fullmatch(rest := path.removeprefix(prefix))]

    def size(self, path: str) -> int | None:
        found = self._numbers("size", path)
        return found[0] if found else None

    def modified(self, path: str) -> float | None:
        found = self._numbers("modified", path)
        return found[0] if found else None

    def space(self, path: str) -> Space | None:
        found = self._numbers("space", path)
        return space_of(*found) if len(found) == 6 else None

    def tasks(self) -> list[Task]:
        lines = (self._sections.get(("tasks", "all")) or "").splitlines()
        return [one for line in lines if (one := parse_task(line))]

    def task(self, path: str | Path) -> Task | None:
        return parse_task(self.text(path) or "")

    def _numbers(self, kind: str, path: str) -> list[int]:
        words = (self._sections.get((kind, path)) or "").split()
        return [int(word) for word in words] if all(word.isdecimal() for word in words) else []


class HostFacts:
    """The script's output: two samples, and the files that don't change between them."""

    def __init__(self, heads: Mapping[str, str], first: Sections, last: Sections) -> None:
        self.first: Files = FactFiles(first)
        self.last: Files = FactFiles({**first, **last})
        self.port = _number(heads["port"], 1, 65535)
        self.pid = _number(heads["pid"], 1, 1 << 31) if heads["pid"] != "-" else None
        self.config = heads["config"] if heads["config"] != "-" else None
        """The configuration file that the script found."""
        self.log = heads["log"] if heads["log"] != "-" else None
        """The log that the script found."""
        self.taken = float(_number(heads["taken"], 0, 1 << 40))
        """Seconds since the epoch, by that machine's clock."""
        self.seconds = round(_uptime(self.last) - _uptime(self.first), 3)
        """Between the two samples."""

    def place(self, target: Target, reported: int | None) -> Place:
        """The listener as the script saw it. Raises `Unanswered` if that isn't the server that INFO is from."""
        found, _ = read_tables(self.last, self.port)
        addresses = tuple(dict.fromkeys(one.address for one in found if one.state == "listen"))
        where = {"addresses": addresses, "port": self.port}
        if self.pid is None:
            if addresses:
                detail = f"the script couldn't see who owns port {self.port}: run it as root or as the server's user"
                return Place.model_validate({"locality": "unseen-listener", "detail": detail, **where})
            if reported is not None:
                detail = f"process {reported} answers, but nothing listened on port {self.port} where the script ran"
                raise Unanswered("not-local", detail, {"locality": "other-machine"})
            detail = f"nothing listened on port {self.port} when the script ran"
            return Place.model_validate({"locality": "host-facts", "detail": detail, **where})
        if reported is not None and reported not in self.numbers():
            detail = f"the facts are about process {self.pid}, but INFO is from process {reported}"
            raise Unanswered("not-local", detail, {"locality": "other-server"})
        task = self.last.task(f"/proc/{self.pid}/stat")
        name = plain_name(task.name) if task else None
        detail = f"{name} {self.pid} listened on port {self.port} when the script ran"
        return Place.model_validate(
            {"locality": "host-facts", "detail": detail, "pid": self.pid, "name": name, **where}
        )

    def numbers(self) -> set[int | None]:
        """The process's number, and its numbers in container namespaces."""
        found = re.search(r"^NSpid:([\s\d]+)$", self.last.text(f"/proc/{self.pid}/status") or "", re.MULTILINE)
        return {self.pid, *(int(number) for number in (found[1].split() if found else ()))}


def _number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most):
        raise ValueError(text[:40])
    return int(text)


def _uptime(files: Files) -> float:
    seconds = float(next(iter((files.text("/proc/uptime") or "0").split()), "no uptime"))
    if not 0 <= seconds < 1e11:
        raise ValueError(str(seconds))
    return seconds


def load_facts(path: str | Path) -> HostFacts:
    """The facts in a file. Raises `UsageError` for a file that isn't complete output of the script."""
    try:
        with open_regular(path) as file:
            raw = file.read(MOST)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from None
    return parse_facts(path, raw)


def parse_facts(path: str | Path, raw: bytes) -> HostFacts:
    """The facts that the script printed; `path` says in messages where they are from. Raises like `load_facts`."""
    if raw.count(b"\n") > LINES_MOST or raw.count(b"\n@") > SECTIONS_MOST:
        raise UsageError(f"{path}: it has more lines or sections than the host script prints; {_REMEDY}")
    lines = raw.decode(errors="replace").replace("\r\n", "\n").removesuffix("\n").split("\n")
    if lines[0].rstrip() != FIRST_LINE:
        raise UsageError(f"{path}, line 1: this isn't output of the host script, which begins with {FIRST_LINE!r}")
    heads: dict[str, str] = {}
    samples: list[dict[tuple[str, str], list[str]]] = [{}]
    section: list[str] | None = None
    for number, line in enumerate(lines[1:], 2):
        if "end" in heads:
            raise UsageError(f"{path}, line {number}: something follows the end; {_REMEDY}")
        if not line.startswith("@"):
            if section is None or line[:1] not in ("", " "):
                raise UsageError(f"{path}, line {number}: this isn't from the host script; {_REMEDY}")
            section.append(line[1:])
            continue
        kind, _, name = line[1:].rstrip().partition(" ")
        section = None
        if kind in SECTIONS and len(samples) > 1:
            section = samples[-1][kind, name] = []
        elif kind in HEADS and name:
            heads[kind] = name
            if kind == "sample":
                samples.append({})
        else:
            raise UsageError(f"{path}, line {number}: {line[:40]!r} isn't from the host script; {_REMEDY}")
    return _complete_facts(path, len(lines), heads, samples)


def _complete_facts(
    path: str | Path, count: int, heads: Mapping[str, str], samples: list[dict[tuple[str, str], list[str]]]
) -> HostFacts:
    if heads.get("end") != str(count):
        problem = f"it says {heads['end']} lines and has {count}" if "end" in heads else "its end is missing"
        raise UsageError(f"{path}, line {count}: {problem}; {_REMEDY}")
    if len(samples) != 3:
        raise UsageError(f"{path}: it has {len(samples) - 1} samples instead of 2; {_REMEDY}")
    first, last = ({key: "\n".join(lines) + "\n" for key, lines in one.items()} for one in samples[1:3])
    try:
        return HostFacts(heads, first, last)
    except (KeyError, ValueError) as error:
        raise UsageError(f"{path}: {error} is missing or garbled; {_REMEDY}") from None
