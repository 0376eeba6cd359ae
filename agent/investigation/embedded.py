"""Investigations for programs that embed this one; exported by `rediagnose`."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from agent.answer.diagnosis import OFFLINE, Diagnosis
from agent.answer.events import Event
from agent.investigation.model_settings import ModelSettings
from agent.investigation.pipeline import Setup, run
from agent.investigation.sources import DEADLINE_CHECKS, DEADLINE_MODEL, Options, Sources
from agent.model.selection import choose
from agent.runbooks.library import load
from tools.clock import SystemClock
from tools.connection.target import Tls, parse_target
from tools.connection.trust import parse_network
from tools.errors import UsageError
from tools.redact import hide_secrets

if TYPE_CHECKING:
    # Few programs have any, and they bring the SDK along.
    from tools.mcp.server import McpServer


async def investigate(
    url: str, symptom: str = "", *, model: str | None = OFFLINE, window: float = 2.0, deadline: float | None = None,
    one_node: bool = False, tls: Tls | None = None, password_file: Path | None = None, runbooks: Path | None = None,
    record: Path | None = None, on_event: Callable[[Event], None] | None = None, trust: Sequence[str] = (),
    mcp: "Sequence[McpServer]" = (),
) -> Diagnosis:  # fmt: skip
    """Look at a deployment and say what is wrong with it. Nothing on a server is changed.

    `url` is as on the command line: redis://, rediss://, unix://, or redis+sentinel://h1:p1,h2:p2/MASTER.
    `model` names a model of the endpoint set in the environment, null the one in REDIAGNOSE_MODEL; by default nothing
    is sent and the checks answer. `window` is the seconds between the two samples, `deadline` the seconds for the whole
    (30, with a model 180). `trust` are networks (CIDR) in which nodes that the server names may be sent its password.
    `mcp` are a team's own MCP servers that a model may ask, as `McpServer`; without a model they're left alone. No
    rediagnose.toml is read: neither its targets nor its `[[mcp]]` count here.
    `on_event` receives each reading as it is taken.

    A server that is dead or refuses us is an answer too. Raises `UsageError` for arguments that can't be used.
    """
    if not 0.2 <= window <= 60:
        raise UsageError(f"window={window}: give 0.2 to 60 seconds")
    if deadline is not None and deadline <= 0:
        raise UsageError(f"deadline={deadline}: give a number of seconds above 0")
    use = choose(model)
    if mcp and use.name != OFFLINE and find_spec("mcp") is None:
        raise UsageError("mcp: what asks these servers isn't installed; pip install 'rediagnose[mcp]'")
    try:
        networks = tuple(parse_network(one) for one in trust)
    except ValueError as error:
        raise UsageError(f"trust: {error}; give networks such as 10.1.0.0/16") from None
    target = parse_target(url, tls=tls, password_file=password_file).model_copy(update={"trust": networks})
    if target.tls:
        target.tls.context()
    seconds = deadline or (DEADLINE_CHECKS if use.name == OFFLINE else DEADLINE_MODEL)
    setup = Setup(
        target=target, symptom=hide_secrets(symptom), library=load(runbooks), model=ModelSettings(use=use),
        options=Options(window=window, deadline=seconds, one_node=one_node),
        sources=Sources(record=record, mcp=() if use.name == OFFLINE else tuple(mcp)),
    )  # fmt: skip
    incident = setup.investigation(SystemClock(), on_event or _ignore)
    try:
        await run(incident, setup.model)
        return incident.answer()
    finally:
        await incident.close()


def _ignore(event: Event) -> None:
    pass
