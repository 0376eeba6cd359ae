"""What an answer in plain text cites, compared with the readings like everything else that is claimed."""

from collections.abc import Iterable

from agent.answer.diagnosis import Evidence
from agent.evidence.citations import checked
from tools.patterns import deferred
from tools.records import Reading

MOST = 40
_TOKEN = deferred(
    r"(?P<reading>\br\d{1,6}\b)|(?P<field>[A-Za-z][A-Za-z0-9_.:|#-]{0,127})=(?P<value>\"[^\"\n]{0,200}\"|[^\s;,\])`*]{1,200})"
    r"|(?P<end>\n)"
)


def citations(text: str, readings: Iterable[Reading]) -> tuple[Evidence, ...]:
    """What is cited as `r4 field=value`, each with whether it stands there; several fields may follow one id."""
    found: dict[Evidence, None] = {}
    reading: str | None = None
    for token in _TOKEN.finditer(text):
        if token["field"] is None:
            # A line ends what an id is said about.
            reading = token["reading"]
        elif reading is not None:
            value = token["value"]
            value = value[1:-1] if value.startswith('"') and len(value) > 1 else value.rstrip(".!?)")
            found[Evidence(reading=reading, field=token["field"], value=value)] = None
    return checked(list(found)[:MOST], readings)
