"""The JSON schema of an answer, a file of the package."""

from pathlib import Path

SCHEMA = Path(__file__).with_name("triage.schema.json")
"""Of what `triage --format json` prints; each answer of the tests is held to it."""
