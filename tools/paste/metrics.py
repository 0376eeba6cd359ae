"""redis_exporter's metrics, as text or as Prometheus answers them."""

import re
from collections.abc import Iterable, Mapping

from tools.paste.found import Found, hidden
from tools.paste.lines import Lines
from tools.paste.metric_names import metric_names, plain
from tools.paste.prompts import Prompt
from tools.paste.texts import known
from tools.patterns import deferred
from tools.records import Values

_SAMPLE = re.compile(
    r"\s{0,200}(?P<name>(?:redis|valkey)_[a-zA-Z0-9_:]{1,120})(?:\{(?P<labels>[^\n]{0,4096}?)\})?\s+(?:=>\s*)?"
    r"(?P<value>[+-]?(?:\d{1,25}(?:\.\d{0,25})?(?:[eE][+-]?\d{1,3})?|Inf|NaN))(?:\s+@?(?P<at>\d{9,13}(?:\.\d{1,6})?))?(?:\s+@\[[\d.]+\])?\s*"
)
_COMMENT = deferred(r"\s{0,200}# (?:HELP|TYPE) \w[^\n]{0,1000}")
LABEL = re.compile(r'(\w{1,64})="((?:[^"\\]|\\.){0,1024})"')
"""A label of a series."""
_SERVER = ("addr", "target", "instance", "pod", "node")
"""Labels that tell servers apart, the most telling first."""
_ADDRESS = deferred(
    r"(?:[\w+]{1,20}://)?(?:[^@/\s]{0,256}@)?(?P<node>(?:[\w.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]):\d{1,5})/?"
)
MOST_VALUES = 4096


def exposition(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """redis_exporter's metrics as Prometheus reads them: a piece for each server that the labels tell apart."""
    if not _is_metric(lines[at].text):
        return None
    begin = at
    samples: list[tuple[str, dict[str, str], float, float | None]] = []
    while at < len(lines) and not lines[at].fence:
        text = lines[at].text
        if found := _sample(text):
            samples.append(found)
        elif text.strip() and not _COMMENT.fullmatch(text) and not _other_metric(text):
            break
        at += 1
    if not samples:
        # Comments alone say nothing, and a long run of them begins anew on each of its lines.
        return None
    return of_samples(at, samples, hidden(lines.texts(begin, min(at, begin + 1000))), above)


def _is_metric(text: str) -> bool:
    if "redis_" not in text and "valkey_" not in text:
        return False
    return _SAMPLE.fullmatch(text) is not None or (_COMMENT.fullmatch(text) is not None and "_" in text)


def _other_metric(text: str) -> bool:
    return (
        re.fullmatch(r"\s{0,200}(?:go|process|promhttp|exporter)_\w{1,100}(?:\{[^\n]{0,1000}\})?\s+\S{1,40}\s*", text)
        is not None
    )


def _sample(text: str) -> tuple[str, dict[str, str], float, float | None] | None:
    found = _SAMPLE.fullmatch(text)
    if not found:
        return None
    when = float(found["at"]) if found["at"] else None
    if when is not None and when > 1e11:
        when /= 1000
    return found["name"], dict(LABEL.findall(found["labels"] or "")), float(found["value"]), when


def of_samples(
    end: int, samples: Iterable[tuple[str, dict[str, str], float, float | None]], text: str, above: Prompt | None = None
) -> Found | None:
    """A piece for each server."""
    servers: dict[str, tuple[Values, str | None, list[float]]] = {}
    for name, labels, value, when in samples:
        if value != value or value in (float("inf"), float("-inf")):
            continue
        server = next((labels[one] for one in _SERVER if labels.get(one)), "")
        if server not in servers and len(servers) >= 64:
            continue
        values, _, times = servers.setdefault(server, ({}, _node(server), []))
        if when is not None:
            times.append(when)
        if len(values) < MOST_VALUES:
            values.update(_exported(re.sub("^(?:redis|valkey)_", "", name), labels, value))
    pieces = [
        Found(
            end,
            "metrics",
            text,
            values=values,
            at=max(times, default=None),
            node=node or (above.node if above else None),
        )
        for values, node, times in servers.values()
        if values
    ]
    return pieces[0]._replace(others=tuple(pieces[1:])) if pieces else None


def _node(server: str) -> str | None:
    found = _ADDRESS.fullmatch(server)
    return found["node"] if found else None


def _exported(name: str, labels: Mapping[str, str], value: float) -> Values:
    """What a metric of redis_exporter is among INFO's fields."""
    number = plain(value)
    by_label = {
        "db_keys": ("db", "{}.keys", 1), "db_keys_expiring": ("db", "{}.expires", 1),
        "db_avg_ttl_seconds": ("db", "{}.avg_ttl", 1000), "commands_total": ("cmd", "cmdstat_{}.calls", 1),
        "commands_duration_seconds_total": ("cmd", "cmdstat_{}.usec", 1e6),
        "commands_rejected_calls_total": ("cmd", "cmdstat_{}.rejected_calls", 1),
        "commands_failed_calls_total": ("cmd", "cmdstat_{}.failed_calls", 1),
        "errors_total": ("err", "errorstat_{}.count", 1),
    }  # fmt: skip
    if name in by_label:
        label, field, scale = by_label[name]
        found = labels.get(label, "")
        return {field.format(found): plain(round(value * scale, 3))} if re.fullmatch(r"[\w.|-]{1,64}", found) else {}
    if name == "instance_info":
        kept = ("redis_version", "redis_mode", "role", "os", "tcp_port", "run_id", "maxmemory_policy", "process_id")
        return {one: int(text) if text.isdecimal() and one != "run_id" and len(text) < 18 else text[:128]
                for one in kept if (text := labels.get(one))}  # fmt: skip
    if name in ("rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status"):
        return {name: "ok" if value else "err"}
    if name == "master_link_up":
        return {"master_link_status": "up" if value else "down"}
    if name == "latest_fork_seconds":
        return {"latest_fork_usec": round(value * 1e6)}
    if labels.keys() - {*_SERVER, "job", "namespace", "service", "endpoint", "container", "alias", "env", "cluster"}:
        return {}
    renamed = metric_names()["exporter"].get(name)
    if renamed:
        return {renamed: number}
    short = name.removesuffix("_total")
    return {short if known(short) else name: number}
