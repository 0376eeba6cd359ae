"""Citations in a plain-text answer, compared with the readings like every other claim."""

from collections.abc import Iterable, Sequence

from agent.answer.diagnosis import Evidence
from agent.evidence.citations import checked, matches
from agent.evidence.citations import problems as citation_problems
from tools.patterns import deferred
from tools.records import Reading

MOST = 40
_TOKEN = deferred(
    r"(?P<reading>\br\d{1,6}\b)|(?P<field>[A-Za-z][A-Za-z0-9_.:|#-]{0,127})=(?P<value>\"[^\"\n]{0,200}\"|[^\s;,\])`*]{1,200})"
    r"|(?P<end>\n)"
)


def citations(text: str, readings: Iterable[Reading]) -> tuple[Evidence, ...]:
    """Citations such as `r4 field=value`, each with whether the reading has it; several fields may follow one id."""
    found: dict[Evidence, None] = {}
    reading: str | None = None
    for token in _TOKEN.finditer(text):
        if token["field"] is None:
            # An id applies up to the end of its line.
            reading = token["reading"]
        elif reading is not None:
            value = token["value"]
            value = value[1:-1] if value.startswith('"') and len(value) > 1 else value.rstrip(".!?)")
            found[Evidence(reading=reading, field=token["field"], value=value)] = None
    return checked(list(found)[:MOST], readings)


_FIGURE = deferred(
    r"(?<![\w.:/=#@+-])(?P<figure>\d{1,3}(?:,\d{3}){1,6}|\d{3,15}(?:\.\d{1,6})?)(?![\w.,:/=-]{0,64}\w)"
    r"(?! ?(?:[kKMGT]?i?[bB](?:ytes)?\b|%|per\b|[munµ]?s\b|min|hours?\b|days?\b|milli|micro|seconds?\b|[KMGT]\b))"
)
"""A number on its own, with three or more digits and without a unit that could have been converted."""
_NUMBER = deferred(r"\d+(?:\.\d+)?")


def false_claims(text: str, readings: Sequence[Reading]) -> list[str]:
    """What a text says that the readings don't, worded for a model: a wrong citation, or a figure of nowhere.

    A round figure may be an estimate and one with a unit may be converted, so neither can be compared.
    """
    cited = citations(text, readings)
    found = [problem.partition(": ")[2] for problem in citation_problems("summary", cited, readings)]
    told = dict.fromkeys(match["figure"].replace(",", "") for match in _FIGURE.finditer(text))
    exact = [one for one in told if not one.endswith("00")]
    if not exact:
        return found
    known: set[str] = set()
    for reading in readings:
        known.update(_NUMBER.findall(reading.model_dump_json()))
    nowhere = [one for one in exact if one not in known and not any(matches(one, float(read)) for read in known)]
    return found + [f"{one} stands in no reading; give figures as they were read" for one in nowhere]
