"""Readings of what is at hand already: lines of a log and errors of clients in the report, and who runs the target."""

from collections.abc import Sequence

from agent.evidence.managed import TOOL
from agent.evidence.report_words import denied
from agent.evidence.view import CLIENT_ERRORS, PASTED
from tools.client_errors.reading import client_error_values
from tools.client_errors.recognise import client_errors
from tools.clock import Clock
from tools.connection.managed import of_host
from tools.connection.target import Target
from tools.host.pasted_log import pasted_log
from tools.records import Reading
from tools.toolbox import Toolbox


def note_lines(toolbox: Toolbox, symptom: str, clock: Clock) -> None:
    """Note the lines of a log that a report quotes, as a reading of no node."""
    if pasted := pasted_log(symptom, clock.now().timestamp()):
        toolbox.note(PASTED, pasted)


def note_client_errors(toolbox: Toolbox, symptom: str, *, pasted: bool = False) -> None:
    """Note the errors of clients that a report quotes, as a reading of no node.

    It comes last: which readings are taken isn't for a client's words to say.
    """
    said = (one for one in client_errors(symptom) if not denied(one.before))
    if values := client_error_values(said, bare=pasted):
        toolbox.note(CLIENT_ERRORS, values)


def note_service(toolbox: Toolbox, target: Target, recorded: Sequence[Reading]) -> None:
    """Note which managed service runs the target, as a reading of no node, where settings or its address say so.

    Its other nodes often have bare addresses. `recorded` is what a recording has in place of the settings.
    """
    known = next((str(one.get("service")) for one in recorded if one.get("service")), None)
    by_host = of_host(target.host)
    if (named := target.service or known or (by_host.id if by_host else None)) is not None:
        by = "settings" if target.service or (known and not by_host) else "address"
        toolbox.note(TOOL, {"service": named, "by": by})
