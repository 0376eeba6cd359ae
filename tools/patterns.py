"""Regular expressions that are compiled when they're first used: of hundreds one incident needs a few dozen."""

import re
from typing import Any, cast


def deferred(text: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern as `re.compile` gives it, compiled on first use. Its text is a constant: a mistake shows only then."""
    return cast("re.Pattern[str]", _Deferred(text, flags))


class _Deferred:
    """Stands for a pattern; what was asked of it once is its own attribute from then on, and costs no detour."""

    def __init__(self, text: str, flags: int) -> None:
        self._given = text, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(re.compile(*self._given), name)
        setattr(self, name, found)
        return found
