"""Logs: a server's, the kernel's."""

import re
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from tools.host.kernel_log import parse_kill, troubles
from tools.host.listener import SERVERS, plain_name
from tools.host.log_lines import is_dated, log_lines
from tools.paste.found import MOST_TEXT, Found, hidden
from tools.paste.lines import Lines, moment
from tools.paste.prompts import Prompt
from tools.patterns import deferred
from tools.records import Values

HEAD = re.compile(
    r"\s{0,40}(?:\d{1,10}:[A-Z] (?:\d{1,2} [A-Z][a-z]{2} (?:\d{4} )?\d\d:|\d{4}-\d\d-\d\dT\d\d:|\d{13}\b)|"
    r"\[\d{1,10}\] \d{1,2} [A-Z][a-z]{2} \d\d:\d\d:\d\d(?:\.\d{3})? \\?[.*#-] |"
    r'pid=\d{1,10} role=[\w/]{1,20} timestamp=")|\*\*\* FATAL CONFIG FILE ERROR|'
    r"[`'\"\s]{0,4}Client (?:id|addr)=.{1,1500}?closed ASAP for overcoming of output buffer limits"
)
"""How a line of a server's log begins."""
LOUD = re.compile(r" # |level=warning|\*\*\* FATAL| started, |Server initialized")
_GAP = 64
"""Lines without a head within which another line with one has to come: a server's picture, a crash's registers."""
_CRASH, _CRASH_END = "BUG REPORT START", "BUG REPORT END"
_MOST_CRASH = 4000
_REFUSED, _REFUSAL_LINES = "FATAL CONFIG FILE ERROR", 4
_WITHIN = re.compile(r" (?=(?:\d{1,10}:[A-Z]|\[\d{1,10}\]) \d{1,2} [A-Z][a-z]{2} (?:\d{4} )?\d\d:\d\d:\d\d)")
"""Where a line begins in a log that was put into one line."""
_BOOT = re.compile(
    r"\s{0,8}(?:<\d{1,3}>|[a-z]{3,8}\s{0,4}:[a-z]{2,8}\s{0,4}: )?\[\s{0,8}(?P<boot>\d{1,9}\.\d{1,6})\]\s"
)
_WALL = re.compile(
    r"\s{0,8}\[?[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d) "
    r"(?P<year>\d{4})\]?\s"
)
_KERNEL = deferred(
    r"[Oo]ut of memory(?: \(\w+\))?: Kill(?:ed)? process \d|oom-kill:constraint=|invoked oom-killer|"
    r"Memory cgroup out of memory|blocked for more than \d+ seconds|I/O error, dev |nf_conntrack: table full|"
    r"[Pp]ossible SYN flooding|soft lockup - CPU|EXT4-fs (?:error|warning)|\[Hardware Error\]|"
    r"neighbou?r.{0,20}table overflow"
)
"""What a line says that only the kernel writes."""
_WORDS = (
    "emory",
    "oom-",
    "blocked for",
    "/O error",
    "conntrack",
    "SYN flood",
    "lockup",
    "EXT4-fs",
    "Hardware",
    "overflow",
)
"""Of these one is in each: to look for them is cheaper."""


class _Kept:
    """The end of a log, and what of the rest was loud: chatter of an hour mustn't hide what came before it."""

    def __init__(self) -> None:
        self.recent: deque[str] = deque()
        self.size = 0
        self.loud: deque[str] = deque()
        self.loud_size = 0
        self.cut = False

    def add(self, line: str) -> None:
        line = line[:4096]
        self.recent.append(line)
        self.size += len(line) + 1
        while self.size > MOST_TEXT * 3 // 4:
            old = self.recent.popleft()
            self.size -= len(old) + 1
            self.cut = True
            if LOUD.search(old):
                self.loud.append(old)
                self.loud_size += len(old) + 1
                while self.loud_size > MOST_TEXT // 4:
                    self.loud_size -= len(self.loud.popleft()) + 1

    def lines(self) -> list[str]:
        return [*self.loud, *self.recent]


def server_log(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """A server's log, with what stands in it without a head of its own."""
    if not HEAD.match(lines[at].text):
        return None
    kept = _Kept()
    end = at
    last_stamp = ""
    crash_until = 0
    while at < len(lines):
        line = lines[at]
        if line.fence:
            break
        if HEAD.match(line.text):
            for skipped in range(end, at):
                kept.add(lines[skipped].text)
            kept.add(line.text.lstrip())
            if _CRASH in line.text:
                crash_until = at + _MOST_CRASH
            end, last_stamp = at + 1, line.stamp or last_stamp
            if _REFUSED in line.text:
                at = end = _take(kept, lines, end, _refusal_ends(lines, end))
                continue
        elif _CRASH in line.text:
            crash_until = at + _MOST_CRASH
        elif crash_until and _CRASH_END in line.text:
            crash_until, end = 0, _take(kept, lines, end, at + 1)
        elif at - end > _GAP and at > crash_until:
            break
        at += 1
    if crash_until:
        end = _take(kept, lines, end, min(at, crash_until))
    text = hidden(_WITHIN.sub("\n", one) if len(one) > 120 else one for one in kept.lines())
    written = None
    for one in log_lines(text[-65536:]):
        written = one.at if one.at is not None and is_dated(one.at) else written
    return Found(end, "server-log", text, cut=kept.cut, at=moment(last_stamp) or written,
                 node=above.node if above else None)  # fmt: skip


def _refusal_ends(lines: Lines, at: int) -> int:
    """The line behind those in which a server says what it can't read in its configuration."""
    begin = at
    while at < begin + _REFUSAL_LINES and not lines[at].blank and not HEAD.match(lines[at].text):
        at += 1
        if not lines[at - 1].text.startswith((">>>", "Reading the configuration")):
            break
    return at


def _take(kept: _Kept, lines: Lines, begin: int, end: int) -> int:
    for at in range(begin, end):
        kept.add(lines[at].text)
    return end


def kernel_log(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """Lines of dmesg or of the journal's kernel part. Ages are counted from the newest line that has a time."""
    if not _is_kernel(lines, at):
        return None
    kept = _Kept()
    records: list[str] = []
    oldest = newest = 0.0
    wall: float | None = None
    while at < len(lines) and (
        _is_kernel(lines, at) or (lines[at].blank and not lines[at].fence and _is_kernel(lines, at + 1))
    ):
        line = lines[at]
        at += 1
        if line.blank:
            continue
        kept.add(line.text.strip())
        seconds, body, known = _stamped(line.text, line.stamp)
        wall = seconds if known else wall
        newest = max(newest, seconds)
        oldest = oldest or seconds
        if _KERNEL.search(body) or "Link is Down" in body or "link is down" in body:
            records.append(f"3,0,{int((seconds or newest) * 1e6)},-;{body[:1024]}")
    return Found(
        at, "kernel-log", hidden(kept.lines()), values=_values(records, newest, newest - oldest), cut=kept.cut, at=wall
    )


def _is_kernel(lines: Lines, at: int) -> bool:
    line = lines[at]
    if line.program == "kernel":
        return True
    text = line.text
    if not text:
        return False
    if text.lstrip()[:1] in ("[", "<") and (_BOOT.match(text) or _WALL.match(text)):
        return True
    if "]" in text[:48] and _BOOT.match(text):
        return True
    text = text[:1024]
    return any(word in text for word in _WORDS) and _KERNEL.search(text) is not None and not HEAD.match(text)


def _stamped(text: str, stamp: str) -> tuple[float, str, bool]:
    """When a line was written, what it says, and whether that is the time of day rather than since boot."""
    if found := _BOOT.match(text):
        return float(found["boot"]), text[found.end() :], False
    if found := _WALL.match(text):
        when = f"{found['day']} {found['month']} {found['year']} {found['clock']}"
        try:
            at = datetime.strptime(when, "%d %b %Y %H:%M:%S").replace(tzinfo=UTC).timestamp()
        except ValueError:
            at = 0.0
        return at, text[found.end() :], at > 0
    seconds = moment(stamp)
    return seconds or 0.0, text.strip(), seconds is not None


def _values(records: list[str], now: float, span: float) -> Values:
    kills = [kill for record in records if (kill := parse_kill(record)) is not None]
    servers = [kill for kill in kills if SERVERS.fullmatch(kill.name)]
    values: Values = {
        "oom_kill.count": len(servers), "others.count": len(kills) - len(servers), "reaches_back": round(span),
    }  # fmt: skip
    if servers:
        newest = servers[-1]
        values |= {
            "oom_kill.newest_age": round(max(0.0, now - newest.at), 1), "oom_kill.pid": newest.pid,
            "oom_kill.name": plain_name(newest.name), "oom_kill.rss_bytes": newest.rss,
            "oom_kill.in_cgroup": newest.in_cgroup,
            "oom_kill.pids": " ".join(str(kill.pid) for kill in servers[-20:]),
        }  # fmt: skip
    return {**values, **troubles(records, now)}


LOGS: tuple[Callable[[Lines, int, Prompt | None], Found | None], ...] = (server_log, kernel_log)
