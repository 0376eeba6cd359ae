"""Values as programs print them, one a line."""

import re

_LITERAL = re.compile(r"'([^'\n]*)',?|\"([^\"\n]*)\",?|(-?\d{1,19}(?:\.\d{1,19})?),")
_OBJECT = re.compile(r"\{([^{}\n]{0,1000})\},?")
_MEMBER = re.compile(r"\b([a-z]\w{1,40})['\"]?:\s?['\"]?(-?[\d.]{1,20})")


def literal(value: str) -> str:
    """A field's value as INFO has it, where a program printed it as a literal: `'7.2.4',`, `{ keys: '1' },`."""
    if value[-1:] not in ("'", '"', ",", "}"):
        return value
    if found := _LITERAL.fullmatch(value):
        return next((one for one in found.groups() if one is not None), "")
    if found := _OBJECT.fullmatch(value):
        return ",".join(f"{name}={figure}" for name, figure in _MEMBER.findall(found[1]))
    return value
