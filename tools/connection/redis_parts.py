"""Modules of redis-py without what its packages import: clients, pools and Cluster cost more than a connection does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec

PACKAGES = ("redis", "redis.asyncio")


@contextmanager
def clients_left_out() -> Iterator[None]:
    """While this lasts redis-py's modules are imported without the code of their packages.

    Afterwards they're taken out of `sys.modules`: whoever imports redis-py later gets all of it, anew. Only for a
    process of one's own that has no other thread yet; where redis-py is loaded already nothing is done.
    """
    if PACKAGES[0] in sys.modules:
        yield
        return
    try:
        for name in PACKAGES:
            if spec := find_spec(name):
                sys.modules[name] = module_from_spec(spec)
        yield
    finally:
        for name in [one for one in sys.modules if one.partition(".")[0] == PACKAGES[0]]:
            del sys.modules[name]
