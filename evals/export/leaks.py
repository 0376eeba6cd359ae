"""What gives an incident's answer away: to somebody who looks at it, or at the files that it's exported as."""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from operator import itemgetter
from pathlib import Path, PurePosixPath
from statistics import correlation

from evals.export.forms import HIDDEN
from evals.export.task import causes
from evals.export.tree import WRITTEN
from evals.lab.catalogue import FAULTS
from evals.scoring.scenario import BUNDLED, Scenario, load
from tools.records import Record

GIVEAWAY = re.compile(
    r"(?<!no-)\b(?:rediagnose[ -]lab|lab|scenario|fault|evals?(?! )|evaluation|tests?|benchmark|shim|pytest)\b(?!\.)",
    re.IGNORECASE,
)
"""Words that an incident of a running system has no reason to hold."""
REDIS_NAMES = re.compile(r"\beval(sha)?(_ro)?\b|\bclient-query-buffer-limit\b", re.IGNORECASE)
"""Redis' own names that such words are part of."""
FEWEST, ORDERLY = 10, 0.8
"""How many recordings say something of their order, and the correlation from which on it's no chance."""
_TASK = re.compile(r"incident-[0-9a-f]{10}")


class Leak(Record):
    """One thing that gives something away."""

    file: str
    """Relative to the exported folder."""
    what: str


@cache
def fault_names() -> re.Pattern[str]:
    """The faults' names that aren't a cause's."""
    names = {*FAULTS} - {scenario.cause for scenario in load(BUNDLED)}
    return re.compile("|".join(sorted(map(re.escape, names), reverse=True)))


def in_text(text: str) -> str | None:
    """A word of a text that an agent sees which says that the incident was made, or how; null if there is none."""
    others = REDIS_NAMES.sub("", text)
    found = GIVEAWAY.search(others) or fault_names().search(others)
    return found[0] if found else None


def leaks(folder: Path, exported: Mapping[str, Scenario]) -> Iterator[Leak]:
    """What gives something away in an exported folder, whose tasks are these scenarios."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path: PurePosixPath(path.relative_to(folder).as_posix()) for path in files}
    anywhere = _words({*FAULTS, *causes(), *(one.id for one in exported.values())})
    # That an outcome may be no-fault stands on every page.
    own = {id: _words({one.id, one.fault, *({*one.expected} & {*causes()})}) for id, one in exported.items()}
    for path, name in names.items():
        if found := anywhere.search(_TASK.sub("", str(name)).replace(".", "/")):
            yield Leak(file=str(name), what=f"its path names {found[0]}")
        yield from _metadata(path, str(name))
        if not _hidden(name) and (path.name == "tasks.jsonl" or _TASK.search(str(name))):
            yield from _content(path, str(name), own)
    yield from _differences(folder, names)


def in_catalogue_order(begun: Iterable[tuple[str, str]]) -> str | None:
    """Whether faults, each with the time at which its recording began, were recorded in the order of the catalogue.

    The times stand in what is served, and the catalogue is public: together they would say which incident is which.
    """
    ranks = {fault: number for number, fault in enumerate(FAULTS)}
    by_time = [ranks[fault] for fault, _ in sorted(begun, key=itemgetter(1)) if fault in ranks]
    if len(by_time) < FEWEST or len({*by_time}) < 2:
        return None
    found = correlation(range(len(by_time)), by_time)
    said = "the recordings' dates follow the order of the public catalogue of faults"
    return f"{said} (correlation {found:.2f})" if abs(found) > ORDERLY else None


def _words(names: Iterable[str]) -> re.Pattern[str]:
    either = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    return re.compile(rf"(?<![A-Za-z0-9-])(?:{either})(?![A-Za-z0-9-]|\.\w)")


def _hidden(name: PurePosixPath) -> bool:
    parts = name.parts[2:] if name.parts[0] == "tasks" else name.parts
    return bool(parts) and f"{parts[0]}/" in HIDDEN


def _metadata(path: Path, name: str) -> Iterator[Leak]:
    status = path.stat()
    if status.st_mtime != WRITTEN:
        yield Leak(file=name, what="its date differs from that of the others")
    if status.st_mode & 0o022:
        yield Leak(file=name, what="its mode differs from that of the others")
    if path.suffix == ".gz":
        head = path.read_bytes()[:10]
        if head[3] & 0x1C or head[4:8] != bytes(4):
            yield Leak(file=name, what="its header has a name or a date")


def _content(path: Path, name: str, own: Mapping[str, re.Pattern[str]]) -> Iterator[Leak]:
    """A text that says how the incident was made, or names what was there; a planted lie names something else."""
    for id, text in _texts(path, name):
        named = own[id].search(text) if id in own else None
        if found := in_text(text) or (named and named[0]):
            yield Leak(file=name, what=f"{found!r} in {' '.join(text.split())[:120]!r}")
    if path.suffix == ".gz" and not name.endswith(".tar.gz"):
        for number, line in enumerate(gzip.decompress(path.read_bytes()).splitlines(), 1):
            if json.loads(line)["type"] == "event":
                yield Leak(file=name, what=f"line {number} is an event of an investigation")


def _texts(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """The texts of a file that belong to single incidents; the rest is the same in all, see `_differences`."""
    content = path.read_bytes()
    match = _TASK.search(name)
    id = match[0] if match else ""
    if path.name == "tasks.jsonl":
        lines = [json.loads(line) for line in content.decode().splitlines()]
        yield from ((line["task"], text) for line in lines for text in (line["ticket"], line["url"]))
    elif path.name.endswith(".jsonl.gz"):
        # Most of them are said many times.
        yield from ((id, text) for text in dict.fromkeys(_strings(content)))
    elif path.name == "instruction.md":
        yield from ((id, line) for line in content.decode().splitlines() if line.startswith(">") or "://" in line)
    elif "/host/" in f"/{name}":
        yield id, content.decode()


def _strings(content: bytes) -> Iterator[str]:
    """The texts of a recording: of replies, of readings and of the ticket."""
    left = [json.loads(line) for line in gzip.decompress(content).splitlines()]
    while left:
        match left.pop():
            case str() as text:
                yield text
            case dict() as some:
                left += [value for key, value in some.items() if key != "type"]
            case list() as some:
                left += some


def _differences(folder: Path, names: dict[Path, PurePosixPath]) -> Iterator[Leak]:
    """Files that are the same in each task but for its name: one that differs says something of its own."""
    alike: dict[str, dict[bytes, list[str]]] = defaultdict(lambda: defaultdict(list))
    tasks = {name.parts[1] for name in names.values() if name.parts[0] == "tasks"}
    for path, name in names.items():
        if name.parts[0] == "tasks" and not _hidden(name):
            within = "/".join(name.parts[2:])
            if "/host/" not in within and within not in ("instruction.md", "environment/incident.jsonl.gz"):
                alike[within][path.read_bytes().replace(name.parts[1].encode(), b"")].append(str(name))
    for contents in alike.values():
        usual = max(contents.values(), key=len)
        for files in contents.values():
            if sum(map(len, contents.values())) < len(tasks):
                yield from (Leak(file=name, what="not all tasks have such a file") for name in files)
            elif files is not usual:
                yield from (Leak(file=name, what="it differs from the same file of the other tasks") for name in files)
