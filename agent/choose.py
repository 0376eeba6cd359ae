"""Which model answers, and why."""

import os
from collections.abc import Mapping

from agent.diagnosis import OFFLINE, ModelUse
from tools.errors import UsageError


def choose(asked: str | None, environ: Mapping[str, str] = os.environ) -> ModelUse:
    """The model to use and the reason. Raises `UsageError` for a model that can't be reached for want of a key."""
    key, base = environ.get("OPENAI_API_KEY"), environ.get("OPENAI_BASE_URL")
    if asked == OFFLINE:
        return ModelUse(name=OFFLINE, why="--model offline")
    if asked:
        if not (key or base):
            raise UsageError(
                f"--model {asked}: neither OPENAI_API_KEY nor OPENAI_BASE_URL is set; set one, or give --model offline"
            )
        return ModelUse(name=asked, why="--model")
    if not (key or base):
        return ModelUse(name=OFFLINE, why="neither OPENAI_API_KEY nor OPENAI_BASE_URL is set")
    name = environ.get("REDIAGNOSE_MODEL")
    if not name:
        return ModelUse(name=OFFLINE, why="REDIAGNOSE_MODEL isn't set")
    return ModelUse(name=name, why="REDIAGNOSE_MODEL")
