"""What a request says beside the conversation: how long to think, what to keep in a cache, in which form."""

from collections.abc import Mapping
from typing import Any, Literal

from tools.records import Record

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Form = Literal["chat", "responses"]


class Extras(Record):
    """What a person set of it; nothing is what the endpoint does by itself."""

    effort: Effort | None = None
    """How much a reasoning model thinks."""
    fields: Mapping[str, Any] = {}
    """More fields of each request, as they are."""
    cache: bool | None = None
    """Whether the part that stays the same is marked for the provider's cache; null where the model's name says it."""
    form: Form | None = None
    """Chat completions or responses; null for what the endpoint is known to have."""

    def marks_cache(self, model: str) -> bool:
        """Whether a request of this model marks what stays the same: some providers keep nothing unasked."""
        named = any(word in model.lower() for word in ("claude", "anthropic/"))
        return named if self.cache is None else self.cache


NOTHING = Extras()
"""Nothing beside the conversation."""
