"""Exchanges with a model, in a conversation that fits into its context."""

from collections.abc import Collection

from agent.answer.events import Emit, ModelAnswered, ModelAsked
from agent.loop.claims import SUBMIT
from agent.loop.offered import offered_tools
from agent.loop.transcript import Transcript
from agent.model.client import Model
from agent.model.errors import ModelError, Overflow
from agent.model.json_repair import repaired_json
from agent.model.request import request_size
from agent.model.response import ToolCall, Turn, whole_escapes
from agent.model.text_calls import calls_in_text
from agent.model.usage import Spending
from tools.toolbox import Toolbox


class Dialogue:
    """The conversation so far, and the model in it."""

    def __init__(
        self, model: Model, toolbox: Toolbox, transcript: Transcript, spending: Spending, emit: Emit, *,
        runbooks: bool, cited: Collection[tuple[str, str]], concludes: bool = True,
    ) -> None:  # fmt: skip
        """`cited` are readings and fields that stay visible when the conversation has to be shortened; `concludes`
        says whether a diagnosis may be submitted."""
        self.transcript = transcript
        self.concludes = concludes
        self._model = model
        self._toolbox = toolbox
        self._spending = spending
        self._emit = emit
        self._cited = cited
        self._tools = offered_tools(toolbox, runbooks=runbooks, concludes=concludes)
        self._names = {str(one["function"]["name"]) for one in self._tools} | {*toolbox.tools}
        self._too_long: int | None = None
        """Bytes of a request that the endpoint rejected as too long; later ones stay shorter."""

    async def ask(self, number: int, choice: str | None = None) -> Turn:
        """The answer of turn `number`; `choice` names a tool that must be called. Raises `ModelError`."""
        self._emit(ModelAsked(turn=number, endpoint=self._model.endpoint))
        turn = await self._fitting(choice)
        self._spending.add(turn, self._size)
        names = tuple(call.name[:64] for call in turn.tool_calls)
        self._emit(
            ModelAnswered(
                turn=number, tool_calls=names, use=self._spending.use, finish_reason=turn.finish_reason,
                sent=self.transcript.messages, received=turn.message,
            )
        )  # fmt: skip
        return turn

    @property
    def _size(self) -> int:
        return request_size(self.transcript.messages, self._tools)

    async def _fitting(self, choice: str | None) -> Turn:
        """An answer to the conversation, which is shortened as far as the endpoint requires."""
        while True:
            while self._too_long is not None and self._size >= self._too_long:
                if not self.transcript.shorten(self._toolbox.readings, self._cited):
                    break
            try:
                return await self._model.ask(
                    self.transcript.messages, self._tools, ends=self._spending.limits.ends, choice=choice
                )
            except Overflow as error:
                self._too_long = min(self._size, self._too_long or self._size)
                if not self.transcript.shorten(self._toolbox.readings, self._cited):
                    raise ModelError(f"the incident doesn't fit into the model's context: {error}") from None

    def calls(self, turn: Turn) -> list[ToolCall]:
        """The calls in an answer, including those written in its text, with their arguments repaired."""
        reported = next((str(one.get("text")) for one in self._toolbox.readings if one.tool == "symptom"), "")
        calls = turn.tool_calls or calls_in_text(turn.text, self._names, submit=SUBMIT, quoted=reported)
        cut = turn.finish_reason == "length"
        return [
            call.model_copy(update={"arguments": whole_escapes(repaired_json(call.arguments, cut=cut))})
            for call in calls
        ]
