"""An alert about a figure and a limit, and one of which nobody knows what it asks."""

from collections.abc import Sequence

from agent.alerts.answered import Answered, since_start, started_lately, unread, window
from agent.alerts.metrics import FIGURES, Figure
from agent.alerts.rules import Alert
from agent.evidence.view import Cited, View
from agent.report.quantities import bytes_text, number_text, seconds_text, share_text


def compared(view: View, alert: Alert) -> Answered:
    """Whether the figure is beyond the alert's limit now."""
    figure = FIGURES[alert.figure]
    if figure.kind == "status":
        return _status(view, figure)
    if figure.kind == "counter":
        return _counter(view, alert, figure)
    value, cited = _value(view, figure)
    if value is None:
        return unread(view, "the figure that it compares")
    told = figure.told.format(_text(value, figure))
    if alert.is_share and figure.unit != "share":
        return Answered("unknown", f"can't tell, because it isn't known of what it's a share; {told}", view, cited)
    low = alert.low if alert.threshold is not None else figure.low
    if alert.threshold is None:
        return Answered("unknown", f"can't tell, because the alert names no limit; {told}", view, cited)
    limit = alert.threshold / 100 if figure.unit == "share" and (alert.is_share or alert.threshold > 1) else (
        alert.threshold
    )  # fmt: skip
    beyond = value < limit if low else value > limit
    side = "below" if low else "above"
    if beyond:
        return Answered("now", f"yes, {told}, {side} {_text(limit, figure)}", view, cited)
    return Answered("no", f"not now, {told}, not {side} {_text(limit, figure)}", view, cited)


def _value(view: View, figure: Figure) -> tuple[float | None, tuple[Cited, ...]]:
    read = [(value, cited) for cited in figure.fields if (value := view.number(*cited)) is not None]
    if not read:
        return None, ()
    if figure.kind == "rate":
        return sum(value for value, _ in read), tuple(cited for _, cited in read)
    return read[0][0], (read[0][1],)


def _counter(view: View, alert: Alert, figure: Figure) -> Answered:
    tool, field = figure.fields[0]
    total, now = view.number(tool, field), view.number(tool, f"{field}.delta")
    rate = view.number(tool, f"{field}.rate")
    cited: tuple[Cited, ...] = (tool, f"{field}.delta"), (tool, field), (tool, f"{field}.rate")
    if total is None:
        return unread(view, "the figure that it compares")
    ever = f"{figure.told.format(number_text(total))} {since_start(view)}"
    if alert.is_rate and alert.threshold is not None and rate is not None:
        a_second = f"{figure.told.format(number_text(round(rate, 1)))} a second {window(view)}"
        if rate > alert.threshold:
            return Answered("now", f"yes, {a_second}, more than {number_text(alert.threshold)}", view, cited)
        return Answered("no", f"not now, {a_second}, not more than {number_text(alert.threshold)}", view, cited)
    if now:
        return Answered("now", f"yes, {figure.told.format(number_text(now))} {window(view)}", view, cited)
    if total:
        return Answered("over", f"not now: none {window(view)}; {ever}", view, cited)
    if started_lately(view):
        return Answered("over", f"not now: {ever}; earlier counts are lost", view, cited)
    return Answered("no", f"no: {ever}", view, cited)


def _status(view: View, figure: Figure) -> Answered:
    status = view.text(*figure.fields[0])
    if not status:
        return unread(view, "INFO persistence")
    told = figure.told.format(status)
    if status == "ok":
        return Answered("no", f"not now, {told}", view, tuple(figure.fields))
    return Answered("now", f"yes, {told}", view, tuple(figure.fields))


def _text(value: float, figure: Figure) -> str:
    if figure.unit == "bytes":
        return bytes_text(value)
    if figure.unit == "seconds":
        return seconds_text(value)
    return share_text(value) if figure.unit == "share" else number_text(value)


def unknown(views: Sequence[View], alert: Alert) -> Answered:
    """Nobody here knows what it asks; the rest of the answer doesn't depend on it."""
    why = (
        f"the server doesn't report {alert.figure}, or not under a name that is known here"
        if alert.figure
        else "rediagnose knows no rule of this name, and the alert names no metric with a limit"
    )
    return Answered("unknown", f"can't tell, because {why}; what was found anyway follows")
