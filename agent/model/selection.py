"""Which model answers, and why."""

import os
from collections.abc import Mapping

from agent.answer.diagnosis import OFFLINE, ModelUse
from tools.errors import UsageError

PLACES = "OPENAI_API_KEY, OPENAI_BASE_URL nor AZURE_OPENAI_ENDPOINT"


def at_azure(environ: Mapping[str, str]) -> bool:
    """Whether the model is a deployment at Azure; an explicit OPENAI_BASE_URL comes before it."""
    return bool(environ.get("AZURE_OPENAI_ENDPOINT")) and not environ.get("OPENAI_BASE_URL")


def choose(asked: str | None, environ: Mapping[str, str] = os.environ) -> ModelUse:
    """The model to use and the reason. Raises `UsageError` if the model's key is missing."""
    names = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT")
    there = any(environ.get(name) for name in names)
    if asked == OFFLINE:
        return ModelUse(name=OFFLINE, why="--model offline")
    if asked and not there:
        raise UsageError(f"--model {asked}: neither {PLACES} is set; set one, or give --model offline")
    if not there:
        return ModelUse(name=OFFLINE, why="neither OPENAI_API_KEY nor another endpoint is set")
    name = asked or environ.get("REDIAGNOSE_MODEL")
    if not name:
        return ModelUse(name=OFFLINE, why="REDIAGNOSE_MODEL isn't set")
    why = "--model" if asked else "REDIAGNOSE_MODEL"
    if not at_azure(environ):
        return ModelUse(name=name, why=why)
    if not environ.get("OPENAI_API_VERSION"):
        raise UsageError("AZURE_OPENAI_ENDPOINT is set but OPENAI_API_VERSION isn't; set it, for example to 2024-10-21")
    if not (environ.get("AZURE_OPENAI_API_KEY") or environ.get("AZURE_OPENAI_AD_TOKEN")):
        raise UsageError("AZURE_OPENAI_ENDPOINT is set but AZURE_OPENAI_API_KEY isn't; set it, or use --model offline")
    return ModelUse(name=name, why=f"{why}, on Azure")
