"""The table of rediagnose.toml that says how a model's endpoint is asked."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from tools.errors import UsageError
from tools.settings.table import Table, problem

MOST_FIELDS, MOST_BYTES = 20, 4096
OURS = frozenset({
    "model", "messages", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "functions",
    "function_call", "stream", "stream_options", "n", "store", "include", "conversation", "previous_response_id",
    "background", "response_format", "text", "prompt", "web_search_options", "modalities", "extra_headers",
    "extra_query", "extra_body", "timeout",
})  # fmt: skip
"""Fields that say what is asked and what is stored: only this program may set them, or data could leak through them."""


def _fields(value: Any) -> object:
    if not isinstance(value, dict):
        raise problem('not a table; write request = { service_tier = "flex" }')
    if taken := sorted(OURS & value.keys()):
        raise problem(f"{taken[0]} is the program's own; leave it out")
    if odd := next((name for name in value if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", name)), None):
        raise problem(f"{odd!r} is no field's name; leave it out")
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise problem("it holds a date or a number that JSON has no form for; leave it out") from None
    if len(value) > MOST_FIELDS or size > MOST_BYTES:
        raise problem(f"more than {MOST_FIELDS} fields or {MOST_BYTES} bytes; leave some out")
    return value


class ModelTable(Table):
    """How a model's endpoint is asked."""

    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    """How much a reasoning model thinks; --reasoning-effort takes precedence."""
    cache_control: bool | None = None
    """Whether what stays the same is marked for the provider's cache; null to decide by the model's name."""
    form: Literal["chat", "responses"] | None = None
    """Which form of a request the endpoint accepts; null for the one it's known to support."""
    request: Annotated[Mapping[str, Any], BeforeValidator(_fields)] = {}
    """Additional fields of each request."""

    def _untrusted(self, what: str) -> UsageError:
        return UsageError(
            f"{self.file}: {what} would go into each request to the model, and this file isn't trusted: look at it, "
            f"then run `rediagnose trust {shlex.quote(str(self.file))}`, or name it by REDIAGNOSE_CONFIG"
        )
