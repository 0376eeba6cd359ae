"""The report's plots, as SVG inside the page."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from agent.report.elements import Markup, joined, tag
from evals.scoring.summary import Summary

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 66, 20, 14, 44
COLOURS = 6


class Axis(NamedTuple):
    """A direction: its ends and where they lie."""

    least: float
    most: float
    begins: float
    ends: float

    def at(self, value: float) -> float:
        """The place of a value."""
        share = (value - self.least) / (self.most - self.least)
        return round(self.begins + share * (self.ends - self.begins), 2)


SHARE_X = Axis(0, 1, LEFT, WIDTH - RIGHT)
SHARE_Y = Axis(0, 1, HEIGHT - BOTTOM, TOP)


def calibration(arms: Sequence[Summary]) -> Markup:
    """What was said against what was there; on the diagonal they're the same."""
    shown = [one for one in arms if one.bins]
    diagonal = _line(SHARE_X.at(0), SHARE_Y.at(0), SHARE_X.at(1), SHARE_Y.at(1), dashed=True)
    parts: list[Markup] = [_grid("stated probability", "was there", [0, 0.25, 0.5, 0.75, 1], SHARE_X), diagonal]
    for number, one in enumerate(shown):
        colour = _colour(number)
        points = [(SHARE_X.at(each.said), SHARE_Y.at(each.right), each) for each in one.bins]
        path = " ".join(f"{'L' if place else 'M'}{x} {y}" for place, (x, y, _) in enumerate(points))
        parts.append(tag("path", d=path, fill="none", stroke=colour, stroke_width=2))
        for x, y, each in points:
            title = f"{one.arm}: {each.count} given {each.said:.0%}, {each.right:.0%} present"
            radius = round(3 + min(4.0, math.log10(each.count)), 1)
            parts.append(tag("g", tag("title", title), tag("circle", cx=x, cy=y, r=radius, fill=colour)))
    parts += _legend([(one.arm, _colour(number)) for number, one in enumerate(shown)])
    return _svg("Calibration", parts)


def cost(arms: Sequence[Summary]) -> tuple[str, Markup]:
    """What a run costs against how often it's right, and what the cost is measured in."""
    unit, values = _unit(arms)
    most = max([*values, 0]) * 1.15 or 1
    axis = Axis(0, most, LEFT, WIDTH - RIGHT)
    parts: list[Markup] = [_grid(unit, "cause first", [most * part / 4 for part in range(5)], axis)]
    numbers = {one.arm: number for number, one in enumerate([one for one in arms if not one.control])}
    taken: list[tuple[float, float]] = []
    for one, value in zip(arms, values, strict=True):
        of = one.first
        if of.value is None or of.low is None or of.high is None:
            continue
        x, y = axis.at(value), SHARE_Y.at(of.value)
        colour = _colour(numbers[one.arm]) if one.arm in numbers else "var(--control)"
        # Names of arms that lie together stand one below the other.
        label = y - 8
        while any(abs(x - other) < 90 and abs(label - height) < 13 for other, height in taken):
            label -= 13
        taken.append((x, label))
        ends = _line(x, SHARE_Y.at(of.low), x, SHARE_Y.at(of.high), colour=colour)
        dot = tag("circle", cx=x, cy=y, r=5, fill=colour)
        right = x > WIDTH * 0.7
        name = tag("text", one.arm, x=x - 9 if right else x + 9, y=max(label, 10), class_="name",
                   text_anchor="end" if right else "start")  # fmt: skip
        parts.append(tag("g", tag("title", f"{one.arm}: {value:.4g} {unit}, {of.value:.1%}"), ends, dot, name))
    return unit, _svg("Cost against accuracy", parts)


def _unit(arms: Sequence[Summary]) -> tuple[str, list[float]]:
    """Money if there are prices, else tokens if any were used, else commands."""
    if any(one.cost.total for one in arms):
        return "cost of a run", [(one.cost.total or 0) / max(1, one.runs) for one in arms]
    tokens = [(one.cost.tokens_in + one.cost.tokens_out) / max(1, one.runs) for one in arms]
    return ("tokens of a run", tokens) if any(tokens) else ("commands of a run", [one.cost.commands for one in arms])


def _colour(number: int) -> str:
    return f"var(--s{number % COLOURS})"


def _line(x1: float, y1: float, x2: float, y2: float, *, colour: str = "var(--line)", dashed: bool = False) -> Markup:
    dash = "4 4" if dashed else None
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke="var(--soft)" if dashed else colour, stroke_width=1.5,
               stroke_dasharray=dash)  # fmt: skip


def _grid(below: str, beside: str, ticks: Iterable[float], axis: Axis) -> Markup:
    parts: list[Markup] = []
    for value in (0, 0.25, 0.5, 0.75, 1):
        y = SHARE_Y.at(value)
        parts.append(_line(LEFT, y, WIDTH - RIGHT, y))
        parts.append(tag("text", f"{value:.0%}", x=LEFT - 8, y=y + 4, text_anchor="end"))
    for tick in ticks:
        label = f"{tick:.0%}" if axis.most == 1 else f"{tick:,.0f}" if axis.most >= 20 else f"{tick:.2g}"
        parts.append(tag("text", label, x=axis.at(tick), y=HEIGHT - BOTTOM + 18, text_anchor="middle"))
    parts.append(tag("text", below, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 6, text_anchor="middle"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(tag("text", beside, x=12, y=middle, text_anchor="middle", transform=f"rotate(-90 12 {middle})"))
    return joined(*parts)


def _legend(names: Sequence[tuple[str, str]]) -> Iterator[Markup]:
    for number, (name, colour) in enumerate(names):
        # Below the diagonal, where an arm that isn't too sure of itself has nothing.
        y = HEIGHT - BOTTOM - 12 - 16 * number
        yield tag("circle", cx=WIDTH - RIGHT - 10, cy=y - 4, r=4, fill=colour)
        yield tag("text", name, x=WIDTH - RIGHT - 20, y=y, class_="name", text_anchor="end")


def _svg(title: str, parts: Iterable[Markup]) -> Markup:
    return tag("svg", tag("title", title), *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img")
