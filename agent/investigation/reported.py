"""Readings that stand in the report itself: a log's lines, and the errors of clients."""

from agent.evidence.report_words import denied
from agent.evidence.view import CLIENT_ERRORS, PASTED
from tools.client_errors.reading import client_error_values
from tools.client_errors.recognise import client_errors
from tools.clock import Clock
from tools.host.pasted_log import pasted_log
from tools.toolbox import Toolbox


def note_reported(toolbox: Toolbox, symptom: str, clock: Clock) -> None:
    """Note what a report quotes, each kind as a reading of its own that is of no node."""
    if pasted := pasted_log(symptom, clock.now().timestamp()):
        toolbox.note(PASTED, pasted)
    said = (one for one in client_errors(symptom) if not denied(one.before))
    if values := client_error_values(said):
        toolbox.note(CLIENT_ERRORS, values)
