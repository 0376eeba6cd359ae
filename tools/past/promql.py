"""Texts as PromQL writes them."""

import json
import re
from collections.abc import Mapping


def promql_string(text: str) -> str:
    """A string literal of PromQL, whose escapes are those of Go and so of JSON."""
    return json.dumps(text, ensure_ascii=False)


def regex_literal(text: str) -> str:
    """A text as RE2 matches it literally."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


def selector(labels: Mapping[str, str]) -> str:
    """The inside of a selector's braces: these labels, exactly."""
    return ",".join(f"{name}={promql_string(value)}" for name, value in sorted(labels.items()))
