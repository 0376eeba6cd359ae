"""The table that says how a model's endpoint is asked: bounded, and only by a file that is trusted."""

from pathlib import Path

import pytest

from tools.errors import UsageError
from tools.settings.parsing import parse_settings

FILE = Path("/etc/rediagnose.toml")


def read(text: str, *, trusted: bool = True) -> dict[str, object]:
    table = parse_settings(FILE, text.encode(), {}, trusted=trusted).model
    table.must_be_trusted()
    return table.model_dump()


def test_what_it_may_say() -> None:
    text = """
[model]
reasoning_effort = "low"
cache_control = true
form = "responses"
request = { service_tier = "flex", provider = { sort = "price" } }
"""
    assert read(text) == {
        "reasoning_effort": "low", "cache_control": True, "form": "responses",
        "request": {"service_tier": "flex", "provider": {"sort": "price"}},
    }  # fmt: skip
    with pytest.raises(UsageError, match="isn't trusted"):
        read(text, trusted=False)
    assert read("", trusted=False)["request"] == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('request = { messages = [] }', "the program's own"), ('request = { "a b" = 1 }', "no field's name"),
        ("request = { store = true }", "the program's own"), ("request = { at = 2026-01-31 }", "JSON has no form"),
        (f'request = {{ note = "{"x" * 5000}" }}', "bytes; leave some out"), ("request = 3", "not a table"),
        ('reasoning_effort = "a lot"', "isn't"), ("effort = 1", "unknown key"),
        ("cache_control = 1", "not true"),
        ("request = { at = nan }", "JSON has no form"),
    ],
)  # fmt: skip
def test_what_it_may_not(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read(f"[model]\n{text}\n")
