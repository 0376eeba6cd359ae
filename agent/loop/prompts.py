"""The first messages to the model, from the Markdown in `prompts/`."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template

from agent.answer.diagnosis import Cause
from agent.answer.taxonomy import CAUSES, RootCause
from agent.loop.digest import digest, findings_text
from agent.model.request import Wire, request_size
from tools.records import Reading, Record

FOLDER = Path(__file__).resolve().parent.parent.parent / "prompts"
"""Beside `agent/`, in a checkout and in the wheel alike."""
FIRST_BYTES = 20_000
"""Most bytes of the first request, its tools included; a digest of at least `DIGEST_LEAST` always fits in."""
FURTHER_NODE, MOST_FURTHER = 700, 8
"""Bytes of the digest for each node after the first, and how many of them count."""
DIGEST_MOST, DIGEST_LEAST, FINDINGS_MOST, SYMPTOM_MOST = 4000, 1000, 1500, 1500


class Prompt(Record):
    """The part of a conversation that stays the same, byte for byte."""

    system: str
    first: str

    def messages(self) -> list[Wire]:
        """In the endpoint's form."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.first}]


def compose(
    symptom: str, readings: Sequence[Reading], findings: Iterable[Cause], runbooks: Mapping[str, str],
    tools: Sequence[Wire], causes: Mapping[str, RootCause] = CAUSES,
) -> Prompt:  # fmt: skip
    """The prompt of an incident; `runbooks` gives titles by name. The digest takes what room the rest leaves."""
    template = Template((FOLDER / "incident.md").read_text(encoding="utf-8"))
    parts = {
        "symptom": block_quote(symptom),
        "findings": findings_text(findings, FINDINGS_MOST),
        "causes": catalogue(causes.values()),
        "runbooks": "\n".join(f"- {name}: {title}" for name, title in runbooks.items()) or "none",
    }
    system = _system((FOLDER / "aids.md").read_text(encoding="utf-8"))
    empty = Prompt(system=system, first=template.substitute(parts, digest=""))
    room = FIRST_BYTES - request_size(empty.messages(), tools)
    # More nodes need more room.
    further = FURTHER_NODE * min(MOST_FURTHER, len({reading.node for reading in readings if reading.node}) - 1)
    shown = digest(readings, max(DIGEST_LEAST, min(DIGEST_MOST, room)) + max(0, further))
    return Prompt(system=system, first=template.substitute(parts, digest=shown).strip())


def compose_unaided(symptom: str, causes: Mapping[str, RootCause] = CAUSES) -> Prompt:
    """The prompt of a model that is given the tools alone: it finds the readings by itself."""
    template = Template((FOLDER / "bare.md").read_text(encoding="utf-8"))
    first = template.substitute(symptom=block_quote(symptom), causes=catalogue(causes.values()))
    return Prompt(system=_system(""), first=first.strip())


def _system(aids: str) -> str:
    return Template((FOLDER / "system.md").read_text(encoding="utf-8")).substitute(aids=aids.strip()).strip()


def catalogue(causes: Iterable[RootCause]) -> str:
    """The causes, one line each."""
    return "\n".join(f"{cause.id}: {cause.sign}" for cause in causes)


def block_quote(text: str) -> str:
    """Somebody's words, set off line by line so that they can't pass for ours."""
    printable = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text).encode()
    shown = printable[:SYMPTOM_MOST].decode(errors="ignore") + ("…" if len(printable) > SYMPTOM_MOST else "")
    return "\n".join(f"> {line}" for line in shown.splitlines()) or "> (nothing)"
