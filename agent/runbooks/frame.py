"""The skeleton of a team's own runbook for a cause, to be filled in."""

from textwrap import fill, indent

from agent.answer.taxonomy import CAUSES
from agent.runbooks.library import Library
from agent.runbooks.lint import SECTIONS
from tools.errors import UsageError

_WIDTH = 110
_BELONGS = {
    "Symptoms": "What your users see and your dashboards show.",
    "First minute": "What to look at first, command by command.",
    "Diagnostics": "Which readings decide, and where to find your graphs of them.",
    "Application side": "Which applications use this server, who owns them, and what they can do.",
    "Metrics and alerts": "Which alert fires first, and at which value.",
    "Emergency response": "Who decides, whom to call, and what must not be done.",
}
"""What belongs in each section of a body."""


def frame(cause: str, library: Library) -> str:
    """A runbook for a cause with the text of the bundled one and a remedy to replace. Raises `UsageError`."""
    notes = library.notes(cause)
    if notes is None or cause not in CAUSES:
        raise UsageError(f"runbooks new {cause}: there is no such cause; `rediagnose runbooks list` shows all")
    return f"""---
name: our-{cause}
title: {cause} here
symptoms:
  - the words in which your tickets report it
causes:
  {cause}:
    evidence: >-
{_folded(notes.evidence, 6)}
    avoid: >-
{_folded(notes.avoid, 6)}
    remedies:
      - kind: outside
        action: Write here what your team does first, and whom to call.
        why: Write here why it helps.
        risk: safe
        verify: Write here what shows that it helped.
---
# {cause} here

The remedy above comes before the bundled ones, which `rediagnose runbooks show {cause}` prints.

{_body(cause)}
"""


def _body(cause: str) -> str:
    belongs = {**_BELONGS, "Causes": f"### {cause}\n\nWhy it happens in your environment."}
    return "\n\n".join(f"## {section}\n\n{belongs[section]}" for section in SECTIONS)


def _folded(text: str, columns: int) -> str:
    return indent(fill(" ".join(text.split()), _WIDTH - columns), " " * columns)
