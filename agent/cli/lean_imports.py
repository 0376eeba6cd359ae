"""Parts of libraries that the program's own process doesn't load, since nothing else uses them: a tenth of the
start-up.

pydantic looks for plugins in what every installed package declares; none has a role in this program, and none should
see what it reads. redis-py's packages import its clients, pools and Cluster, none of which a connection needs. Nothing
depends on this: if a library renames its modules, all of it is loaded again.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

PLUGINS, METADATA, PACKAGES = "pydantic.plugin._loader", "importlib.metadata", ("redis", "redis.asyncio")
METRICS = "opentelemetry"
"""If it is installed, redis-py loads it for metrics of its own, which a connection doesn't write."""


class _Later(ModuleType):
    """A module whose code runs when a name is first looked up in it."""

    def __getattr__(self, name: str) -> Any:
        self.__class__ = ModuleType  # type: ignore[assignment]
        assert self.__spec__ is not None and self.__spec__.loader is not None
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def without_plugins() -> None:
    """Give pydantic no plugins, and load the list of installed packages only on request."""
    none = ModuleType(PLUGINS)
    none.get_plugins = tuple  # type: ignore[attr-defined]
    sys.modules.setdefault(PLUGINS, none)
    if METADATA not in sys.modules:
        later = _unexecuted(METADATA)
        later.__class__ = _Later
        sys.modules[METADATA] = importlib.metadata = later


@contextmanager
def without_clients() -> Iterator[None]:
    """Within this context modules of redis-py are imported without the code of their packages.

    Afterwards they are removed from `sys.modules`: whoever imports redis-py later gets all of it afresh. What is
    already loaded stays as it is. Only for use while there is one thread.
    """
    if PACKAGES[0] in sys.modules:
        yield
        return
    without_metrics = METRICS not in sys.modules
    try:
        for name in PACKAGES:
            sys.modules[name] = _unexecuted(name)
        if without_metrics:
            # An import of it fails, as where it isn't installed.
            sys.modules[METRICS] = None  # type: ignore[assignment]
        yield
    finally:
        if without_metrics:
            del sys.modules[METRICS]
        for name in [one for one in sys.modules if one.partition(".")[0] == PACKAGES[0]]:
            del sys.modules[name]


def _unexecuted(name: str) -> Any:
    spec = find_spec(name)
    assert spec is not None, f"{name} isn't installed"
    return module_from_spec(spec)
