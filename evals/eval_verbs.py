"""The verbs of `rediagnose eval`, each loaded only when it is run."""

import importlib
from typing import Any

from agent.cli.inputs import typed
from evals.inputs import EvalInputs, ExportInputs


def evaluate(inputs: EvalInputs) -> Any:
    """`rediagnose eval`."""
    if inputs.verb == "export":
        given = typed(ExportInputs, inputs.model_dump(exclude_unset=True, exclude={"verb"}))
        return importlib.import_module("evals.export.command").export(given)
    return importlib.import_module("evals.scoring.command").command(inputs)
