"""What services measure of their servers: CloudWatch's and Memorystore's series."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from tools.paste.found import Found, hidden
from tools.paste.lines import Lines, moment
from tools.paste.metric_names import metric_names, plain
from tools.paste.prompts import Prompt
from tools.records import Values


class Point(NamedTuple):
    """One figure of one series."""

    name: str
    value: float
    at: float | None = None


def is_service_metric(name: str) -> bool:
    """Whether CloudWatch or Memorystore has a metric of this name."""
    return _service_name(name) is not None


def _service_name(name: str) -> str | None:
    """What to call a service's metric; None for what is none."""
    name = name.strip().strip("\"'").removeprefix("AWS/ElastiCache ").removeprefix("AWS/MemoryDB ")
    if name in metric_names()["cloudwatch"]:
        return metric_names()["cloudwatch"][name] or name
    if "/" not in name:
        return None
    path = re.sub(r"^(?:redis|memorystore)\.googleapis\.com/(?:instance/|cluster/)?(?:node/)?", "", name)
    if path in metric_names()["memorystore"]:
        return metric_names()["memorystore"][path] or path
    return None


def of_points(end: int, points: Iterable[Point], text: str, node: str | None = None) -> Found | None:
    """A piece of a service's series: of each the newest figure, and the least and the most where there are several."""
    series: dict[str, list[Point]] = {}
    for point in points:
        name = _service_name(point.name)
        if name is not None and point.value == point.value and abs(point.value) != float("inf"):
            series.setdefault(name, []).append(point)
    values: Values = {}
    newest: float | None = None
    for name, found in series.items():
        ordered = sorted(found, key=lambda one: one.at or 0)
        values[name] = plain(ordered[-1].value)
        if len(ordered) > 1:
            figures = [one.value for one in ordered]
            values |= {
                f"{name}.min": plain(min(figures)),
                f"{name}.max": plain(max(figures)),
                f"{name}.points": len(figures),
            }
        times = [one.at for one in ordered if one.at is not None]
        newest = max([*times, *([newest] if newest is not None else [])], default=None)
    return Found(end, "metrics", text, values=values, at=newest, node=node) if values else None


_NAMED = re.compile(
    r"\b(?P<name>[A-Z][A-Za-z]{5,60})\b[\"'`]?\s{0,3}(?:[:=|,]|is|was|at)?\s{0,3}[\"'`]?~?(?P<value>-?\d{1,15}(?:\.\d{1,9})?)(?![\w:/-])"
)


def named(text: str) -> list[Point]:
    """What a sentence or a table quotes of CloudWatch."""
    return [
        Point(found["name"], float(found["value"]))
        for found in _NAMED.finditer(text[:65536])
        if found["name"] in metric_names()["cloudwatch"]
    ]


def table(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """CSV with a service's metrics: a column each, or a row each."""
    first = lines[at].text
    if "," not in first or len(first) > 8192:
        return None
    head = _cells(first)
    columns = {place: cell for place, cell in enumerate(head) if is_service_metric(cell)}
    begin, points = at, list[Point]()
    at += 1
    if columns:
        while at < len(lines) and not lines[at].blank and "," in lines[at].text:
            cells = _cells(lines[at].text)
            when = next((time for cell in cells if (time := _time(cell)) is not None), None)
            for place, name in columns.items():
                if place < len(cells) and (figure := _figure(cells[place])) is not None:
                    points.append(Point(name, figure, when))
            at += 1
    elif {"metric", "metricname", "metric_name", "label", "name", "metric.type"} & {cell.lower() for cell in head}:
        while at < len(lines) and not lines[at].blank and "," in lines[at].text:
            cells = _cells(lines[at].text)
            metric = next((cell for cell in cells if is_service_metric(cell)), None)
            figure = next((one for cell in cells[::-1] if (one := _figure(cell)) is not None), None)
            when = next((time for cell in cells if (time := _time(cell)) is not None), None)
            if metric and figure is not None:
                points.append(Point(metric, figure, when))
            at += 1
    if not points:
        return None
    return of_points(at, points, hidden(lines.texts(begin, min(at, begin + 500))), above.node if above else None)


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(",")]


def _figure(cell: str) -> float | None:
    return float(cell) if re.fullmatch(r"-?\d{1,25}(?:\.\d{1,25})?(?:[eE][+-]?\d{1,3})?", cell) else None


def _time(cell: str) -> float | None:
    if re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d(?::\d\d)?", cell):
        cell = cell.replace("/", "-") + (":00" if cell.count(":") == 1 else "")
    return moment(cell) if cell[:2] in ("19", "20") and "-" in cell else None


def of_cloud(end: int, value: Any) -> Found | None:
    """CloudWatch's and Memorystore's JSON."""
    return of_points(end, _points(value), "")


def _points(value: Any) -> Iterable[Point]:
    if isinstance(value, list):
        for one in value[:5000]:
            yield from _points(one)
        return
    if not isinstance(value, dict):
        return
    label = value.get("Label")
    if isinstance(label, str) and isinstance(value.get("Datapoints"), list):
        for one in value["Datapoints"][:20_000]:
            if isinstance(one, dict):
                figure = next((one[name] for name in ("Average", "Maximum", "Sum", "Minimum") if name in one), None)
                yield from _point(label, figure, one.get("Timestamp"))
    elif isinstance(value.get("Values"), list) and (isinstance(label, str) or isinstance(value.get("Id"), str)):
        times = value.get("Timestamps")
        times = times if isinstance(times, list) else []
        name = label if isinstance(label, str) else str(value.get("Id"))
        for place, figure in enumerate(value["Values"][:20_000]):
            yield from _point(name.split(" ")[-1], figure, times[place] if place < len(times) else None)
    elif isinstance(value.get("metric"), dict) and isinstance(value.get("points"), list):
        kind = value["metric"].get("type")
        for one in value["points"][:20_000]:
            if isinstance(one, dict) and isinstance(one.get("value"), dict):
                figure = next(iter(one["value"].values()), None)
                interval = one.get("interval")
                yield from _point(kind, figure, interval.get("endTime") if isinstance(interval, dict) else None)
    elif isinstance(value.get("MetricName"), str) and any(name in value for name in ("Value", "Average", "Maximum")):
        figure = next(value[name] for name in ("Value", "Average", "Maximum") if name in value)
        yield from _point(value["MetricName"], figure, value.get("Timestamp"))
    else:
        flat = {
            name: one for name, one in value.items() if isinstance(one, int | float) and is_service_metric(str(name))
        }
        for name, one in flat.items():
            yield Point(str(name), float(one))
        for name in ("MetricDataResults", "timeSeries", "time_series", "Metrics", "metrics"):
            yield from _points(value.get(name))


def _point(name: Any, figure: Any, when: Any) -> Iterable[Point]:
    try:
        number = float(figure)
    except (TypeError, ValueError, OverflowError):
        return
    at = moment(when) if isinstance(when, str) else float(when) if isinstance(when, int | float) else None
    if isinstance(name, str):
        yield Point(name, number, at)
