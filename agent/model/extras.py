"""What a request contains besides the conversation: how long to think, what to cache, and in which form."""

from collections.abc import Mapping
from typing import Any, Literal

from tools.records import Record

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Form = Literal["chat", "responses"]


class Extras(Record):
    """What a person has set; unset fields leave the endpoint's defaults."""

    effort: Effort | None = None
    """How much a reasoning model thinks."""
    fields: Mapping[str, Any] = {}
    """Additional fields of each request, sent unchanged."""
    cache: bool | None = None
    """Whether the part that stays the same is marked for the provider's cache; null to decide by the model's name."""
    form: Form | None = None
    """Chat completions or responses; null for whichever the endpoint is known to have."""

    def marks_cache(self, model: str) -> bool:
        """Whether requests to this model mark what stays the same: some providers cache only on request."""
        named = any(word in model.lower() for word in ("claude", "anthropic/"))
        return named if self.cache is None else self.cache


NOTHING = Extras()
"""Nothing besides the conversation."""
