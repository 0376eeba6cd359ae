"""Evidence other than its sockets that a server listens where it's looked for."""

import re

from agent.checks.addresses import is_loopback, quoted_addresses
from agent.checks.words import REFUSED
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

UNREACHED = deferred(
    r"no route to host|ehostunreach|enetunreach|errno 1(01|13)\b|network is unreachable", re.IGNORECASE
)
"""Connect errors without an answer from the port."""
NONE: tuple[Cited, ...] = ()


def where(condition: bool, *cited: Cited) -> tuple[Cited, ...]:
    """The figures if the condition holds."""
    return cited if condition else NONE


def _seen_here(view: View) -> tuple[Cited, ...]:
    """The listener at the address was seen on this machine, although it isn't the server's own."""
    seen = view.text("process", "locality")
    return where(seen in ("foreign-listener", "other-server", "unseen-listener"), ("process", "locality"))


def _binds_everywhere(view: View) -> tuple[Cited, ...]:
    """It listens on every address of the IP version in the report; this can be read without seeing its sockets."""
    bind = view.get("config_drift", "bind")
    if not isinstance(bind, str):
        return NONE
    listens = {one.removeprefix("-") for one in bind.split()} or {"*", "::*"}
    about_v6 = any(":" in one for one in quoted_addresses(view.symptom)) or "localhost" in view.symptom.lower()
    everywhere = bool(listens & {"*", "0.0.0.0"}) and (not about_v6 or bool(listens & {"::*", "::"}))
    return where(everywhere, ("config_drift", "bind"))


def _binds_what_is_asked(view: View) -> tuple[Cited, ...]:
    """It's configured to listen on each address in the report, or on more than loopback if none is named."""
    bind = view.get("config_drift", "bind")
    if not isinstance(bind, str):
        return NONE
    # An address after a dash may be missing: the server starts anyway.
    listens, asked = [one for one in bind.split() if not one.startswith("-")], quoted_addresses(view.symptom)
    if asked:
        return where(set(asked) <= set(listens), ("config_drift", "bind"), ("symptom", "text"))
    if "localhost" in view.symptom.lower():
        return NONE
    return where(not all(map(is_loopback, listens)), ("config_drift", "bind"))


def _another_error(view: View) -> tuple[Cited, ...]:
    """The report quotes an error that a closed port doesn't give."""
    quoted = mention(UNREACHED, view.symptom) is not None and mention(REFUSED, view.symptom) is None
    return where(quoted, ("symptom", "text"))


def where_it_listens(view: View) -> tuple[Cited, ...]:
    """What contradicts that a server listens elsewhere although its sockets weren't seen."""
    ways = (_seen_here, _binds_everywhere, _binds_what_is_asked, _another_error)
    return next((cited for way in ways if (cited := way(view))), NONE)
