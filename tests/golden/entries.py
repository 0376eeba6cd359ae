"""One entry of a golden file: an incident's answer in short, and its first screen."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, Step
from agent.recordings.replay import case, on_virtual_time
from agent.report.text import text
from agent.runbooks.library import Library, load
from evals.scoring.scenario import BUNDLED, Scenario
from evals.scoring.switched_off import taken_for, unnamed
from tools.record.load import load as recording
from tools.record.tape import Tape

FOLDER = Path(__file__).parent
REWRITE = "make golden"
UNNAMED = "without its check: "
_UNNAMED = re.compile(rf"^{UNNAMED}(.+)", re.MULTILINE)
_HEAD = re.compile(r"^=== (\w+)", re.MULTILINE)


@cache
def library() -> Library:
    """The runbooks, read once by each process."""
    return load()


def answer(scenario: Scenario) -> Diagnosis:
    """What the checks answer to a recorded incident."""

    async def investigate() -> Diagnosis:
        tape = Tape(recording(BUNDLED / scenario.file))
        async with case(tape, scenario.ticket, library=library()) as investigation:
            return investigation.answer()

    return on_virtual_time(investigate())


def golden_file(family: str) -> Path:
    """The file of a family."""
    return FOLDER / f"{family.replace(' ', '-')}.txt"


def entries(path: Path) -> dict[str, str]:
    """The entries of a golden file by the incident's id; none where there is no file."""
    content = path.read_text(encoding="utf-8") if path.exists() else ""
    starts = [(match.start(), match[1]) for match in _HEAD.finditer(content)]
    ends = [*(start for start, _ in starts[1:]), len(content)]
    return {id: content[start:end] for (start, id), end in zip(starts, ends, strict=True)}


def entry(scenario: Scenario, answered: Diagnosis) -> str:
    """Outcome, causes, plan, all citations and the first screen of an incident's answer.

    Of a known fault also what it's taken for where its own check is off.
    """
    nobody_knows = unnamed(scenario, answered, library().thresholds)
    return "\n".join([
        f"=== {scenario.id} {scenario.fault}, {scenario.kind}: {', '.join(scenario.expected)}",
        f"outcome: {answered.outcome}",
        *([f"{UNNAMED}{taken_for(nobody_knows)}"] if nobody_knows else []),
        *_part("causes", (_cause(cause) for cause in answered.causes)),
        *_part("other findings", (_cause(cause) for cause in answered.findings if cause not in answered.causes)),
        *_part("plan", map(_step, answered.plan)),
        *_part("ruled out", (f"{out.id} {_citations(out.evidence)}" for out in answered.ruled_out)),
        *_part("unknown", answered.unknown),
        "first screen:",
        *(f"  | {line}".rstrip() for line in text(answered).splitlines()),
        "",
        "",
    ])  # fmt: skip


def taken_for_unnamed(text: str) -> str | None:
    """By an entry: what a fault is taken for where its own check is off; None of what is no known fault."""
    found = _UNNAMED.search(text)
    return found and found[1]


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    shown = list(lines)
    if shown:
        yield f"{title}:"
        yield from (f"  {line}" for line in shown)


def _cause(cause: Cause) -> str:
    return f"{cause.id} {cause.probability:.3f} at {cause.where or 'no node'} {_citations(cause.evidence)}"


def _citations(evidence: Sequence[Evidence]) -> str:
    """Reading, field and value of each; of the report only that it's cited. One that isn't verified has a ?."""
    cited = [
        "r0" if one.reading == "r0" else f"{one.reading} {one.field}={json.dumps(one.value, ensure_ascii=False)}"
        for one in evidence
    ]
    return f"[{'; '.join(text if one.verified else f'{text}?' for text, one in zip(cited, evidence, strict=True))}]"


def _step(step: Step) -> str:
    change = f" ({step.before} -> {step.after}; undo: {step.rollback})" if step.needs_approval else ""
    return f"{step.id} {step.kind} {step.risk} at {step.node or 'no node'}: {step.action}{change}"
