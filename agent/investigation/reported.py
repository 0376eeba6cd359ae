"""Readings that stand in the report itself: a log's lines, and the errors of clients."""

from agent.evidence.report_words import denied
from agent.evidence.view import CLIENT_ERRORS, PASTED
from tools.client_errors.reading import client_error_values
from tools.client_errors.recognise import client_errors
from tools.clock import Clock
from tools.host.pasted_log import pasted_log
from tools.toolbox import Toolbox


def note_lines(toolbox: Toolbox, symptom: str, clock: Clock) -> None:
    """Note the lines of a log that a report quotes, as a reading of no node."""
    if pasted := pasted_log(symptom, clock.now().timestamp()):
        toolbox.note(PASTED, pasted)


def note_client_errors(toolbox: Toolbox, symptom: str) -> None:
    """Note the errors of clients that a report quotes, as a reading of no node.

    It comes last: which readings are taken isn't for a client's words to say.
    """
    said = (one for one in client_errors(symptom) if not denied(one.before))
    if values := client_error_values(said):
        toolbox.note(CLIENT_ERRORS, values)
