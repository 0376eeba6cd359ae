"""The forms of a comment: Markdown, Jira's wiki markup, Atlassian Document Format, plain text.

Everything in a comment is escaped here: no name and no model's text becomes markup, a link or a mention.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from agent.report.markup import JOINER, code_in_markdown, in_markdown, unlinked, without_list_mark
from agent.tickets.document import Code, Comment, Inline, Items, Line, Para, Part
from agent.tickets.service import Form
from tools.patterns import deferred
from tools.text import printable

_FEW = 6
"""The most lines of evidence in a note."""
_EMOTICON = deferred(r"\((?=(?:[xynib!?/+*-]|on|off|\*[rgby]|flag|flagoff)\))|(?<=[:;])(?=[)(DPp])")
_WIKI_EDGES = deferred(r"(?<![A-Za-z0-9])[-+_^~*]|[-+_^~*](?![A-Za-z0-9])")
_WIKI_ALWAYS = deferred(r"[{}\[\]|!]")


def formatted_comment(comment: Comment, form: Form, limit: int) -> str:
    """A comment in a format and within a number of characters: folded parts are cut, the top never is."""
    render = _FORMS[form]
    whole = render(comment)
    if len(whole) <= limit:
        return whole
    least, most = 0, comment.rows
    while least < most:
        middle = (least + most + 1) // 2
        if len(render(comment.cut(middle))) <= limit:
            least = middle
        else:
            most = middle - 1
    return render(comment.cut(least))


def markdown(comment: Comment) -> str:
    """GitHub's Markdown; the lower part is in <details>."""
    parts = [f"<!-- {comment.marker} -->", *map(_markdown, comment.top)]
    for fold in comment.folds:
        inner = "\n\n".join(map(_markdown, fold.parts))
        parts.append(f"<details><summary>{in_markdown(fold.title)}</summary>\n\n{inner}\n\n</details>")
    return "\n\n".join(parts)


def _markdown(part: Part) -> str:
    if isinstance(part, Para):
        return without_list_mark(_line(part.line, _markdown_inline))
    if isinstance(part, Items):
        return "\n".join(f"- {without_list_mark(_line(line, _markdown_inline))}" for line in part.lines)
    inner = "\n".join(map(_flat, part.lines))
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", inner)), 3)
    return f"{fence}text\n{inner}\n{fence}"


def _markdown_inline(inline: Inline) -> str:
    if isinstance(inline, Code):
        return code_in_markdown(inline.text)
    escaped = in_markdown(inline.text)
    return _bold(escaped, "**") if inline.bold else escaped


def wiki(comment: Comment) -> str:
    """Jira's wiki markup, which can't fold: the lower part follows a horizontal rule."""
    parts = [*map(_wiki, comment.top), "----"]
    for fold in comment.folds:
        parts += [f"h4. {_in_wiki(fold.title)}", *map(_wiki, fold.parts)]
    return "\n\n".join([*parts, f"^{comment.marker}^"])


def _wiki(part: Part) -> str:
    if isinstance(part, Para):
        return _line(part.line, _wiki_inline)
    if isinstance(part, Items):
        return "\n".join(f"* {_line(line, _wiki_inline)}" for line in part.lines)
    inner = "\n".join(re.sub(r"\{(?=noformat)", "{ ", _flat(line)) for line in part.lines)
    return f"{{noformat}}\n{inner}\n{{noformat}}"


def _wiki_inline(inline: Inline) -> str:
    if isinstance(inline, Code):
        return f"{{{{{_in_wiki(inline.text)}}}}}" if inline.text.strip() else ""
    escaped = _in_wiki(inline.text)
    return _bold(escaped, "*") if inline.bold else escaped


def _in_wiki(text: str) -> str:
    text = _flat(text).replace("\\", "&#92;")
    text = _WIKI_EDGES.sub(r"\\\g<0>", text)
    text = _WIKI_ALWAYS.sub(r"\\\g<0>", text)
    text = _EMOTICON.sub(r"\\\g<0>", text)
    text = re.sub(r"^(h[1-6]\.|bq\.|#+ )", rf"{JOINER}\1", text)
    return re.sub(
        r"(?<=http)(?=s?:)|(?<=ftp)(?=:)|(?<=mailto)(?=:)|(?<=www)(?=\.)|(?<=[A-Za-z0-9])(?=://)|(?<=@)(?=\w)",
        JOINER,
        text,
    )


def adf(comment: Comment) -> str:
    """The JSON of an ADF document; the lower part is in `expand`."""
    content = [_adf(part) for part in comment.top]
    content += [
        {"type": "expand", "attrs": {"title": _flat(fold.title)}, "content": [_adf(part) for part in fold.parts]}
        for fold in comment.folds
    ]
    mark = {"type": "text", "text": comment.marker, "marks": [{"type": "code"}]}
    content.append({"type": "paragraph", "content": [mark]})
    return json.dumps({"type": "doc", "version": 1, "content": content}, ensure_ascii=False)


def _adf(part: Part) -> dict[str, Any]:
    if isinstance(part, Para):
        return {"type": "paragraph", "content": list(_adf_line(part.line))}
    if isinstance(part, Items):
        rows = [{"type": "paragraph", "content": list(_adf_line(line))} for line in part.lines]
        return {"type": "bulletList", "content": [{"type": "listItem", "content": [row]} for row in rows]}
    return {"type": "codeBlock", "content": [{"type": "text", "text": "\n".join(map(_flat, part.lines)) or " "}]}


def _adf_line(line: Line) -> Iterator[dict[str, Any]]:
    for inline in line:
        if text := _flat(inline.text):
            kind = "code" if isinstance(inline, Code) else "strong" if inline.bold else None
            yield {"type": "text", "text": text} | ({"marks": [{"type": kind}]} if kind else {})


def text(comment: Comment) -> str:
    """Plain text for notes that are read on a phone: the top and the first evidence."""
    parts = [_plain(part) for part in comment.top]
    for fold in comment.folds[:1]:
        first = [_first_lines(part) for part in fold.parts[:2]]
        parts.append("\n".join([f"{_flat(fold.title)}:", *map(_plain, first)]))
    return "\n\n".join([*parts, f"[{comment.marker}]"])


def _first_lines(part: Part) -> Part:
    return Items(part.lines[:_FEW]) if isinstance(part, Items) else part


def _plain(part: Part) -> str:
    if isinstance(part, Para):
        return _line(part.line, _plain_inline)
    if isinstance(part, Items):
        return "\n".join(f"- {_line(line, _plain_inline)}" for line in part.lines)
    return "\n".join(map(_flat, part.lines))


def _plain_inline(inline: Inline) -> str:
    return _flat(inline.text) if isinstance(inline, Code) else unlinked(_flat(inline.text))


def _line(line: Line, inline: Callable[[Inline], str]) -> str:
    return "".join(inline(one) for one in line)


def _bold(text: str, mark: str) -> str:
    """Bold without surrounding spaces, which would disable it."""
    inner = text.strip()
    if not inner:
        return text
    head = text[: len(text) - len(text.lstrip())]
    return f"{head}{mark}{inner}{mark}{text[len(text.rstrip()) :]}"


def _flat(text: str) -> str:
    return printable(text).replace("\n", " ").replace("\t", " ")


_FORMS: dict[Form, Callable[[Comment], str]] = {"markdown": markdown, "jira": wiki, "adf": adf, "text": text}
