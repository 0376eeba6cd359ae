"""An investigation's stream of events, written into a recording as it happens."""

from typing import TYPE_CHECKING

from agent.answer.events import Emit, Event, ModelThought, ReadingBegun, ReadingTaken

if TYPE_CHECKING:
    from tools.record.recorder import Recorder


def heard_by(recorder: "Recorder | None", emit: Emit, *, events: bool = True) -> Emit:
    """Passes events on and writes them to the recording too; without `events`, only what a replay needs."""
    if recorder is None:
        return emit
    from tools.record.recorder import NOT_THE_SERVERS

    def both(event: Event) -> None:
        if isinstance(event, ReadingTaken):
            recorder.reading(event.reading)
        beside = isinstance(event, ReadingTaken) and event.reading.tool in NOT_THE_SERVERS
        if events and not beside and not isinstance(event, ReadingBegun | ModelThought):
            recorder.event(event.model_dump(mode="json", by_alias=True))
        emit(event)

    return both
