"""A resumed conversation: nothing is weaker for the readings' not saying who asked for them."""

from agent.answer.diagnosis import Cause, Evidence, Verdict
from agent.answer.events import Event
from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options
from agent.runbooks.library import load
from tests.stand_in import answer
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.records import Reading


def test_a_narrower_reading_of_a_recorded_model_erases_nothing() -> None:
    def ignore(event: Event) -> None:
        pass

    target = parse_target("redis://127.0.0.1:1", environ={})
    incident = Investigation(target, "", load(), SystemClock(), ignore, Options())
    cited = (Evidence(reading="r1", field="rejected_connections.delta", value=12, verified=True),)
    cause = Cause(id="maxclients-exhausted", probability=0.9, where=None, why="It's full.", evidence=cited)
    base = answer("maxclients-exhausted")
    narrow = Reading(
        id="r9", tool="info", args={}, node="127.0.0.1:1", at="2026-01-31T02:05:07Z", ms=1.0,
        values={"connected_clients": 1, "maxclients": 10000, "rejected_connections.delta": 0}, unavailable=None,
    )  # fmt: skip
    incident.toolbox.recall([*base.readings, narrow])
    incident.floor = Verdict(outcome="diagnosed", causes=(cause,), findings=(cause,), ruled_out=(), unknown=())
    incident.report("and the web is slow")
    found = incident.check()
    assert found.outcome == "diagnosed" and found.causes[0].id == cause.id
    assert found.causes[0].probability >= cause.probability
