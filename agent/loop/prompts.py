"""The first messages to the model, from the Markdown in `prompts/`."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from string import Template

from agent.answer.diagnosis import Cause
from agent.answer.taxonomy import CAUSES, RootCause
from agent.loop.catalogue import catalogue
from agent.loop.digest import digest, findings_text
from agent.model.request import Wire, request_size
from tools.records import Reading, Record

FOLDER = Path(__file__).resolve().parent.parent.parent / "prompts"
"""Beside `agent/`, both in a checkout and in the wheel."""
FIRST_BYTES = 20_000
"""Limit in bytes of the first request, including its tools, if the minimal digest fits within it."""
DIGEST_MOST, DIGEST_LEAST, FINDINGS_MOST, SYMPTOM_MOST = 4500, 2500, 1500, 1500
FURTHER_MOST, MOST_FURTHER = 700, 8
"""Most bytes of the digest per node after the first, and how many nodes count."""


class Prompt(Record):
    """The part of a conversation that stays identical, byte for byte."""

    system: str
    first: str

    def messages(self) -> list[Wire]:
        """In the endpoint's form."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.first}]


def compose(
    symptom: str, readings: Sequence[Reading], findings: Iterable[Cause], runbooks: Mapping[str, str],
    tools: Sequence[Wire], causes: Mapping[str, RootCause] = CAUSES, ruled_out: Collection[str] = (),
) -> Prompt:  # fmt: skip
    """The prompt for an incident; `runbooks` gives titles by name, `ruled_out` the causes that the checks ruled out.

    The digest takes the room that the rest leaves.
    """
    template = Template((FOLDER / "incident.md").read_text(encoding="utf-8"))
    found = tuple(findings)
    parts = {
        "symptom": block_quote(symptom),
        "findings": findings_text(found, FINDINGS_MOST),
        "causes": catalogue(causes.values(), readings, ruled_out, {cause.id for cause in found}),
        "runbooks": "\n".join(f"- {name}: {title}" for name, title in runbooks.items()) or "none of your team's own",
    }
    system = _system((FOLDER / "aids.md").read_text(encoding="utf-8"))
    empty = Prompt(system=system, first=template.substitute(parts, digest=""))
    room = FIRST_BYTES - request_size(empty.messages(), tools)
    # More nodes need more room.
    further = max(0, min(MOST_FURTHER, len({reading.node for reading in readings if reading.node}) - 1))
    most = max(DIGEST_LEAST, min(DIGEST_MOST + FURTHER_MOST * further, room))
    cited = {one.reading for cause in found for one in cause.evidence}
    return Prompt(system=system, first=template.substitute(parts, digest=_digest_of(readings, most, cited)).strip())


def _digest_of(readings: Sequence[Reading], most: int, cited: Collection[str]) -> str:
    """The digest within a number of bytes as sent, where a quote and a line break take two each."""
    room = most
    while True:
        shown = digest(readings, room, cited)
        over = len(json.dumps(shown, ensure_ascii=False).encode()) - 2 - most
        if over <= 0 or over >= room:
            return shown
        room -= over


def compose_unaided(symptom: str, causes: Mapping[str, RootCause] = CAUSES) -> Prompt:
    """The prompt for a model that only has the tools: it takes the readings itself."""
    template = Template((FOLDER / "bare.md").read_text(encoding="utf-8"))
    first = template.substitute(symptom=block_quote(symptom), causes=catalogue(causes.values()))
    return Prompt(system=_system(""), first=first.strip())


def _system(aids: str) -> str:
    return Template((FOLDER / "system.md").read_text(encoding="utf-8")).substitute(aids=aids.strip()).strip()


def block_quote(text: str) -> str:
    """Someone's words, quoted line by line so that they can't be mistaken for ours."""
    printable = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text).encode()
    shown = printable[:SYMPTOM_MOST].decode(errors="ignore") + ("…" if len(printable) > SYMPTOM_MOST else "")
    return "\n".join(f"> {line}" for line in shown.splitlines()) or "> (nothing)"
