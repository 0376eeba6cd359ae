"""An answer as the page shows it: what it is, what proves it, what to do, and what wasn't seen."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from agent.answer.diagnosis import Cause, Diagnosis, Evidence
from agent.report import charts
from agent.report.elements import Markup
from agent.report.first_screen import about, capitalized, do_now, not_seen
from agent.report.meanings import MEANINGS
from agent.report.page import TONES, anchor
from agent.report.render import only_reported, printed_value, shown_evidence
from agent.report.sections import COMMAND
from agent.report.summary import explanation, headline, what_not_to_do
from agent.report.words import SYMPTOM, in_words
from agent.service.records import Incident
from tools.records import Reading

CITED_MOST = 12
"""Citations of one cause that are shown."""
LINES_MOST = 30
"""Lines of a list, such as of blind spots."""
OUTCOMES = {
    "diagnosed": "Cause found", "no-fault": "Redis is fine", "outside-redis": "Not Redis",
    "insufficient-evidence": "Can't tell",
}  # fmt: skip
FIGURES_MOST = 6
"""Nodes of which one kind of figure is drawn."""
STATES = {"queued": "Waiting", "looking": "Looking", "unanswered": "No answer"}


class Badge(NamedTuple):
    """What an incident has come to, in a word or two."""

    words: str
    tone: str


class Cited(NamedTuple):
    """What is cited from one reading, which leads to the values in it."""

    reading: str
    places: tuple[str, ...]
    """The fragments of their rows; none for the report itself."""
    words: str
    figures: str
    wrong: tuple[str, ...]
    """Values that aren't what was read."""
    values: int
    """How many are cited."""


class Shown(NamedTuple):
    """A cause, a look-alike or a complaint with its evidence."""

    name: str
    words: str
    why: str
    where: str | None
    share: str
    meter: Markup | None
    cited: tuple[Cited, ...]


class Figure(NamedTuple):
    """A reading that is drawn."""

    reading: str
    node: str
    drawn: Markup


def badge(one: Incident) -> Badge:
    """The state of an incident, or the outcome of its answer."""
    if one.state in STATES:
        return Badge(STATES[one.state], "unsure" if one.state == "unanswered" else "busy")
    if one.diagnosis is None:
        return Badge("Closed", "unsure")
    outcome = one.diagnosis.outcome
    return Badge(OUTCOMES[outcome], TONES.get(outcome, "unsure"))


class Verdict:
    """The parts of an answer, each computed where a template asks for it."""

    def __init__(self, answer: Diagnosis) -> None:
        self.answer = answer
        self.headline, self.about = headline(answer), capitalized(about(answer))
        self.explanation = explanation(answer)
        self.dont = capitalized(what_not_to_do(answer))
        steps = list(do_now(answer))
        self.do_now = [line for line in steps if not line.startswith(COMMAND)]
        self.commands = [line.removeprefix(COMMAND) for line in steps if line.startswith(COMMAND)]
        self._by_id = {one.id: one for one in answer.readings}

    @property
    def causes(self) -> list[Shown]:
        """The causes of the answer."""
        return [self._cause(one) for one in self.answer.causes]

    @property
    def others(self) -> list[Shown]:
        """What the checks found besides."""
        named = {one.id for one in self.answer.causes}
        return [self._cause(one) for one in self.answer.findings if one.id not in named]

    @property
    def ruled_out(self) -> list[Shown]:
        """Look-alikes that the readings contradict."""
        return [
            Shown(one.id, MEANINGS.get(one.id, one.id), one.because, None, "", None, self.cited(one.evidence))
            for one in self.answer.ruled_out
        ]

    @property
    def complaints(self) -> list[Shown]:
        """What the servers themselves complain about."""
        return [
            Shown("", one.what, f"Explained by {one.explained_by}." if one.explained_by else "No cause explains it.",
                  one.node, "", None, self.cited(one.evidence))
            for one in self.answer.complaints
        ]  # fmt: skip

    @property
    def blind(self) -> list[str]:
        """What couldn't be seen."""
        return list(not_seen(self.answer))[:LINES_MOST]

    @property
    def figures(self) -> Iterator[tuple[str, list[Figure]]]:
        """What is drawn, by its title: the newest figure of each node that has one."""
        newest = {(one.tool, one.node): one for one in self.answer.readings if one.values}
        kinds = (
            ("Latency of the connection from here", charts.latency), ("What changed, and since when", charts.changes),
            ("Memory by owner", charts.memory),
        )  # fmt: skip
        for title, drawing in kinds:
            drawn = [
                Figure(one.id, one.node or "", figure)
                for one in newest.values() if (figure := drawing(one)) is not None
            ]  # fmt: skip
            if drawn:
                yield title, drawn[:FIGURES_MOST]

    def cited(self, evidence: Sequence[Evidence]) -> tuple[Cited, ...]:
        """What is cited in words, reading by reading, with the places of the values."""
        of: dict[str, list[Evidence]] = {}
        for one in shown_evidence(evidence)[:CITED_MOST]:
            of.setdefault(one.reading, []).append(one)
        return tuple(_cited(reading, several, self._by_id) for reading, several in of.items())

    def _cause(self, one: Cause) -> Shown:
        share = f"{one.probability:.0%}"
        return Shown(one.id, MEANINGS.get(one.id, one.why), f"{one.why}{only_reported(one)}", one.where, share,
                     charts.meter(one.probability), self.cited(one.evidence))  # fmt: skip


def _cited(reading: str, several: Sequence[Evidence], by_id: Mapping[str, Reading]) -> Cited:
    figures = {one: f"{one.field} = {printed_value(one.value)}" for one in several}
    right, wrong = [one for one in several if one.verified], [one for one in several if not one.verified]
    unlike = tuple(figures[one] for one in wrong)
    if reading == SYMPTOM:
        return Cited(reading, (), "what was reported", "", unlike, len(several))
    places = tuple(dict.fromkeys(anchor(reading, one.field) for one in right or wrong))
    words = [*in_words(right, by_id), *(figures[one] for one in right if not in_words((one,), by_id))]
    return Cited(reading, places, "; ".join(words) or reading, ", ".join(figures.values()), unlike, len(several))
