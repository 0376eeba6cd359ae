"""The verbs of `rediagnose lab`, each loaded only when it is run."""

import importlib
from typing import Any

from agent.cli.inputs import typed
from evals import inputs
from evals.inputs import LabInputs
from tools.records import Record

_VERBS: dict[str, tuple[str, type[Record]]] = {
    "list": ("evals.lab.show:show", inputs.ListInputs), "start": ("evals.lab.hold:start", inputs.StartInputs),
    "run": ("evals.lab.run:run", inputs.RunInputs), "record": ("evals.lab.record:record", inputs.RecordInputs),
    "task": ("evals.live_tasks.run:task", inputs.TaskInputs),
}  # fmt: skip


def lab(inputs: LabInputs) -> Any:
    """`rediagnose lab`."""
    place, record = _VERBS[inputs.verb]
    module, _, function = place.partition(":")
    return getattr(importlib.import_module(module), function)(typed(record, inputs.model_dump(exclude_unset=True)))
