"""The list of the fields that readings have: `python -m evals.fields` writes it, tests hold the code against it."""

import ast
import json
import re
import shlex
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import get_args

from agent.evidence.known import FILE
from agent.recordings.replay import case, on_virtual_time
from agent.runbooks.library import load as runbooks
from evals.scoring.scenario import BUNDLED
from tools.host.kernel_log import TROUBLES
from tools.providers.found import Part
from tools.providers.values import FACTS
from tools.record.load import load
from tools.record.tape import Tape

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("server", "host", "past")
"""The rooms of `tools/` that readings come from."""
PLACES = re.compile(r"(?<![^.])([a-z]+)(\d+|\*)(?=\.)")
"""A numbered place before a dot, such as `o1` in `o1.count`."""
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "info": (r"errorstat_(\w+?)\.", r"cmdstat_([\w|-]+?)\."),
    "persistence": (r"errorstat_(\w+?)\.",),
    "replication": (r"errorstat_(\w+?)\.",),
    "commandstats": (
        r"(?!writes\.|total\.)([\w.|-]+?)(?=\.(calls|usec|usec_per_call|rejected_calls|failed_calls|module)(\.|$))",
    ),
    "latencystats": (r"([\w.|-]+?)(?=\.(calls|own_calls|count|p|max|window))",),
    "latency_events": (r"([a-z-]+)(?=\.(last_ms|max_ms|age|new|spikes|max_60s_ms|spikes_60s|mean_ms)$)",),
    "latency_sample": (r"failed\.([a-z-]+)",),
    "slowlog": (r"([A-Z][A-Z0-9_.|-]*)(?=\.(count|max_usec|newest_age)$)",),
    "config_drift": (r"([a-z-]+)(?=\.(file|running|differs)$)",),
}
"""What in a tool's fields is a command's, an event's, an error's or a parameter's name: there any may come."""
CLIENT_ERROR = (
    "library", "name", "stage", "side", "weight", "count", "means", "code", "command", "endpoint", "host", "timeout_ms",
    "elapsed_ms", "retries", "pool_idle", "pool_size", "pool_waiting", "unsent", "unanswered", "unread_bytes",
    "unparsed_bytes", "writer", "reader", "reader_taken", "version", "workers_busy", "workers_min", "workers_queued",
    "iocp_busy", "iocp_min", "own_free", "own_threads",
)  # fmt: skip
"""What an error of a client may carry."""
_SYNC_UNDER_WAY = ("master_sync_last_io_seconds_ago.delta", "master_sync_total_bytes.delta")
UNRECORDED: Mapping[str, tuple[str, ...]] = {
    "service": ("by", "service"),
    "own_changes": tuple(f"c#.{name}" for name in ("node", "parameter", "value", "before", "at", "undo", "by")),
    "client_errors": (
        "errors",
        *(f"e#.{name}" for name in CLIENT_ERROR),
    ),
    "access": tuple(f"{reason}.{name}" for reason in ("key", "channel") for name in ("count", "newest_age", "users")),
    "baseline": ("*.before", "*.now", "*.ratio", "age_days", "other_name", "found", "changed#.field"),
    "config_drift": ("*.differs", "sentinel.quorum", "sentinel.known"),
    "config_get": ("left_out",),
    "sockets": ("drops", "drops.delta", "listens_at"),
    "latency_sample": ("intrinsic_max_ms",),
    "cluster": (
        "migrations",
        "migrations_failed",
        "migrations.unavailable",
        *(f"migration#.{what}" for what in ("operation", "state", "slots", "peer", "retries", "age", "reason")),
        *(f"hot#.{what}" for what in ("slot", "key_count", "cpu_usec", "network_bytes_in", "network_bytes_out")),
    ),
    "connect": (
        "refused_addresses",
        "speaks_resp",
        "tls_ms",
        "certificate_expires_in_seconds",
        "certificate_lifetime_seconds",
        "certificate_refused",
    ),
    "kernel_log": (
        "machine_kills_60s",
        *(f"{trouble}.{what}" for trouble in TROUBLES for what in ("count", "newest_age", "what")),
    ),
    "large_commands": tuple(
        f"{kind}.{what}"
        for kind in ("reply", "request")
        for what in ("count", "bytes", "age", "command", "key", "client", "name")
    ),
    "info": (
        "shutdown_in_milliseconds",
        "tracking_total_items.delta",
        *_SYNC_UNDER_WAY,
        "mem_replica_full_sync_buffer.delta",
        "replica_full_sync_buffer_size.delta",
        *(f"tls_{of}_cert_{what}" for of in ("server", "client", "ca") for what in ("serial", "expires_in_seconds")),
    ),
    "replication": _SYNC_UNDER_WAY,
    "commandstats": ("*.module",),
    "clients": ("threaded", "threaded_cmd"),
    "process": (
        *("oom_killed", "pod", "container", "namespace", "ready", "status", "restart_count", "image", "event.*.count"),
        *(f"{of}{what}" for of in ("state", "last_state") for what in ("", ".reason", ".exit_code", ".finished")),
    ),
    "pod": (
        *("source", "namespace", "pod", "pods", "pods_ready", "exists", "container", "image", "status", "reason"),
        *("pod_ready", "ready_for_seconds", "deleting", "unschedulable", "unschedulable.lacks", "restart_count"),
        *("evicted.disk", "evicted.memory", "evicted.own_disk"),
        *(f"{of}{what}" for of in ("state", "last_state") for what in ("", ".reason", ".exit_code", ".finished")),
        *("last_state.age", "last_end_recent", "oom_killed", "killed", "claims_unbound"),
        *(f"{of}.{what}" for of in ("limits", "requests") for what in ("memory", "cpu")),
        *("event.*.count", "event.*.newest_age", "past_event.*.count"),
        *(f"owner.{what}" for what in ("kind", "name", "replicas", "ready_replicas", "updating", "headless_service")),
        *(f"controller.{what}" for what in ("kind", "name", "group")),
        *(f"claim#.{what}" for what in ("name", "phase", "storage_class", "requested")),
        *(f"machine.{what}" for what in ("name", "ready", "unschedulable", "memory_pressure", "disk_pressure")),
        *(f"machine.{what}" for what in ("pid_pressure", "network_unavailable")),
        *(f"service#.{what}" for what in ("name", "type", "headless", "addressed", "exists", "endpoints")),
        *(f"service#.{what}" for what in ("ready_endpoints", "selects_pod", "selector_label", "selector_wants")),
        *("service#.pod_has", "role_label", "deployed_by", "chart", "edit.with", "edit.kind", "edit.name"),
        *("edit.memory", "edit.config"),
        *(f"{part}.unavailable" for part in ("events", "owner", "claims", "machine", "services", "endpoints")),
    ),
    "provider": (
        *("source", "service", "resource", "at", "minutes", *FACTS),
        *(f"figure.*.{of}" for of in ("last", "min_15m", "max_15m", "mean", "sum_15m", "minutes_15m", "sum")),
        *("figure.*.newest_age", "figure.*.node", "events", "events.*", "setting.*", "log.*.count", "log.*.newest_age"),
        *(f"e#.{of}" for of in ("kind", "event", "at", "age", "source")),
        *(f"{part}.{of}" for part in get_args(Part) for of in ("unavailable", "permission")),
    ),
    "one_client": (
        *("name", "addr", "laddr", "user", "cmd", "flags", "db", "age", "idle", "omem", "qbuf", "tot-mem"),
        *("*.delta", "*.before"),
    ),
    "client_groups": tuple(
        f"g#.{what}"
        for what in (
            *("name", "address", "command", "user", "count", "cmds", "names", "addresses", "idle_median", "idle_max"),
            *("blocked", "memory_sum", "omem_sum", "qbuf_sum"),
        )
    ),
    "named_keys": tuple(
        f"k#.{what}"
        for what in (
            *("key", "type", "error", "encoding", "bytes", "ttl_ms", "idle_seconds", "freq"),
            *("length", "length.delta", "length.rate"),
        )
    ),
    "series": ("*.t#", "*.min", "*.max", "*.slope"),
    "log_events": tuple(f"e#.{what}" for what in ("event", "level", "at", "age", "errno")),
    "sentinel": ("+sdown.master.count", "+sdown.master.address"),
    "history": (
        *(f"changed#.{name}" for name in ("field", "before", "at", "now", "ratio", "when")),
        *(f"{of}.{name}" for of in ("db#.keys", "clients_*.count") for name in ("first", "now", "until")),
    ),
}
"""Fields that no recording has, and whose names the tools' code puts together elsewhere."""


def generated() -> str:
    """The list as text: what the recordings have, and what the tools' own code names."""
    known = recorded()
    for tool, names in named().items():
        known[tool] |= names
    # A log's lines in a report count as the log does.
    known["pasted_log"] = {*known["pasted_log"], *known["log"]}
    head = "# Generated by `python -m evals.fields`: the fields of each tool's readings; # is a number, * a name.\n"
    return head + "".join(f"\n[{tool}]\n" + "\n".join(sorted(known[tool])) + "\n" for tool in sorted(known))


def named() -> dict[str, set[str]]:
    """The fields that the code names, by tool: in a list that is fresh all of them are."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for source in (written(), UNRECORDED, {"log": events(), "config_get": parameters()}):
        for tool, names in source.items():
            found[tool] |= set(names)
    return dict(found)


def recorded() -> defaultdict[str, set[str]]:
    """The fields of all readings of all recordings, by tool."""
    scenarios = json.loads((BUNDLED / "index.json").read_text("utf-8"))["scenarios"]
    found: defaultdict[str, set[str]] = defaultdict(set)
    with ProcessPoolExecutor() as pool:
        for readings in pool.map(_read, sorted({(one["file"], one["ticket"]) for one in scenarios}), chunksize=8):
            for tool, names in readings.items():
                found[tool] |= {general(tool, name) for name in names}
    return found


def _read(scenario: tuple[str, str]) -> dict[str, set[str]]:
    file, ticket = scenario

    async def looked() -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        async with case(Tape(load(BUNDLED / file)), ticket) as incident:
            for reading in incident.answer().readings:
                found[reading.tool] |= set(reading.values or {})
        return dict(found)

    return on_virtual_time(looked())


def general(tool: str, field: str) -> str:
    """A field with a pattern in place of what is one of many."""
    for family in FAMILIES.get(tool, ()):
        if match := re.match(family, field):
            field = f"{field[: match.start(1)]}*{field[match.end(1) :]}"
    return PLACES.sub(r"\1#", field)


def events() -> Iterator[str]:
    """What the log may tell of each event that its patterns name."""
    patterns = tomllib.loads((ROOT / "tools" / "host" / "log_patterns.toml").read_text("utf-8"))
    for event, pattern in patterns.items():
        figures = re.compile(pattern["match"]).groupindex
        yield from (f"{event}.{field}" for field in ("count", "newest_age", *figures))


def parameters() -> set[str]:
    """The parameters that the runbooks' remedies set: those are read back."""
    remedies = (remedy for book in runbooks().runbooks for notes in book.causes.values() for remedy in notes.remedies)
    commands = (shlex.split(remedy.action) for remedy in remedies if remedy.kind == "config_set")
    return {words[2].lower() for words in commands if len(words) == 4}


def written() -> dict[str, set[str]]:
    """The fields that the modules of each tool name as keys, those among them that they fill in by a pattern too."""
    modules = {f"tools.{room}.{path.stem}": path for room in TOOLS for path in (ROOT / "tools" / room).glob("*.py")}
    trees = {name: ast.parse(path.read_text("utf-8")) for name, path in modules.items()}
    keys_of = {name: set(_keys(tree)) for name, tree in trees.items()}
    imports = {name: _imports(tree) & trees.keys() for name, tree in trees.items()}
    found: dict[str, set[str]] = {}
    for name, tree in trees.items():
        for tool in _tools(tree):
            keys = {general(tool, key) for module in _reached(name, imports) for key in keys_of[module]}
            # A pattern that begins with what is filled in would stand for nearly anything.
            found[tool] = {key for key in keys if re.match(r"[A-Za-z]{2}|[a-z]#\.", key)}
    return found


def _tools(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        decorators = node.decorator_list if isinstance(node, ast.AsyncFunctionDef) else ()
        if any(isinstance(one, ast.Name) and one.id == "reads" for one in decorators):
            yield getattr(node, "name", "")


def _imports(tree: ast.Module) -> set[str]:
    return {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def _reached(name: str, imports: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    ahead = [name]
    while ahead:
        if (module := ahead.pop()) not in reached:
            reached.add(module)
            ahead += imports[module]
    return reached


def _keys(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        keys: Iterable[ast.expr | None] = ()
        if isinstance(node, ast.Dict):
            keys = node.keys
        elif isinstance(node, ast.DictComp):
            keys = (node.key,)
        elif isinstance(node, ast.Subscript):
            keys = (node.slice,)
        yield from (key for one in keys if (key := pattern(one)) is not None)


def pattern(node: ast.expr | None) -> str | None:
    """The text of a literal, of an f-string with `*` for what it fills in; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
    return None


if __name__ == "__main__":
    FILE.write_text(generated(), encoding="utf-8")
