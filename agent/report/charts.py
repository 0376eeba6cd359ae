"""A reading drawn for the page as SVG or tables; None if it has nothing to draw."""

import math
from datetime import datetime

from agent.report.elements import Markup, joined, tag
from agent.report.quantities import bytes_text, quantity, unit_of
from agent.report.render import printed_value
from tools.records import Reading, Scalar, Values
from tools.text import one_line

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 150, 76, 6
DECADES = range(-2, 5)
"""Powers of ten, in milliseconds, that a grid line may mark."""
POINTS = 400
"""The most PINGs of one sample that are drawn."""
CHANGES = 10
OWNERS = 8
FIGURES_END = 1 << 63
"""Values that aren't below this aren't drawn: no server has them, and a float may not hold them."""


def latency(reading: Reading) -> Markup | None:
    """A latency sample: one bar for each PING, on a logarithmic scale, since one that hangs dwarfs the others."""
    values = reading.values or {}
    times = _numbers(values.get("series_ms"))[:POINTS]
    if reading.tool != "latency_sample" or not times:
        return None
    least = math.floor(math.log10(max(0.01, min(times))))
    most = max(least + 1, math.ceil(math.log10(max(0.01, *times))))
    step = (WIDTH - LEFT) / len(times)

    def height(ms: float) -> float:
        share = (math.log10(max(0.01, ms)) - least) / (most - least)
        return max(1.0, min(1.0, share) * (HEIGHT - BOTTOM))

    lines = [
        joined(
            tag("line", x1=LEFT, x2=WIDTH, y1=y, y2=y, class_="grid"),
            tag("text", f"{10.0**power:g} ms", x=LEFT - 6, y=min(HEIGHT - 2, max(11.0, y + 4)), text_anchor="end"),
        )
        for power in DECADES if least <= power <= most for y in (round(HEIGHT - height(10.0**power), 1),)
    ]  # fmt: skip
    bars = [
        tag("rect", x=round(LEFT + number * step, 2), y=round(HEIGHT - height(ms), 2),
            width=round(max(0.5, step * 0.8), 2), height=round(height(ms), 2), class_="late" if ms > 10 else "bar")
        for number, ms in enumerate(times)
    ]  # fmt: skip
    figures = ", ".join(
        f"{name} {printed_value(values[field])} ms"
        for name, field in (("fastest", "min_ms"), ("median", "median_ms"), ("slowest", "max_ms")) if field in values
    )  # fmt: skip
    lost = values.get("timeouts")
    about = f"{len(times)} PINGs: {figures}" + (f"; {lost} without an answer" if lost else "")
    drawn = tag("svg", tag("title", about), *lines, *bars, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img")
    return joined(drawn, tag("p", about, class_="soft"))


def memory(reading: Reading) -> Markup | None:
    """What a server's memory is used for: keys, buffers and tables, and what the allocator wastes."""
    values = reading.values or {}
    used = _bytes(values.get("used_memory"))
    if reading.tool != "memory" or not used:
        return None
    owners = [("the keys and their values", values.get("used_memory_dataset"))]
    owners += [(field[6:].replace("_", " "), value) for field, value in values.items() if field.startswith("owner.")]
    owners += [("the server itself at startup", values.get("used_memory_startup"))]
    owners += [("fragmentation (not in used_memory)", values.get("allocator_frag_bytes"))]
    held = [(name, size) for name, value in owners if (size := _bytes(value)) and size >= 0.001 * used]
    rows = [_bar(name, value, used) for name, value in sorted(held, key=lambda one: -one[1])[:OWNERS]]
    limit, rss = _bytes(values.get("maxmemory")), _bytes(values.get("used_memory_rss"))
    of = f" of {bytes_text(limit)} maxmemory" if limit else ", without a maxmemory"
    resident = f"; {bytes_text(rss)} resident" if rss else ""
    return joined(tag("table", tag("tbody", *rows), class_="bars"),
                  tag("p", f"used_memory is {bytes_text(used)}{of}{resident}.", class_="soft"))  # fmt: skip


def _bar(name: str, held: int, used: int) -> Markup:
    row = (
        tag("th", one_line(name), scope="row"),
        tag("td", meter(held / used)),
        tag("td", bytes_text(held)),
    )
    return tag("tr", *row)


def meter(share: float) -> Markup:
    """A share of a whole as a bar; without a style attribute, which a strict content security policy refuses."""
    filled = tag("rect", width=f"{min(1.0, share):.1%}", height="100%", class_="filled")
    return tag("svg", filled, class_="meter", aria_hidden="true")


def changes(reading: Reading) -> Markup | None:
    """What changed most, compared with a good day or with the minutes before."""
    values = reading.values or {}
    if reading.tool not in ("baseline", "history"):
        return None
    rows = [_change(values, number) for number in range(1, CHANGES + 1) if f"changed{number}.field" in values]
    against = f"a recording that is {printed_value(values.get('age_days'))} days old"
    since = f"{printed_value(values.get('minutes'))} minutes before the page" if reading.tool == "history" else against
    if not rows and reading.tool == "history" and not values.get("points_before"):
        return tag("p", f"There is no history of the {since} yet.", class_="soft")
    if not rows:
        return tag("p", f"Nothing stands out against {since}.", class_="soft")
    moment = "at the page" if reading.tool == "history" else "now"
    heads = tag("tr", *(tag("th", name, scope="col") for name in ("", "before", moment, "since", "")))
    return joined(tag("table", tag("thead", heads), tag("tbody", *rows)), tag("p", f"Against {since}.", class_="soft"))


def _change(values: Values, number: int) -> Markup:
    field, own = str(values[f"changed{number}.field"]), f"changed{number}"
    # The history keeps a change's figures under its number, a baseline under the figure's name.
    under = own if f"{own}.before" in values else field
    figures, unit = (
        (values.get(f"{under}.before"), values.get(f"{under}.at", values.get(f"{under}.now"))),
        unit_of(field),
    )
    cells = (*(quantity(one, unit) for one in figures), printed_value(values.get(f"{own}.when")))
    course = tag("td", _course(values, under, values.get(f"{own}.when")))
    shown = (tag("td", one_line(cell)) for cell in cells)
    return tag("tr", tag("th", one_line(field), scope="row"), *shown, course)


def _course(values: Values, under: str, when: Scalar) -> Markup | None:
    """The known course of the figure: level until it left its band, its farthest point, and now."""
    levels = [values.get(f"{under}.{part}") for part in ("before", "at", "now")]
    known = [
        float(level) for level in levels
        if isinstance(level, int | float) and not isinstance(level, bool) and abs(level) < FIGURES_END
    ]  # fmt: skip
    times = [_seconds(values.get(name)) for name in ("start", "end")] + [_seconds(when)]
    start, end, left = times
    if len(known) < 3 or start is None or end is None or left is None or not start < end:
        return None
    share = min(1.0, max(0.0, (left - start) / (end - start)))
    most, least = max(known), min(known)
    span = (most - least) or 1.0
    y = [round(20 - 16 * (level - least) / span, 1) for level in known]
    x = [round(2 + 116 * share, 1), round(2 + 116 * (share + (1 - share) / 2), 1)]
    path = f"M2 {y[0]} L{x[0]} {y[0]} L{x[0]} {y[1]} L{x[1]} {y[1]} L118 {y[2]}"
    title = tag("title", f"{printed_value(known[0])}, then {printed_value(known[1])}, now {printed_value(known[2])}")
    return tag("svg", title, tag("path", d=path, class_="course"), viewBox="0 0 120 24", role="img", class_="small")


def _seconds(moment: Scalar) -> float | None:
    try:
        return datetime.fromisoformat(str(moment)).timestamp() if moment else None
    except ValueError:
        return None


def _numbers(series: Scalar) -> list[float]:
    """The figures of a series; empty if anything in it isn't a number."""
    if not isinstance(series, str | int | float) or isinstance(series, bool):
        return []
    try:
        found = [float(part) for part in str(series).split()]
    except ValueError:
        return []
    return found if all(0 <= one < FIGURES_END for one in found) else []


def _bytes(value: Scalar) -> int:
    """An amount of memory; 0 for anything else."""
    is_one = isinstance(value, int) and not isinstance(value, bool) and 0 < value < FIGURES_END
    return int(value) if is_one and value else 0
