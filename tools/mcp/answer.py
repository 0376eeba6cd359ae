"""What a server answered, as the values of a reading: flat, bounded, without secrets, and said to be its words."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tools.records import SAID_BY, Scalar, Values
from tools.text import one_line

MOST_FIELDS, MOST_LINE, MOST_BYTES = 80, 300, 12_000
"""Fields of one answer, characters of one value, and bytes of them all."""
MOST_NAME, MOST_DEPTH = 80, 6
_LARGE = 2**53
"""Beyond it a number isn't the same in every program that reads JSON."""
Hide = Callable[[str], str]


def said(server: str, answer: Mapping[str, Any], hide: Hide) -> Values:
    """An answer's values: of JSON its fields by their paths, of text its lines as `line1` and so on.

    `said_by` comes first; `left_out` says how many fields or lines there were beyond the bound.
    """
    values: Values = {SAID_BY: server}
    room, left = MOST_BYTES, 0
    for field, value in _fields(answer):
        name, kept = _name(hide(field)), _kept(value, hide)
        room -= len(name.encode()) + len(str(kept).encode())
        if len(values) > MOST_FIELDS or room < 0:
            left += 1
        elif name not in values:
            values[name] = kept
    if left:
        values["left_out"] = left
    return values


def words(answer: Mapping[str, Any], hide: Hide, most: int) -> str:
    """The beginning of what a server said, on one line."""
    texts = (str(value) for _, value in _fields(answer))
    return one_line(hide(next(texts, "")), most)


def _fields(answer: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    structured = answer.get("structuredContent")
    if isinstance(structured, dict) and structured.keys() == {"result"} and isinstance(structured["result"], str):
        # A text that the server's library wrapped; it stands beside as it was.
        structured = None
    if structured is None:
        parts = answer.get("content")
        texts = [_text(one) for one in parts if isinstance(one, dict)] if isinstance(parts, list) else []
        text = "\n".join(texts)
        structured = _parsed(text)
        if structured is None:
            yield from _lines(text)
            return
    yield from _flat("", structured, 0)


def _text(part: Mapping[str, Any]) -> str:
    """A part's text; of a picture, a sound or a link only what kind it is, since nothing else is fetched."""
    text, resource = part.get("text"), part.get("resource")
    if isinstance(text, str):
        return text
    if isinstance(resource, dict) and isinstance(resource.get("text"), str):
        return str(resource["text"])
    return f"({str(part.get('type'))[:20]}, not read)"


def _parsed(text: str) -> object:
    """JSON that an answer's text is as a whole; null for other text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _lines(text: str, path: str = "") -> Iterator[tuple[str, object]]:
    lines = (line for line in text.splitlines() if line.strip())
    for number, line in enumerate(lines, 1):
        yield f"{path}line{number}", line


def _flat(path: str, value: object, depth: int) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict | list) and depth >= MOST_DEPTH:
        yield path, json.dumps(value)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), one, depth + 1)
    elif isinstance(value, list):
        for number, one in enumerate(value, 1):
            yield from _flat(f"{path}{number}" if path else f"item{number}", one, depth + 1)
    elif isinstance(value, str) and len(value.splitlines()) > 1:
        yield from _lines(value, f"{path}.")
    else:
        yield path or "value", value


def _name(field: str) -> str:
    name = one_line(field, MOST_NAME).strip()
    # Ours are taken, and what is cited has no blanks in its name.
    name = "".join(letter if letter.isalnum() or letter in "_.:/-" else "_" for letter in name) or "_"
    return f"{name}_" if name in (SAID_BY, "left_out", "unavailable") else name


def _kept(value: object, hide: Hide) -> Scalar:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) <= _LARGE:
        return value
    if isinstance(value, int):
        # Its digits could take longer to write than there is time.
        return f"an integer of {value.bit_length()} bits" if value.bit_length() > 256 else str(value)
    text = value if isinstance(value, str) else str(value)
    # Secrets are looked for in the whole, since a cut one isn't recognised.
    return one_line(hide(text[: 50 * MOST_LINE]), MOST_LINE).strip()
