"""CSV of what was measured or logged: Grafana's panels of redis_exporter's metrics, RedisInsight's slow log."""

import csv
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tools.paste.found import Found, hidden, of_reply
from tools.paste.lines import Lines, moment
from tools.paste.metrics import LABEL, of_samples
from tools.paste.prompts import Prompt
from tools.paste.replies import identified
from tools.patterns import deferred

_METRIC = re.compile(r"(?P<name>(?:redis|valkey)_\w{1,120})(?:\{(?P<labels>[^\n]{0,2000})\})?")
_INNER = deferred(r"\{[^\n]{0,2000}__name__=\"(?P<name>(?:redis|valkey)_\w{1,120})\"[^\n]{0,2000}\}")
_DURATION = re.compile(r"(?:duration|execution time|exec time)\s?(?:[(,]?\s?(?P<unit>msec|ms|usec|us|µs|μs|s)\)?)?")
_PER = {"msec": 1e3, "ms": 1e3, "s": 1e6}
_TIMES = ("%H:%M:%S, %d %b %Y", "%H:%M:%S %d %b %Y", "%d %b %Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S",
          "%d/%m/%Y, %H:%M:%S", "%m/%d/%Y, %H:%M:%S")  # fmt: skip
"""How tools write the time of a row beside ISO 8601."""
MOST, LONGEST = 20_000, 8192
"""Rows, and characters of one."""
_FIGURE = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?")


class _Column(NamedTuple):
    place: int
    name: str
    labels: dict[str, str]


def exported_rows(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """A table whose head names metrics of redis_exporter, or a slow log's columns."""
    first = lines[at].text
    if len(first) > LONGEST or not ("," in first or ";" in first):
        return None
    head = _cells(first)
    low = [cell.strip().lower() for cell in head]
    if (took := next((place for place, cell in enumerate(low) if _DURATION.fullmatch(cell)), None)) is not None and (
        "command" in low or "arguments" in low
    ):
        return _slow(lines, at + 1, above, low, took)
    columns = [one for place, cell in enumerate(head) if (one := _column(place, cell))]
    return _measured(lines, at, above, columns) if columns and len(head) > len(columns) else None


def _cells(text: str) -> list[str]:
    separator = ";" if text.count(";") > text.count(",") else ","
    try:
        return next(csv.reader([text], delimiter=separator), [])
    except csv.Error:
        return []


def _column(place: int, cell: str) -> _Column | None:
    inner = _INNER.fullmatch(cell.strip())
    found = inner or _METRIC.fullmatch(cell.strip())
    if not found:
        return None
    labels = dict(LABEL.findall(cell if inner else found["labels"] or ""))
    labels.pop("__name__", None)
    return _Column(place, found["name"], labels)


def _rows(lines: Lines, at: int, width: int) -> list[list[str]]:
    rows: list[list[str]] = []
    while at < len(lines) and not lines[at].blank and len(rows) < MOST and len(lines[at].text) <= LONGEST:
        cells = _cells(lines[at].text)
        if len(cells) < width:
            break
        rows.append(cells)
        at += 1
    return rows


def _measured(lines: Lines, at: int, above: Prompt | None, columns: list[_Column]) -> Found | None:
    """The first and the last row: what a counter grew by lies between them."""
    rows = _rows(lines, at + 1, columns[-1].place + 1)
    if not rows:
        return None
    end, text = at + 1 + len(rows), hidden(lines.texts(at, min(at + 1 + len(rows), at + 200)))
    pieces: list[Found] = []
    for row in rows[:: len(rows) - 1] if len(rows) > 1 else rows:
        when = next((time for cell in row if (time := _time(cell)) is not None), None)
        samples = [(one.name, one.labels, float(row[one.place]), when) for one in columns
                   if _FIGURE.fullmatch(row[one.place].strip())]  # fmt: skip
        if found := of_samples(end, samples, text, above):
            pieces += (found._replace(others=()), *found.others)
    return pieces[0]._replace(others=tuple(pieces[1:])) if pieces else None


def _slow(lines: Lines, at: int, above: Prompt | None, head: list[str], took: int) -> Found | None:
    """A slow log's rows."""
    unit = _DURATION.fullmatch(head[took])
    per = _PER.get((unit["unit"] if unit else "") or "", 1.0)
    command = next(place for place, cell in enumerate(head) if cell in ("command", "arguments"))
    rows = _rows(lines, at, max(took, command) + 1)
    entries: list[Any] = []
    for row in rows:
        when = next((time for cell in row if (time := _time(cell)) is not None), None)
        figure = row[took].replace(",", "").strip()
        words = row[command].split()
        if when is not None and words and _FIGURE.fullmatch(figure) and 0 <= float(figure) * per < 2**62:
            entries.append([0, int(when), int(float(figure) * per), words[:128]])
    found = identified(entries, ("SLOWLOG", "GET")) if entries else None
    return of_reply(at + len(rows), found, above) if found else None


def _time(cell: str) -> float | None:
    cell = cell.strip()
    if not 8 <= len(cell) <= 40 or not any(map(str.isdecimal, cell)):
        return None
    if re.fullmatch(r"1\d{9}(?:\d{3})?", cell):
        return float(cell) / (1000 if len(cell) == 13 else 1)
    if (found := moment(cell)) is not None:
        return found
    for form in _TIMES:
        try:
            return datetime.strptime(cell, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return None
