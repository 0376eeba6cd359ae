"""The server of a recording by itself: the part of `tools/` that replays, with none of the agent in it."""

import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, requires
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from evals.export.tree import Files
from evals.house import ROOT, graph, modules

GIVEN = Path(__file__).parent / "given"
"""Files that go out as they are."""
STARTS = ("tools.record.load", "tools.record.serve")
"""What start.py imports."""
PACKAGES = ("hiredis", "psutil", "pydantic", "redis")
"""What that needs."""


def given(name: str) -> bytes:
    """A file that goes out as it is."""
    return (GIVEN / name).read_bytes()


@cache
def server() -> Files:
    """start.py, the modules that it needs, their tables, and the list of the packages."""
    files: dict[str, bytes] = {"start.py": given("start.py"), "requirements.txt": _requirements().encode()}
    known = modules("tools")
    for name in sorted(_closure()):
        path = known[name]
        files[str(path.relative_to(ROOT))] = path.read_bytes()
        for folder in path.relative_to(ROOT).parents:
            if folder != Path() and (package := ROOT / folder / "__init__.py").exists():
                files[str(package.relative_to(ROOT))] = package.read_bytes()
        text = path.read_text(encoding="utf-8")
        for table in path.parent.iterdir():
            # Named, or found by the module's own name.
            if table.suffix != ".py" and (f'"{table.name}"' in text or table.stem == path.stem):
                files[str(table.relative_to(ROOT))] = table.read_bytes()
    return files


def version() -> str:
    """Of this program."""
    try:
        return installed("rediagnose")
    except PackageNotFoundError:
        return str(_project()["version"])


def _closure() -> set[str]:
    edges, found, left = graph(), set[str](), list(STARTS)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += edges[name]
    return found


def _requirements() -> str:
    """As this program itself wants them."""
    wanted = [one.split(";")[0].strip() for one in _own()]
    named = {one.split("[")[0].split(">")[0].split("=")[0].strip(): one for one in wanted}
    return "".join(f"{named.get(name, name)}\n" for name in PACKAGES if not (name == "hiredis" and "redis" in named))


def _own() -> list[str]:
    try:
        return [one for one in requires("rediagnose") or [] if "extra ==" not in one]
    except PackageNotFoundError:
        return list(_project()["dependencies"])


def _project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found
