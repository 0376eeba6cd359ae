"""HTML as nested calls: anything that isn't already an element is text and gets escaped."""

from html import escape

VOID = frozenset(("meta", "line", "circle", "rect", "path"))
"""Elements used here without an end tag."""


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()

    def __html__(self) -> "Markup":
        """Template engines leave it as it is."""
        return self


Child = str | int | None
Attribute = str | int | float | bool | None


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """An element. `_` in an attribute's name stands for `-`, a trailing one is dropped; None and False leave it out."""
    written = "".join(
        _attribute(key, value) for key, value in attributes.items() if value is not None and value is not False
    )
    if name in VOID:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Markup:
    """Elements and text in sequence."""
    return Markup("".join(_child(one) for one in children))


def _child(one: Child) -> str:
    if isinstance(one, Markup):
        return one
    return "" if one is None else escape(str(one), quote=True)


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(text, quote=True)}"'
