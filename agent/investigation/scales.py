"""Weighing a model's citations: only what the checks didn't already weigh can support a cause or contradict a
finding."""

from collections.abc import Iterator, Sequence

from agent.answer.diagnosis import Cause, Evidence, Verdict
from agent.checks.ranking import PRESENT
from agent.checks.sight import ANY, Looked, looked_at
from agent.evidence.view import View
from agent.investigation.investigation import Investigation
from agent.investigation.marks import only_reported, words_of
from agent.loop.submission import Conclusion
from agent.runbooks.library import Library
from agent.runbooks.proof import difference_text, names, proof_text
from tools.records import Reading, Scalar

_NOTHING: tuple[Scalar, ...] = (0, 0.0, None, False, "", "0", "ok", "up", "no", "none", "online", "connected", "-")
"""Values that mean that something isn't there or is fine."""


class Scales:
    """An incident's readings and what the checks concluded from them."""

    def __init__(self, readings: Sequence[Reading], nodes: Sequence[str], library: Library, now: Verdict) -> None:
        """`now` is the checks' verdict on all readings, with the newest values, whatever they found before."""
        self._readings = readings
        self._nodes = nodes
        self._library = library
        self._now = {cause.id: cause for cause in now.findings}
        self._by_id = {reading.id: reading for reading in readings}
        self._words = words_of(readings)
        self._views = {node: View(readings, node) for node in nodes}
        self._looked: dict[str, set[Looked]] = {}

    def proves(self, cause: Cause, *, only_news: bool) -> bool:
        """Whether something cited for a cause decides it and its checks didn't look at that.

        `only_news` ignores everything that was read before the model asked.
        """
        text = proof_text(self._library, cause.id)
        return any(
            names(text, one) and not self._weighed(cause.id, one) and not (only_news and self._was_known(one))
            for one in self._telling(cause.evidence)
        )

    def only_reported(self, cause: Cause) -> bool:
        """Whether nothing but somebody's words speaks for a cause."""
        return only_reported(cause, self._words)

    def overcomes(self, done: Conclusion, found: Cause) -> bool:
        """Whether what a model cites contradicts a finding.

        Either a newer value of what the finding cites, with which the checks no longer find it, or what distinguishes
        its first cause from the finding according to the runbooks, if the checks of neither looked at that.
        """
        out = [one for out in done.ruled_out if out.id == found.id for one in out.evidence]
        own = {(self._tool(one), one.field) for one in found.evidence}
        now = self._now.get(found.id)
        if now is None or now.probability < PRESENT:
            newer = (one for one in out if self._counts(one) and self._by_id[one.reading].asked)
            if any((self._tool(one), one.field) in own for one in newer):
                return True
        first = done.causes[0] if done.causes else None
        if first is None or first.id == found.id:
            return False
        apart = difference_text(self._library, first.id, found.id)
        text = f"{apart} {proof_text(self._library, first.id)} {proof_text(self._library, found.id)}"
        supporting = {field for _, field in own}
        return bool(apart) and any(
            names(text, one) and one.field not in supporting
            and not self._weighed(first.id, one) and not self._weighed(found.id, one)
            for one in self._telling(out)
        )  # fmt: skip

    def _telling(self, evidence: Sequence[Evidence]) -> Iterator[Evidence]:
        for one in evidence:
            if self._counts(one) and self._by_id[one.reading].get(one.field) not in _NOTHING:
                yield one

    def _counts(self, one: Evidence) -> bool:
        """Whether a citation is verified and from a reading that no other was wider than."""
        reading = self._by_id.get(one.reading)
        if not one.verified or one.reading in self._words or reading is None:
            return False
        if one.field == "unavailable":
            # A failed reading that a model requested may be its own doing.
            return not reading.asked
        views = [self._views[reading.node]] if reading.node in self._views else list(self._views.values())
        return any(cited.reading == one.reading for view in views for cited in view.cite((reading.tool, one.field)))

    def _was_known(self, one: Evidence) -> bool:
        reading = self._by_id[one.reading]
        own = (other for other in self._readings if not other.asked and other.node == reading.node)
        return any(other.tool == reading.tool and other.has(one.field) for other in own)

    def _weighed(self, cause: str, one: Evidence) -> bool:
        """Whether the checks of a cause looked at a field, or at its tool's reading without using the field."""
        if cause not in self._looked:
            noted = looked_at(cause, self._readings, self._nodes, self._library.thresholds)
            fields = {(node, ANY, _plain(field)) for node, _, field in noted}
            self._looked[cause] = fields | {(node, tool, ANY) for node, tool, _ in noted}
        reading = self._by_id[one.reading]
        nodes = (reading.node,) if reading.node else self._nodes
        asked = ((reading.tool, ANY), (ANY, _plain(one.field)))
        return any((node, *at) in self._looked[cause] for node in nodes for at in asked)

    def _tool(self, one: Evidence) -> str:
        reading = self._by_id.get(one.reading)
        return reading.tool if reading else ""


def scales_of(incident: Investigation) -> Scales:
    """What a model's citations are currently weighed with."""
    weighed = incident.weighed
    return Scales(weighed.all, list(incident.nodes), incident.library, incident.concluded(weighed))


def _plain(field: str) -> str:
    # One figure has a name in INFO and another as a parameter.
    return field.replace("-", "_").lower()
