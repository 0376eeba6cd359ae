"""The lines of a paste without what was put around them: quotes, line numbers, fences, shippers' prefixes, colours."""

import json
import re
from array import array
from typing import NamedTuple

from tools.patterns import deferred
from tools.text import printable

LONGEST = 64 * 1024
"""Characters of a line that are looked at."""
_KEPT, _SHORT = 4096, 80
"""Lines that are kept clean at a time: a paste may have a million; and how long one is of which there may be many."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060]")
_QUOTE = re.compile(r"\s{0,3}(?:(?!>>> ')>[ ]?)+(?!=)")
"""A mail's or Markdown's quotation marks; a server shows a line of its configuration behind three of them."""
_FENCE = re.compile(
    r"\s{0,200}(?:```+|~~~+|\{(?:code|noformat|quote|panel)[^}\n]{0,80}\}|</?(?:pre|code)[^>\n]{0,80}>|\[/?code\])\s*"
)
_NUMBER = re.compile(
    r"\s{0,12}(?P<number>\d{1,8})(?:(?P<mark>[:|│])\s?|\t|\s{2,4}(?!\s*[\d.]+[KMGB]?\s))(?!\d{1,2}:\d\d)"
)
"""A line number, of `cat -n`, grep -n or an editor."""
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?Z| ?[+-]\d\d:?\d\d)?"
_SHIPPED = re.compile(
    r"(?:\[(?!\d{1,10}\] \d{1,2} [A-Z][a-z]{2} \d\d:)(?:pod/)?[\w./-]{1,120}\] |"
    r"[\w.-]{1,64}(?: [\w.-]{1,64})? {0,40}[|│] |"
    # A name that somebody put before each line of several servers' logs.
    r"[A-Za-z][\w.-]{0,63} {0,3}(?:[-:=]|=>|->) ?(?=\d{1,10}:[MSCX] \d))?"
    rf"(?:(?P<iso>{_ISO})[ \t]+(?:std(?:out|err) [FP] )?)?"
    r"(?:(?P<syslog>[^\W\d_]{3,5}\.? [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?) )?"
    r"(?:[\w.-]{1,64} (?P<program>[\w.@/-]{1,64})(?:\[\d{1,10}\])?: )?"
)
"""What containers, the journal and shippers of logs put before a line. A program's name only behind a time."""
_STRUCTURED = ('"log":', '"message":', '"msg":', '"textPayload":', '"MESSAGE":', '"line":')
_NAMES = ("log", "message", "msg", "textPayload", "MESSAGE", "line")
_TIMES = ("time", "timestamp", "@timestamp", "ts")
_TYPED = str.maketrans({
    "\u00a0": " ", "\u2007": " ", "\u202f": " ", "\u3000": " ", "\u201c": '"', "\u201d": '"', "\u201e": '"',
    "\u2018": "'", "\u2019": "'", "\uff1a": ":",
})  # fmt: skip
"""What editors and web pages make of spaces and quotes."""
_ENTITIES = (
    ("&gt;", ">"),
    ("&lt;", "<"),
    ("&quot;", '"'),
    ("&#34;", '"'),
    ("&#39;", "'"),
    ("&nbsp;", " "),
    ("&amp;", "&"),
)


class Line(NamedTuple):
    """One line."""

    text: str
    """Without its end; its indentation stays."""
    fence: bool = False
    """Whether it's nothing but a boundary."""
    stamp: str = ""
    """The time that a shipper put before it, as it was written."""
    program: str = ""
    """The program that syslog names."""

    @property
    def blank(self) -> bool:
        """Whether there is nothing on it."""
        return self.fence or not self.text or self.text.isspace()


END = Line("", fence=True)
"""What stands behind the last line."""


class Lines:
    """The lines of one text, each cleaned when it's asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = array("q", [0])
        at = text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)
        self._starts.append(len(text) + 1)
        self._clean: dict[int, Line] = {}
        self._alike: dict[str, Line] = {}
        """Clean lines by what they were, where their neighbours don't matter."""
        self.furthest = 0
        """The last line that was looked at since somebody put this back."""

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, at: int) -> Line:
        """A line; behind the last one there's a boundary."""
        if at > self.furthest:
            self.furthest = at
        found = self._clean.get(at)
        if found is None:
            if not 0 <= at < len(self):
                return END
            if len(self._clean) >= _KEPT:
                self._clean.clear()
            found = self._clean[at] = self._cleaned(at)
        return found

    def start(self, at: int) -> int:
        """Where in the text a line begins."""
        return self._starts[at]

    def line_of(self, offset: int) -> int:
        """The line in which a character stands."""
        low, high = 0, len(self)
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= offset else (low, middle)
        return low

    def texts(self, begin: int, end: int) -> list[str]:
        """The texts of some lines."""
        return [self[at].text for at in range(begin, end)]

    def _raw(self, at: int) -> str:
        begin = self._starts[at]
        return self.text[begin : min(self._starts[at + 1] - 1, begin + LONGEST)]

    def _unquoted(self, line: str) -> str:
        if line.endswith("\r"):
            line = line[:-1]
        if _CONTROL.search(line):
            line = printable(line.replace("\r", " "))
        if not line.isascii():
            line = line.translate(_TYPED)
        if "&" in line:
            for entity, letter in _ENTITIES:
                line = line.replace(entity, letter)
        if ">" in line[:8] and (found := _QUOTE.match(line)):
            line = line[found.end() :]
        return line

    def _number(self, at: int) -> int | None:
        found = _NUMBER.match(self._unquoted(self._raw(at))) if 0 <= at < len(self) else None
        return int(found["number"]) if found else None

    def _cleaned(self, at: int) -> Line:
        raw = self._raw(at)
        if found := self._alike.get(raw):
            return found
        line = self._unquoted(raw)
        head = line.lstrip()[:1]
        alone = not head.isdigit()
        if not alone and (number := _NUMBER.match(line)):
            value = int(number["number"])
            if value + 1 == self._number(at + 1) or value - 1 == self._number(at - 1):
                line = line[number.end() :]
        clean = _unwrapped(line)
        if alone and len(raw) <= _SHORT and len(self._alike) < _KEPT:
            self._alike[raw] = clean
        return clean


def _unwrapped(line: str) -> Line:
    """A line without fences and shippers' prefixes."""
    head = line.lstrip()[:1]
    if head and head in "`~{<[" and (fence := _FENCE.match(line)):
        line = line[fence.end() :]
        if not line.strip() or line.strip().isalnum():
            return END
    stamp = program = ""
    if head == "{" and line.rstrip().endswith("}") and any(name in line for name in _STRUCTURED):
        line, stamp = _of_json(line)
    if found := _SHIPPED.match(line):
        prefixed = found["iso"] or found["syslog"] or ""
        if prefixed or (found.end() and not found["program"]):
            line, stamp, program = line[found.end() :], prefixed or stamp, found["program"] or ""
            if line[:1] in ("`", "~") and _FENCE.fullmatch(line):
                return END
    if line.endswith(("```", "</pre>", "</code>", "{code}", "{noformat}")):
        line = re.sub(r"\s{0,200}(?:`{3,20}|</pre>|</code>|\{code\}|\{noformat\})$", "", line)
    return Line(line.expandtabs().rstrip(), stamp=stamp, program=program)


def _of_json(line: str) -> tuple[str, str]:
    """The text and the time of a line that a shipper wrote as JSON; any other line as it is."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return line, ""
    text = next((found[name] for name in _NAMES if isinstance(found.get(name), str)), None)
    if text is None:
        return line, ""
    stamp = next((str(found[name]) for name in _TIMES if isinstance(found.get(name), str)), "")
    return printable(text).strip("\n").replace("\n", " ")[:LONGEST], stamp


_WHOLE = deferred(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?.*")


def moment(stamp: str) -> float | None:
    """The Unix time of a time as ISO 8601 has it, with UTC where it names no zone; None for any other."""
    from datetime import UTC, datetime

    found = _WHOLE.fullmatch(stamp.strip())
    if not found:
        return None
    try:
        whole = datetime(*(int(part) for part in found.groups()[:6]), tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    zone = (found[8] or "Z").replace(":", "")
    offset = 0 if zone == "Z" else (1 if zone[0] == "+" else -1) * (int(zone[1:3]) * 3600 + int(zone[3:5]) * 60)
    return whole - offset + (int(found[7]) / 10 ** len(found[7]) if found[7] else 0)
