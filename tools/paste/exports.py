"""What libraries and tools make of a reply: INFO, CONFIG GET and SLOWLOG as objects, Prometheus' own answers."""

import re
from collections.abc import Mapping
from typing import Any

from tools.host.directives import DIRECTIVES
from tools.paste.found import Found, of_text, safe
from tools.paste.metrics import of_samples
from tools.paste.prompts import Prompt
from tools.paste.replies import Reply, identified
from tools.paste.texts import known

_Sample = tuple[str, dict[str, str], float, float | None]
_SLOWLOG_NAMES = (
    ("id", "Id", "slowlog_id"),
    ("start_time", "timestamp", "time", "unix_time", "Time", "startTime", "executed_at"),
    ("duration", "duration_us", "durationUs", "execution_time", "executionTime", "exec_time", "Duration", "usec"),
    ("command", "args", "arguments", "Args", "cmd", "Command"),
    ("client_address", "source", "clientAddress", "client", "ClientAddr", "client_ip"),
    ("client_name", "clientName", "ClientName", "name"),
)
"""What libraries and tools call the parts of SLOWLOG's entries."""


def plain_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value


def flat(value: Any, depth: int = 0) -> Any:
    """A value as RESP2 has it: names and values in turn, numbers whole or as text."""
    value = plain_text(value)
    if depth > 12:
        return None
    if isinstance(value, dict):
        return [one for name, part in value.items() for one in (plain_text(name), flat(part, depth + 1))]
    if isinstance(value, list | tuple):
        return [flat(one, depth + 1) for one in value]
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)[:40]
    return value if value is None or isinstance(value, int | str) else str(value)[:1024]


def info_of(value: Mapping[Any, Any], end: int, above: Prompt | None) -> Found | None:
    """INFO as an object of its fields, or of its sections."""
    fields: dict[str, str] = {}
    for name, part in value.items():
        if isinstance(part, dict) and not known(str(name)) and any(known(str(one)) for one in part):
            for one, figure in part.items():
                fields |= _field(str(one), figure)
        elif not isinstance(part, dict) or known(str(name)):
            fields |= _field(str(name), part)
    names = [name for name in fields if known(name)]
    if len(names) < 3 or 2 * len(names) < len(fields) or any("-" in name and name in DIRECTIVES for name in fields):
        return None
    lines = [safe(f"{name}:{figure}") for name, figure in fields.items() if re.fullmatch(r"[\w.|@:-]{1,128}", name)]
    return of_text(end, ("INFO",), lines, False, above)


def _field(name: str, value: Any) -> dict[str, str]:
    """A field as INFO has it: an object of figures as `keys=1,expires=0`."""
    if isinstance(value, dict):
        plain = known(name) and all(not isinstance(one, dict | list) for one in value.values())
        return {name: ",".join(f"{one}={_shown(figure)}" for one, figure in value.items())} if plain else {}
    return {} if isinstance(value, list | tuple) else {name: _shown(value)}


def _shown(figure: Any) -> str:
    figure = plain_text(figure)
    if isinstance(figure, bool):
        return str(int(figure))
    return re.sub(r"[\r\n]+", " ", str(figure))[:2048] if figure is not None else ""


def config_of(value: Mapping[Any, Any]) -> Reply | None:
    names = [str(plain_text(name)) for name in value]
    if sum(name in DIRECTIVES for name in names) * 2 < len(names) or not names:
        return None
    if not any("-" in name for name in names) and len(names) < 2:
        return None
    pairs = [one for name, part in value.items() for one in (str(plain_text(name)), _shown(part))]
    return identified(pairs, ("CONFIG", "GET"))


def slowlog_of(value: Any) -> list[Any] | None:
    """SLOWLOG's entries as objects."""
    rows: list[Any] = []
    for one in value[:20_000]:
        if not isinstance(one, dict):
            return None
        parts = [next((one[name] for name in names if name in one), None) for names in _SLOWLOG_NAMES]
        number, when, took, words, address, name = map(plain_text, parts)
        if isinstance(when, int | float) and when > 1e11:
            when /= 1000
        if not isinstance(when, int | float) or not isinstance(took, int | float) or words is None:
            return None
        if not (0 <= when < 1e11 and 0 <= took < 2**62):
            return None
        texts = (
            words.split(" ")
            if isinstance(words, str)
            else [str(plain_text(word)) for word in words]
            if isinstance(words, list | tuple)
            else []
        )
        if not texts:
            return None
        rest = [address, name or ""] if isinstance(address, str) and isinstance(name or "", str) else []
        rows.append([number if isinstance(number, int) else 0, int(when), int(took), texts[:128], *rest])
    return rows


def of_prometheus(end: int, value: Any) -> Found | None:
    """An answer of Prometheus' own interface: of a range its first and its last figures, a sample each."""
    data = value.get("data", value) if isinstance(value, dict) else value
    results = data.get("result") if isinstance(data, dict) else data
    if not isinstance(results, list):
        return None
    first: list[_Sample] = []
    last: list[_Sample] = []
    for one in results[:20_000]:
        if not isinstance(one, dict) or not isinstance(one.get("metric"), dict):
            return None
        labels = {str(name): str(text)[:1024] for name, text in one["metric"].items()}
        name = labels.pop("__name__", "")
        span = one.get("values")
        points = [one["value"]] if one.get("value") else [span[0], span[-1]] if isinstance(span, list) and span else []
        try:
            samples = [(name, labels, float(figure), float(when)) for when, figure in points]
        except (TypeError, ValueError, OverflowError):
            return None
        if not samples:
            return None
        if name.startswith(("redis_", "valkey_")):
            first += samples[:-1]
            last.append(samples[-1])
    found = of_samples(end, last, "")
    if found and (before := of_samples(end, first, "")):
        return before._replace(others=(*before.others, found._replace(others=()), *found.others))
    return found
