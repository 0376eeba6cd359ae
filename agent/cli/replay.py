"""`rediagnose replay`: a recorded incident as endpoints on loopback, until Ctrl-C."""

import asyncio

from agent.cli.hard_stop import FOREVER, hard_stop
from agent.cli.interruption import interruptible
from agent.cli.other_inputs import ReplayInputs
from agent.cli.program import ANSWERED, INTERRUPTED
from tools.record.load import Recording, load
from tools.record.mapping import LOOPBACK
from tools.record.playhead import Moment
from tools.record.serve import Served, serving
from tools.record.tape import Tape
from tools.text import one_line


async def replay(inputs: ReplayInputs) -> int:
    """Serve until a signal ends it. Raises `UsageError` for a file or a port that can't be used."""
    recording = load(inputs.file)
    tape = Tape(recording)
    async with serving(tape, Moment(speed=inputs.speed, at=inputs.at), inputs.port) as served:
        with interruptible() as interruption, hard_stop(FOREVER, lambda _: INTERRUPTED):
            try:
                print(_begun(recording, tape, served, inputs.at), flush=True)
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not interruption.has_come() or (task := asyncio.current_task()) is None:
                    raise
                task.uncancel()
        print(_over(served), flush=True)
    return ANSWERED


def _begun(recording: Recording, tape: Tape, served: Served, at: float | None) -> str:
    cut = "; its end is missing" if recording.cut else ""
    shown = {_plain(node): f"redis://{LOOPBACK}:{port}" for node, port in served.ports.items()}
    width = max(map(len, shown), default=0)
    when = "; after that it goes on as it was" if at is None else f"; stopped at {at:g} s"
    return "\n".join([
        f"Symptom   {_plain(tape.head.symptom) or '(none was given)'}",
        f"Recorded  {_plain(tape.head.at)}, {tape.ends:.1f} s{cut}{when}",
        *(f"{node:<{width}}  ->  {url}" for node, url in shown.items()),
        "Ctrl-C ends it.",
    ])  # fmt: skip


def _over(served: Served) -> str:
    asked = f"{served.asked} commands were received"
    if not (missed := served.misses.total()):
        return f"{asked}, all of them recorded or implied."
    names = ", ".join(f"{_plain(name)} {count}" for name, count in served.misses.most_common())
    return f"{asked}; {missed} were not in the recording and were refused: {names}"


def _plain(text: str) -> str:
    """Untrusted text, short and on one line."""
    return one_line(text, 500)
