"""The engine log of ElastiCache, where it's delivered to CloudWatch Logs. These functions block."""

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from tools.host.log_events import classify
from tools.host.log_lines import Line
from tools.providers import names
from tools.providers.aws_calls import Calls
from tools.providers.aws_parts import dig, some
from tools.providers.aws_reads import permission
from tools.providers.found import Logged, Window
from tools.providers.pieces import Job, Piece, blocking

MOST = 200
"""Lines that are asked for."""
_GROUP = re.compile(r"[A-Za-z0-9_./#-]{1,512}")
_LINE_START = re.compile(r"[\w./-]{1,200}:[A-Z] .{11,40}? [.*#-] ")


def engine_log(calls: Calls, deliveries: Any, window: Window) -> Iterator[Job]:
    """What reads the log, if its delivery is configured and active."""
    for one in some(deliveries, 4):
        group = dig(one, "DestinationDetails", "CloudWatchLogsDetails", "LogGroup")
        is_there = one.get("LogType") == "engine-log" and one.get("Status") == "active"
        if is_there and isinstance(group, str) and _GROUP.fullmatch(group):
            yield blocking("log", permission("logs", "FilterLogEvents"), partial(_read, calls, group, window))


def _read(calls: Calls, group: str, window: Window) -> Piece:
    answer = calls.read("logs", "FilterLogEvents", logGroupName=group, startTime=round(window.begins * 1000),
                        endTime=round(window.ends * 1000), limit=MOST)  # fmt: skip
    found = []
    for one in some(answer.get("events"), MOST):
        at = names.number(one.get("timestamp"))
        event = classify(Line(at=None, text=_message(one.get("message"))))
        if at is not None and event is not None and window.begins <= at / 1000 <= window.ends:
            found.append(Logged(at / 1000, event.name, event.level))
    return Piece(logged=tuple(found))


def _message(written: object) -> str:
    """What the server wrote, of a line in either form of the delivery."""
    text = written[:4096] if isinstance(written, str) else ""
    if text.lstrip().startswith("{"):
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return ""
        said = said.get("Message") if isinstance(said, dict) else ""
        return said if isinstance(said, str) else ""
    return _LINE_START.sub("", text, count=1)
