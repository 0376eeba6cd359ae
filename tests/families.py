"""Which faults have tests of their own, in tests/test_causes_*.py: those aren't run again by the tests of all."""

import ast
import importlib
import importlib.util
from functools import cache
from pathlib import Path

PACKAGE = "evals.lab.faults"


@cache
def elsewhere() -> frozenset[str]:
    """The faults of the modules that a tests/test_causes_*.py imports, or is named after."""
    found: set[str] = set()
    for path in Path(__file__).parent.rglob("test_causes_*.py"):
        modules = {path.stem.removeprefix("test_causes_")}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
                modules.add(str(node.module).removeprefix(f"{PACKAGE}."))
        for module in modules:
            if importlib.util.find_spec(f"{PACKAGE}.{module}"):
                found |= importlib.import_module(f"{PACKAGE}.{module}").FAULTS.keys()
    return frozenset(found)
