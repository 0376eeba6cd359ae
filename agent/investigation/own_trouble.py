"""What keeps this program out but says nothing about the incident: its own login."""

import re
from collections.abc import Mapping

from agent.answer.diagnosis import Diagnosis
from tools.patterns import deferred

ABOUT_ACCESS = deferred(
    r"noauth|wrongpass|noperm|auth|password|credential|permission|log ?in|secret|acl|dns|resolv|name or service",
    re.IGNORECASE,
)
"""Reports that a refused login answers."""
REMEDY = "give user:password in the URL, --password-file or REDISCLI_AUTH"
REFUSED: Mapping[str, str] = {
    "noauth": f"I couldn't log in, because no password was given: {REMEDY}",
    "wrongpass": f"I couldn't log in, because the server refuses this user or password: {REMEDY}",
}
"""The message for a person, by how the server refused."""


def own_trouble(answer: Diagnosis, *, own_password: bool = False) -> str | None:
    """Why nothing could be asked, if the reason is this program's own login and not what was reported; else None.

    A password that a person gave may be the applications' own, and its refusal the incident. Only the refusal of our
    own password (`own_password`), such as one from the settings, isn't an answer.
    """
    if ABOUT_ACCESS.search(answer.symptom) or any(one.tool == "info" and one.values for one in answer.readings):
        return None
    named = answer.target.nodes[:1]
    refused = (
        one.unavailable.kind
        for one in answer.readings
        if one.tool == "connect" and one.unavailable and (one.node in named or not named)
    )
    known = REFUSED if own_password else {"noauth": REFUSED["noauth"]}
    return next((known[kind] for kind in refused if kind in known), None)


def is_unknown_name(answer: Diagnosis) -> bool:
    """Whether the server's name doesn't resolve here, which doesn't answer the ticket."""
    kinds = {one.unavailable.kind for one in answer.readings if one.tool == "connect" and one.unavailable}
    reached = any(one.tool == "info" and one.values for one in answer.readings)
    return "dns" in kinds and not reached and not ABOUT_ACCESS.search(answer.symptom)
