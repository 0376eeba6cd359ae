"""Readings as the model is shown them: the vital signs in a line each, or one reading whole."""

import json
import re
from collections.abc import Iterable

from agent.diagnosis import Cause
from tools.records import Reading, Scalar

SHOWN: dict[str, str] = {
    "connect": r"stage|auth|\w+_ms",
    "ping": r"reply|ms",
    "silence": r"\w+",
    "latency_sample": r"answered|timeouts|failed\..*|(min|median|p99|max)_ms|over_10ms_share",
    "info": (
        r"(redis|valkey)_version|redis_mode|role|uptime_in_seconds|loading|(connected|blocked)_clients|maxclients|"
        r"used_memory|maxmemory|maxmemory_policy|(rdb_last_bgsave|aof_last_write|master_link)_status|connected_slaves|"
        r"instantaneous_ops_per_sec|total_(connections_received|commands_processed)\.rate|"
        r"used_cpu_(user|sys)_main_thread\.rate|latest_fork_usec|db\d+\.keys"
    ),
    "commandstats": r"busy_share|top|top_share|total\..*",
    "slowlog": r"len|entries|max_usec|newest_age|[^.]+\.(count|max_usec)|e1\.\w+",
    "clients": r"connected|blocked|paused|paused_cmd|unused|\w+_max|o[12]\.(count|name|address|unused|idle_median)|"
    r"g[12]\.(count|cmd|flags|idle_median)",
    "config_get": r".*",
    "acl_log": r".*",
    "idle_probe": r".*",
    "process": r"locality|listening|state|stopped|redis_processes|nofile_(soft|maxclients)|num_fds|(main_)?cpu_share|"
    r"main_wait_share|swap_bytes|cgroup_(cpu_quota|frozen|nr_throttled\.delta)",
    "sockets": r"locality|listening|recv_q|send_q|established|time_wait|close_wait|ListenOverflows\.delta",
    "machine": r"cores|cpu_busy_share|cpu_steal_share|load1|memory_available_bytes|top_process\.(name|cpu_share)|"
    r"transparent_hugepage",
}
"""The fields of each tool that matter first; of a tool that isn't here, all."""
ALARMING = re.compile(
    r"(rejected_connections|evicted_\w+|expired_keys|errorstat_.*|sync_(full|partial_err)|aof_delayed_fsync|"
    r"acl_access_denied_\w+|total_error_replies|client_\w+_disconnections|.*\.(rejected|failed)_calls)(\.count)?\.delta|"
    r"[^.]+\.(calls|usec)\.delta|peer1\..*|T?ListenDrops\.delta|TCP\w+\.delta"
)
"""Fields that are shown where they aren't zero."""
LINE_MOST, READING_MOST, WORD_MOST = 560, 4000, 120


def digest(readings: Iterable[Reading], most: int) -> str:
    """The vital signs, a line for each reading in its order; at most so many characters."""
    lines, used = [], 0
    taken = [reading for reading in readings if reading.tool != "symptom"]
    for number, reading in enumerate(taken):
        line = vital(reading)
        if (used := used + len(line.encode()) + 1) > most - 40:
            lines.append(f"… and {len(taken) - number} readings more")
            break
        lines.append(line)
    return "\n".join(lines) or "none"


def vital(reading: Reading) -> str:
    """A reading in a line."""
    head = f"{reading.id} {reading.tool} {reading.node or '-'}:"
    if reading.unavailable:
        head += f" unavailable={reading.unavailable.kind}"
    values = reading.values or {}
    parts, used = [], len(head)
    for field in first_fields(reading):
        part = f"{field}={literal(values[field])}"
        if (used := used + len(part) + 1) > LINE_MOST:
            break
        parts.append(part)
    rest = len(values) - len(parts)
    return " ".join([head, *parts, *([f"+{rest}"] if rest else [])])


def first_fields(reading: Reading) -> list[str]:
    """The fields to show first: what is alarming, then what matters, without what is null."""
    values = {field: value for field, value in (reading.values or {}).items() if value is not None}
    alarming = [field for field, value in values.items() if value and ALARMING.fullmatch(field)]
    wanted = re.compile(SHOWN.get(reading.tool, ".*"))
    return [*alarming, *(field for field in values if field not in alarming and wanted.fullmatch(field))]


def findings_text(findings: Iterable[Cause], most: int) -> str:
    """The checks' ranking with its evidence; at most so many characters."""
    lines: list[str] = []
    for cause in findings:
        cited = "; ".join(f"{one.reading} {one.field}={literal(one.value)}" for one in cause.evidence)
        line = f"- {cause.id} {cause.probability:.2f}: {cause.why} [{cited}]"
        if sum(map(len, lines)) + len(line) > most:
            lines.append("…")
            break
        lines.append(line)
    return "\n".join(lines) or "nothing"


def whole(reading: Reading, about: str = "") -> str:
    """A reading as JSON for the model, cut to a bounded size; `about` says what its fields mean."""
    values = reading.values or {}
    first = first_fields(reading)
    kept: dict[str, Scalar] = {}
    room = READING_MOST
    for field in [*first, *(field for field in values if field not in first)]:
        value = values[field]
        room -= len(field) + len(json.dumps(value)) + 4
        if room < 0:
            break
        kept[field] = value
    told: dict[str, object] = {"id": reading.id, "tool": reading.tool, "node": reading.node, "ms": reading.ms}
    told["values"] = kept if reading.values is not None else None
    told["unavailable"] = reading.unavailable.model_dump() if reading.unavailable else None
    if left := len(values) - len(kept):
        told["more"] = f"{left} more fields; ask for less at once (fewer sections, a smaller top or count) to see them"
    if about:
        told["about"] = about
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def literal(value: Scalar) -> str:
    """A value as it can be cited."""
    text = value if isinstance(value, str) else json.dumps(value)
    if not text or " " in text:
        text = json.dumps(text, ensure_ascii=False)
    return text if len(text) <= WORD_MOST else f"{text[:WORD_MOST]}…"
