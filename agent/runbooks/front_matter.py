"""A runbook's file in its two parts: the YAML before it, and the Markdown below."""

import re
from pathlib import Path
from typing import Any

import yaml

from tools.errors import UsageError
from tools.files import read_regular_text

try:
    # libyaml's: a tenth of the time.
    from yaml import CSafeLoader as Loader
except ImportError:
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

MOST_DEEP = 32
"""Levels of a front matter: the bundled ones have six."""
_SUSPECT = re.compile(
    rf"(?:[\[{{][^\[{{]*){{{MOST_DEEP + 1}}}|^[ \t?-]{{{MOST_DEEP + 1}}}|(?:^|[\s\[{{,:])\*[^\s*]", re.MULTILINE
)
"""Without any of these it's shallow, and needn't be gone through twice."""


def split(path: Path) -> tuple[dict[str, Any], str]:
    """A file's front matter and body. Raises `UsageError` with the file, the place and the remedy."""
    try:
        text = read_regular_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"runbook {path}: {error}; make it a readable UTF-8 file") from None
    match = re.match(r"---\n(?P<front>.*?)\n---\n(?P<body>.*)", text, re.DOTALL)
    if match is None:
        raise UsageError(f"runbook {path}: no front matter; begin the file with a YAML block between two --- lines")
    try:
        if _SUSPECT.search(match["front"]):
            _must_be_shallow(match["front"])
        front = yaml.load(match["front"], _Strict)
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"runbook {path}: the front matter isn't valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(front, dict):
        raise UsageError(f"runbook {path}: the front matter isn't a mapping; begin with name:, title: and causes:")
    return front, match["body"]


def _must_be_shallow(front: str) -> None:
    """Raise `YAMLError` for what a loader follows down until its stack is full, or round and round."""
    depth = 0
    for event in yaml.parse(front, Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias (*{event.anchor}); write out what it stands for")
        if depth > MOST_DEEP:
            raise yaml.YAMLError(f"nested more than {MOST_DEEP} deep")


class _Strict(Loader):
    """Refuses a duplicate key: the first one's text would be lost silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} appears twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
