"""The way into what needs the extra [lab]: where it isn't installed, one line says so."""

import argparse
import importlib
import importlib.util
from typing import Any

from tools.errors import UsageError

_VERBS = {
    "list": "evals.lab.show:show", "start": "evals.lab.hold:start", "run": "evals.lab.run:run",
    "record": "evals.lab.record:record",
}  # fmt: skip


def demo(args: argparse.Namespace) -> Any:
    """`rediagnose demo`."""
    return _enter("demo", "evals.demo:demo", args)


def lab(args: argparse.Namespace) -> Any:
    """`rediagnose lab`."""
    return _enter(f"lab {args.verb}", _VERBS[args.verb], args)


def _enter(command: str, place: str, args: argparse.Namespace) -> Any:
    # The applications of the lab are played with redis-py, which the program itself does without.
    if importlib.util.find_spec("redis") is None:
        raise UsageError(f"{command}: the package redis isn't installed; pip install 'rediagnose[lab]'")
    module, _, function = place.partition(":")
    return getattr(importlib.import_module(module), function)(args)
