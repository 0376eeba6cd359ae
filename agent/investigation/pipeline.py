"""From a symptom to a plan: the one path that every command, the evaluation and embedding programs take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.answer.diagnosis import OFFLINE, ModelUse, Verdict
from agent.answer.events import Emit
from agent.investigation.investigation import Investigation
from agent.investigation.model_settings import ModelSettings
from agent.investigation.sources import Options, Sources
from agent.runbooks.library import Library
from agent.tracing.listener import Listen, Part, untraced
from tools.clock import Clock
from tools.connection.target import Target

if TYPE_CHECKING:
    from agent.investigation.model_stage import ModelConversation


@dataclass(frozen=True)
class Setup:
    """Everything an investigation is made of, except its clock and who receives its events."""

    target: Target
    symptom: str
    library: Library
    model: ModelSettings
    options: Options
    sources: Sources
    listen: Listen = untraced
    """Who else receives its events."""

    def investigation(self, clock: Clock, emit: Emit, part: Part | None = None) -> Investigation:
        """An investigation that hasn't begun yet, perhaps as a part of an incident's trace. Raises `UsageError` if it
        can't be recorded."""
        return Investigation(
            self.target, self.symptom, self.library, clock, self.listen(emit, part), self.options, self.sources
        )  # fmt: skip


async def look(investigation: Investigation, use: ModelUse) -> Verdict:
    """Begin and take the first readings, up to the checks' verdict. `use` is the model that will judge it later."""
    investigation.start(use)
    return await investigation.survey()


async def run(
    investigation: Investigation,
    model: ModelSettings,
    conversation: "Callable[[], ModelConversation | None] | None" = None,
) -> Verdict:
    """Look, let the model conclude if there is one, and plan; nothing is changed.

    `conversation` is the conversation with a model that continues to be asked afterwards. If anything goes wrong with
    the model, the checks' verdict stands.
    """
    verdict = await look(investigation, model.use)
    if model.use.name != OFFLINE:
        from agent.investigation.model_stage import think

        verdict = await think(investigation, verdict, model, conversation() if conversation else None)
    await investigation.plan(verdict)
    return verdict
