"""A deployment drawn as a tree: a row for each node, replicas indented under their primary."""

from collections.abc import Iterator, Sequence

from agent.answer.diagnosis import Diagnosis
from agent.report.deployment import Node, nodes_of
from agent.report.elements import Markup, joined, tag
from tools.text import one_line

WIDTH, ROW, BOX, INDENT = 460, 50, 42, 30
NAME_MOST, SAID_MOST = 34, 62
"""Characters that fit into a box."""
MOST = 24
"""Nodes that are drawn; of a larger deployment first those that something is wrong with."""


def topology(answer: Diagnosis) -> Markup | None:
    """The tree, and a sentence about what isn't drawn; null for a single node."""
    if len(answer.target.nodes) < 2:
        return None
    named = {cause.where: cause.id for cause in reversed(answer.causes) if cause.where}
    nodes = sorted(nodes_of(answer), key=lambda one: one.role == "sentinel")
    ill = [one for one in nodes if one.ills or one.name in named]
    shown = nodes if len(nodes) <= MOST else [*ill, *(one for one in nodes if one not in ill)][:MOST]
    rows = list(_rows([one for one in nodes if one in shown]))
    at = {one.name: number for number, (one, _) in enumerate(rows)}
    links = [_link(at[one.primary], number) for number, (one, deep) in enumerate(rows) if deep and one.primary]
    boxes = [_box(one, number, deep, named.get(one.name)) for number, (one, deep) in enumerate(rows)]
    about = "; ".join(_told(one) for one, _ in rows)
    drawn = tag(
        "svg", tag("title", f"Topology: {about}"), *links, *boxes,
        viewBox=f"0 0 {WIDTH} {len(rows) * ROW}", role="img", class_="topology",
    )  # fmt: skip
    rest = len(nodes) - len(shown)
    left = sum(bool(one.ills) for one in nodes if one not in shown)
    more = f"{rest} more nodes aren't drawn, {left or 'none'} of them with something wrong." if rest else None
    return joined(drawn, tag("p", more, class_="soft") if more else None)


def _rows(nodes: Sequence[Node]) -> Iterator[tuple[Node, bool]]:
    """Each node, and whether it stands under its primary."""
    names = {one.name for one in nodes}
    under = {one.name for one in nodes if one.primary in names and one.primary != one.name}
    # A replica of a replica stands beside it, under what can be drawn.
    below = {one.name for one in nodes if one.name in under and one.primary not in under}
    for one in nodes:
        if one.name in below:
            continue
        yield one, False
        yield from ((each, True) for each in nodes if each.name in below and each.primary == one.name)


def _link(above: int, number: int) -> Markup:
    x, top, middle = INDENT / 2, above * ROW + BOX, number * ROW + BOX / 2
    return tag("path", d=f"M{x:g} {top:g} V{middle:g} H{INDENT}", class_="link")


def _box(node: Node, number: int, deep: bool, cause: str | None) -> Markup:
    x, y = (INDENT if deep else 0), number * ROW
    tone = "ill" if node.ills else "named" if cause else "well"
    role = f"{node.role}, {cause}" if cause else node.role
    name = tag("text", one_line(node.name, NAME_MOST), x=x + 14, y=y + 17, class_="name")
    kind = tag("text", role, x=WIDTH - 10, y=y + 17, text_anchor="end")
    said = ", ".join((*node.ills, *node.said)) or "nothing wrong seen"
    return joined(
        tag("rect", x=x + 0.5, y=y + 0.5, width=WIDTH - x - 1, height=BOX - 1, rx=6, class_="box"),
        tag("rect", x=x + 0.5, y=y + 0.5, width=5, height=BOX - 1, rx=2.5, class_=tone),
        name, kind, tag("text", one_line(said, SAID_MOST), x=x + 14, y=y + 34, class_=f"said {tone}"),
    )  # fmt: skip


def _told(node: Node) -> str:
    below = f" of {node.primary}" if node.primary else ""
    return one_line(f"{node.name}, {node.role}{below}, {', '.join((*node.ills, *node.said)) or 'nothing wrong seen'}")
