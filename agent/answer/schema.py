"""The JSON schema of an answer, shipped as a file of the package."""

from pathlib import Path

SCHEMA = Path(__file__).with_name("triage.schema.json")
"""The schema of what `triage --format json` prints; the tests validate every answer against it."""
