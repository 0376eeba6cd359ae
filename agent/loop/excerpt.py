"""What a model sees of a runbook: one part at a time, and the names of the others."""

import re
from collections.abc import Iterator

PART_MOST = 4000
"""Bytes of one part."""
_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*")
_FENCE = re.compile(r"\s*(```+|~~~+)")


def excerpt(text: str, section: str | None = None, most: int = PART_MOST) -> str | None:
    """The beginning of a runbook up to its next heading, or a named section; then a list of the others.

    Null if there is no such section. A text that begins with a cause's own paragraph gives that one first.
    """
    parts = list(_parts(text))
    names = list(dict.fromkeys(name for name, _, _ in parts if name))
    if section is None:
        chosen = parts[0][2] if parts else ""
        shown = parts[0][0] if parts else ""
    else:
        wanted = _plain(section)
        found = next((n for n, (name, _, _) in enumerate(parts) if _plain(name) == wanted), None)
        if found is None:
            return None
        shown, level, chosen = parts[found]
        for _, below, more in parts[found + 1 :]:
            # All of it is below the title.
            if level == 1 or below <= level:
                break
            chosen += more
    others = ", ".join(name for name in names if name != shown)
    rest = f"\n\nSections (`section`): {others}" if others else ""
    return _shortened(chosen.strip(), most) + rest


def sections(text: str) -> list[str]:
    """The names of a runbook's sections."""
    return list(dict.fromkeys(name for name, _, _ in _parts(text) if name))


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("#", " ").replace("`", " ").split())


def _parts(text: str) -> Iterator[tuple[str, int, str]]:
    """The name of each heading, its level, and the text from it to the next one."""
    name, level, lines, fence = "", 9, list[str](), ""
    for line in text.splitlines(keepends=True):
        fence = _fence_after(line, fence)
        heading = None if fence else _HEADING.fullmatch(line.strip())
        if heading:
            if "".join(lines).strip():
                yield name, level, "".join(lines)
            name, level, lines = heading[2], len(heading[1]), []
        lines.append(line)
    if lines:
        yield name, level, "".join(lines)


def _fence_after(line: str, fence: str) -> str:
    """The code fence that is open after a line; empty outside code."""
    found = _FENCE.match(line)
    if not fence:
        return found[1] if found else ""
    closes = found is not None and found[1].startswith(fence) and line.strip() == found[1]
    return "" if closes else fence


def _shortened(text: str, most: int) -> str:
    """The first blocks that fit: neither a line nor a code block is ever split."""
    taken, used = list[str](), 0
    blocks = list(_blocks(text))
    for number, block in enumerate(blocks):
        used += len(block.encode())
        if used > most:
            left = len("".join(blocks[number:]).encode())
            return f"{''.join(taken).rstrip()}\n(… {left} more bytes in the runbook)".lstrip()
        taken.append(block)
    return "".join(taken)


def _blocks(text: str) -> Iterator[str]:
    """One line each, and code in one piece."""
    code, fence = "", ""
    for line in text.splitlines(keepends=True):
        fence = _fence_after(line, fence)
        code += line
        if not fence:
            yield code
            code = ""
    if code:
        yield code
