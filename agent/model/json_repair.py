"""Repairs arguments that are almost JSON: the usual mistakes of small models, without guessing."""

import json
import re

from tools.patterns import deferred

MOST = 200_000
"""Characters beyond which nothing is repaired."""
_FENCE = deferred(r"```\w{0,32}")
_SPACE = deferred(r"\s+")
_WORD = deferred(r"[A-Za-z0-9_.+-]+")
_PLAIN = {"True": "true", "False": "false", "None": "null", "undefined": "null"}
_CLOSES = {"{": "}", "[": "]"}


def repaired_json(text: str, *, cut: bool = False) -> str:
    """The text as one JSON object if it can be read as one, else unchanged.

    Code fences and surrounding words are removed; single quotes, bare names, Python's True, False and None, line breaks
    in strings, trailing commas and missing brackets at the end are repaired. If the answer was `cut` at its token
    limit, no end is added.
    """
    if is_object(text) or len(text) > MOST or "{" not in text:
        return text
    bare = text.strip()
    if fence := _FENCE.match(bare):
        bare = bare[fence.end() :].removesuffix("```").strip()
    read = _read(bare if fence else text, closing=not cut)
    return read if read is not None and is_object(read) else text


def is_object(text: str) -> bool:
    """Whether a text is one JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _read(text: str, *, closing: bool) -> str | None:
    """The first object in a text, piece by piece; null if there is none or it doesn't end."""
    out: list[str] = []
    open_: list[str] = []
    at = text.find("{")
    while at < len(text):
        letter = text[at]
        if letter in "\"'":
            end = _closing_quote(text, at)
            if end is None or (piece := _string(text[at + 1 : end], letter)) is None:
                return None
            out.append(piece)
            at = end + 1
        elif letter in "{[":
            open_.append(_CLOSES[letter])
            out.append(letter)
            at += 1
        elif letter in "}]":
            if not open_ or open_.pop() != letter:
                return None
            _drop_comma(out)
            out.append(letter)
            at += 1
            if not open_:
                return "".join(out)
        elif word := _WORD.match(text, at):
            out.append(_word(word[0], text, word.end()))
            at = word.end()
        elif space := _SPACE.match(text, at):
            at = space.end()
        elif letter in ",:":
            out.append(letter)
            at += 1
        else:
            return None
    # Only brackets are added, never the end of a value.
    if not closing or not out or out[-1] == ":":
        return None
    _drop_comma(out)
    return "".join([*out, *reversed(open_)])


def _closing_quote(text: str, start: int) -> int | None:
    """Where a string ends: an apostrophe inside single quotes doesn't end it."""
    quote, at = text[start], start + 1
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] == quote and (quote == '"' or re.match(r"\s*([,:}\]]|\Z)", text[at + 1 : at + 20])):
            return at
        at += 1
    return None


def _string(inside: str, quote: str) -> str | None:
    if quote == "'":
        inside = re.sub(r'\\(.)|(")', lambda one: _double_quoted(one[1], one[2]), inside, flags=re.DOTALL)
    try:
        return json.dumps(json.loads(f'"{inside}"', strict=False))
    except ValueError:
        return None


def _double_quoted(escaped: str | None, quote: str | None) -> str:
    if quote:
        return '\\"'
    return "'" if escaped == "'" else f"\\{escaped}"


def _word(word: str, text: str, end: int) -> str:
    if re.match(r"\s*:", text[end : end + 20]) and not word[0].isdigit():
        return json.dumps(word)
    return _PLAIN.get(word, word)


def _drop_comma(out: list[str]) -> None:
    if out and out[-1] == ",":
        out.pop()
