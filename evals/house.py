"""The house as the code has it: which room imports which, and the floors on which they stand."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
BUILDINGS = ("tools", "agent", "evals")
"""The top-level packages."""
FLOORS: Mapping[str, Sequence[Sequence[str]]] = {
    "agent": (
        ("cli",),
        ("web",),
        ("intake", "mcp", "slack"),
        ("service",),
        ("chat", "watch"),
        ("doctor", "fleet", "recordings", "remediation"),
        ("investigation",),
        ("plan",),
        ("alerts", "runbooks", "tickets"),
        ("loop", "report", "checks"),
        ("model", "evidence", "pastes", "tracing"),
        ("answer",),
    ),
    "tools": (
        ("gate", "paste"),
        ("record",),
        ("server",),
        ("settings",),
        ("providers",),
        ("host", "kubernetes", "mcp", "past"),
        ("connection", "toolbox"),
        ("arguments",),
        ("redact", "errors", "http", "terminal", "client_errors"),
        ("credentials",),
        ("records", "clock", "tasks", "text", "files", "patterns"),
    ),
}
"""The rooms of a building from the top down: a room imports only what stands below its own floor."""


def modules(building: str) -> dict[str, Path]:
    """The modules of a building by dotted name; a package goes by its own name."""
    files = sorted((ROOT / building).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imports(name: str, path: Path, known: Mapping[str, Path]) -> set[str]:
    """The modules among `known` that a module imports, wherever in it, each by the most exact name it has."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {one if one in known else node.module for one in names}
    return (found & known.keys()) - {name}


@cache
def graph() -> dict[str, set[str]]:
    """Each module of the house, and the modules that it imports."""
    known = {name: path for building in BUILDINGS for name, path in modules(building).items()}
    return {name: imports(name, path, known) for name, path in known.items()}


def room(module: str) -> str:
    """The room of a module: the first two parts of its name."""
    return ".".join(module.split(".")[:2])


def rooms() -> dict[str, set[str]]:
    """Each room, and the rooms of the same building that it imports."""
    found: dict[str, set[str]] = {}
    for module, targets in graph().items():
        if "." in module:
            own = found.setdefault(room(module), set())
            own |= {room(one) for one in targets if "." in one and one.split(".")[0] == module.split(".")[0]}
    return {name: targets - {name} for name, targets in found.items()}


def upward() -> Iterator[str]:
    """Each import of a room that doesn't stand below, and each room that has no floor, in a sentence."""
    floor = {
        f"{building}.{one}": at for building, floors in FLOORS.items() for at, row in enumerate(floors) for one in row
    }
    for name, targets in rooms().items():
        if name.split(".")[0] not in FLOORS:
            continue
        if name not in floor:
            yield f"{name} has no floor"
        yield from (f"{name} imports {one}" for one in sorted(targets) if floor.get(one, 99) <= floor.get(name, 99))


def circles() -> list[list[str]]:
    """Modules that import each other in a circle, each circle once."""
    edges, state, path = graph(), dict[str, int](), list[str]()
    found: list[list[str]] = []

    def visit(name: str) -> None:
        state[name] = 1
        path.append(name)
        for one in sorted(edges[name]):
            if state.get(one) == 1:
                found.append(path[path.index(one) :])
            elif one not in state:
                visit(one)
        path.pop()
        state[name] = 2

    for name in edges:
        if name not in state:
            visit(name)
    return found


def drawn(building: str) -> str:
    """The rooms of a building from the top floor down, with the arrows of each: a table in Markdown."""
    edges = rooms()
    rows = ["| floor | room | imports |", "|--:|---|---|"]
    for at, row in enumerate(FLOORS[building]):
        for one in row:
            below = sorted(name.partition(".")[2] for name in edges[f"{building}.{one}"])
            rows.append(f"| {len(FLOORS[building]) - at} | `{one}` | {', '.join(below) or '-'} |")
    return "\n".join(rows)
