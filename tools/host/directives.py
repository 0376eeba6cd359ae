"""The names that a configuration line may begin with."""

import tomllib
from pathlib import Path

DIRECTIVES = frozenset(
    tomllib.loads((Path(__file__).parent / "directives.toml").read_text(encoding="utf-8"))["known"]
)  # fmt: skip
