"""`make mutants`: which small changes of the gate and the checks does no test of the fast tier notice?

mutmut changes one module at a time, in a folder of its own under mutants/, and runs the tests that concern it: the
changed checks are 130 MB of Python all together, which nobody waits for. A module's run goes on where it was ended.
"""

import argparse
import contextlib
import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name

from evals.scoring.scenario import BUNDLED, load
from tests.program import ROOT

ROOMS = {
    "tools/gate": ("tests/tools/gate", "tests/agent/remediation", "tests/agent/plan"),
    "agent/checks": ("tests/agent/checks",),
}
"""What is changed, and the tests that concern it beside some recorded incidents."""
SPACED = 20
"""Each so-manieth recorded incident is answered for every module; those of a check's own causes are all."""
EACH = 20
"""Mutants that are tried of a module that was drawn for a sample."""
COPIED = ("evals", "prompts", "runbooks", "tests", "rediagnose.py", "README.md", "ARCHITECTURE.md")
KILLED_AT_LEAST = 0.85
KILLED = {"killed", "timeout", "segfault", "suspicious", "caught by type check"}
"""What shows that a test noticed."""
MISSED = {"survived", "no tests"}
UNTRIED = "not checked"


def main() -> int:
    """Try them, list those that survived and the share that was killed; 1 below the aim."""
    parser = argparse.ArgumentParser(prog="make mutants", description=main.__doc__)
    parser.add_argument("modules", nargs="*", default=["*"], help="patterns, such as tools.gate.policy")
    parser.add_argument("--sample", type=int, help="about so many at most, of modules that are drawn by their length")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rooms = {path: room for room in ROOMS for path in modules(room) if named(path, options.modules)}
    if not rooms:
        parser.error(f"no module of {', '.join(ROOMS)} is called {' or '.join(options.modules)}")
    chance = random.Random(options.seed)
    drawn = draw(list(rooms), options.sample, chance) if options.sample else dict.fromkeys(rooms)
    counts: dict[str, Counter[str]] = {room: Counter() for room in ROOMS}
    for path, count in drawn.items():
        counts[rooms[path]] += tried(path, rooms[path], count, chance)
    shares = [share(room, found) for room, found in counts.items() if found]
    return 0 if all(one >= KILLED_AT_LEAST for one in shares) else 1


def modules(room: str) -> list[Path]:
    """The modules of a room and of those within it, relative to the project."""
    return [path.relative_to(ROOT) for path in sorted((ROOT / room).rglob("*.py"))]


def named(path: Path, patterns: Sequence[str]) -> bool:
    """Whether one of some patterns is of this module."""
    return any(fnmatch(dotted(path), pattern) for pattern in patterns)


def dotted(path: Path) -> str:
    """A module's name."""
    return ".".join(path.with_suffix("").parts)


def draw(paths: Sequence[Path], sample: int, chance: random.Random) -> dict[Path, int | None]:
    """How many mutants of which modules: a line of a long one is as likely to be changed as one of a short one."""
    lines = [(ROOT / path).read_text("utf-8").count("\n") for path in paths]
    drawn = Counter(chance.choices(paths, weights=lines, k=max(1, sample // EACH)))
    return {path: times * EACH for path, times in sorted(drawn.items())}


def tried(path: Path, room: str, count: int | None, chance: random.Random) -> Counter[str]:
    """Let mutmut try so many mutants of a module, by default all; how many came to which status."""
    folder = prepared(path, room)
    with contextlib.chdir(folder):
        made = mutate_file_contents(str(path), path.read_text("utf-8")).mutant_names
    names = [get_mutant_name(path, name) for name in made]
    if not names:
        return Counter()
    chosen = sorted(chance.sample(names, min(count, len(names)))) if count else []
    # A survivor costs all of its tests, and a module's first run the time without any change.
    done = mutmut(folder, "run", *chosen)
    if done.returncode:
        raise SystemExit(f"mutmut failed on {path}:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    listed = (line.strip().rsplit(": ", 1) for line in mutmut(folder, "results", "--all", "true").stdout.splitlines())
    statuses = {name: status for name, status in listed if name in (chosen or names) and status != UNTRIED}
    for name, status in sorted(statuses.items()):
        if status in MISSED:
            print(f"{status}: {name}", *changed(mutmut(folder, "show", name).stdout), sep="\n  ")
    found = Counter(statuses.values())
    share(str(path), found)
    return found


def prepared(path: Path, room: str) -> Path:
    """A folder that looks like the project to mutmut, with settings for one module."""
    folder = ROOT / "mutants" / dotted(path)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("agent", "tools", *COPIED):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    settings = {
        "source_paths": ["tools/", "agent/"], "only_mutate": [str(path)], "also_copy": COPIED,
        "pytest_add_cli_args": ["-m", "not live", "-p", "no:xdist"],
        "pytest_add_cli_args_test_selection": [*concerned(path, room), *incidents(path)],
    }  # fmt: skip
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    own = (ROOT / "pyproject.toml").read_text("utf-8")
    (folder / "pyproject.toml").write_text("\n".join([own, "[tool.mutmut]", *lines, ""]), "utf-8")
    return folder


def concerned(path: Path, room: str) -> list[str]:
    """The room's tests that name a module, or all of them where none does."""
    named_in = re.compile(rf"\b{re.escape(dotted(path))}\b")
    files = [file for folder in ROOMS[room] for file in sorted((ROOT / folder).rglob("test_*.py"))]
    naming = [file for file in files if named_in.search(file.read_text("utf-8"))]
    return [str(file.relative_to(ROOT)) for file in naming or files]


def incidents(path: Path) -> list[str]:
    """The tests of recorded incidents that concern a module."""
    family = getattr(import_module(dotted(path)), "FAMILY", None)
    causes = set(family.needs) if family else set()
    return [
        f"tests/test_recordings.py::test_the_answer_is_the_golden_one[{scenario.id}]"
        for number, scenario in enumerate(load(BUNDLED))
        if number % SPACED == 0 or causes & {scenario.cause, *scenario.also}
    ]


def mutmut(folder: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    """Run it there."""
    return subprocess.run([sys.executable, "-m", "mutmut", *args], cwd=folder, capture_output=True, text=True)


def changed(diff: str) -> Iterator[str]:
    """The lines that a diff takes out and puts in."""
    for line in diff.splitlines():
        if line.startswith(("-", "+")) and not line.startswith(("---", "+++")):
            yield line


def share(what: str, found: Counter[str]) -> float:
    """Print and return the share that was killed."""
    killed = sum(found[status] for status in KILLED)
    total = killed + sum(found[status] for status in MISSED)
    part = killed / total if total else 1.0
    print(
        f"{what}: killed {killed} of {total}, {part:.0%} (at least {KILLED_AT_LEAST:.0%}); "
        f"no test reaches {found['no tests']}",
        flush=True,
    )
    return part


if __name__ == "__main__":
    sys.exit(main())
