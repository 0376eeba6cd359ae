"""The figures that are compared with the past: INFO's names, and redis_exporter's for the same."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from tools.past.promql import promql_string, regex_literal


class Figure(NamedTuple):
    """One figure, as PromQL over `{S}` (the instance), `{G}` (a step in seconds) and `{W}` (the window of a rate)."""

    field: str
    """INFO's name; `.rate` is per second."""
    expression: str
    floor: float
    """The smallest spread that counts, in the figure's unit: anything less is noise, however steady the figure was."""
    words: tuple[str, str] | None = None
    """INFO's words for 0 and for 1."""

    @property
    def worst(self) -> Callable[[Iterable[float]], float]:
        """What stands for the values of a step: the largest, or of what is bad when low the smallest."""
        return min if self.expression.startswith("min(") else max


def _gauge(field: str, metric: str, floor: float, fold: str = "max", words: tuple[str, str] | None = None) -> Figure:
    return Figure(field, f"{fold}({fold}_over_time({metric}{{S}}[{{G}}s]))", floor, words)


def _rate(field: str, metric: str, floor: float) -> Figure:
    return Figure(f"{field}.rate", f"max(rate({metric}{{S}}[{{W}}s]))", floor)


def _rates(label: str, metric: str, scale: str = "1") -> str:
    """The rate of a counter for each value of a label.

    One that appeared since the window began counted from zero, if the server was scraped then; rate() alone would omit
    what it counted until its first scrape.
    """
    now, then = f"max by ({label}) ({metric}{{S,L}})", f"max by ({label}) ({metric}{{S,L}} offset {{W}}s)"
    new = f"({now} unless {then}) and on () (max(redis_up{{S}} offset {{W}}s) == 1)"
    return f"(({new}) / {{W}} or max by ({label}) (rate({metric}{{S,L}}[{{W}}s]))) * {scale}"


_KB, _MB = 2.0**10, 2.0**20
_STATUS = ("err", "ok")
FIGURES = (
    _gauge("redis_up", "redis_up", 0.05, "min"),
    _gauge("connected_clients", "redis_connected_clients", 2),
    _gauge("blocked_clients", "redis_blocked_clients", 2),
    _gauge("maxclients", "redis_config_maxclients", 1, "min"),
    _rate("rejected_connections", "redis_rejected_connections_total", 0.05),
    _rate("total_connections_received", "redis_connections_received_total", 0.5),
    _rate("total_commands_processed", "redis_commands_processed_total", 5),
    _rate("total_error_replies", "redis_total_error_replies", 0.1),
    _rate("total_net_input_bytes", "redis_net_input_bytes_total", 4 * _KB),
    _rate("total_net_output_bytes", "redis_net_output_bytes_total", 16 * _KB),
    _rate("used_cpu_sys", "redis_cpu_sys_seconds_total", 0.02),
    _rate("used_cpu_user", "redis_cpu_user_seconds_total", 0.02),
    _gauge("used_memory", "redis_memory_used_bytes", _MB),
    _gauge("used_memory_rss", "redis_memory_used_rss_bytes", 4 * _MB),
    _gauge("maxmemory", "redis_memory_max_bytes", _KB, "min"),
    _gauge("mem_fragmentation_ratio", "redis_mem_fragmentation_ratio", 0.5),
    _gauge("mem_clients_normal", "redis_mem_clients_normal", _MB),
    _rate("evicted_keys", "redis_evicted_keys_total", 0.2),
    _rate("expired_keys", "redis_expired_keys_total", 2),
    _rate("keyspace_hits", "redis_keyspace_hits_total", 5),
    _rate("keyspace_misses", "redis_keyspace_misses_total", 5),
    Figure(
        "latest_fork_usec",
        "max(max_over_time(redis_latest_fork_seconds{S}[{G}s]) * 1e6 "
        "or max_over_time(redis_latest_fork_usec{S}[{G}s]))",
        2000,
    ),
    _gauge("rdb_bgsave_in_progress", "redis_rdb_bgsave_in_progress", 0.05),
    _gauge("rdb_last_bgsave_status", "redis_rdb_last_bgsave_status", 0.05, "min", _STATUS),
    _gauge("aof_rewrite_in_progress", "redis_aof_rewrite_in_progress", 0.05),
    _gauge("aof_last_write_status", "redis_aof_last_write_status", 0.05, "min", _STATUS),
    _gauge("aof_last_bgrewrite_status", "redis_aof_last_bgrewrite_status", 0.05, "min", _STATUS),
    _rate("aof_delayed_fsync", "redis_aof_delayed_fsync", 0.01),
    _gauge("aof_buffer_length", "redis_aof_buffer_length", 64 * _KB),
    _gauge("loading", "redis_loading_dump_file", 0.05),
    _gauge("connected_slaves", "redis_connected_slaves", 0.05, "min"),
    _gauge("slave_lag", "redis_connected_slave_lag_seconds", 2),
    _gauge("master_link_status", "redis_master_link_up", 0.05, "min", ("down", "up")),
    _rate("master_repl_offset", "redis_master_repl_offset", 4 * _KB),
    _rate("sync_full", "redis_replica_resyncs_full", 0.002),
    _gauge("slowlog_length", "redis_slowlog_length", 1),
    _rate("slowlog_last_id", "redis_slowlog_last_id", 0.02),
    _gauge("exporter_last_scrape_error", "redis_exporter_last_scrape_error", 0.1),
    _gauge("exporter_last_scrape_duration_seconds", "redis_exporter_last_scrape_duration_seconds", 0.02),
)  # fmt: skip
"""`slave_lag` is the largest `lag` of the replicas; `exporter_*` is the exporter's own view of the server's answers."""
STARTED = Figure(
    "started",
    "max(max_over_time(redis_start_time_seconds{S}[{G}s]) "
    "or (timestamp(redis_uptime_in_seconds{S}) - redis_uptime_in_seconds{S}))",
    5,
)
"""When the server started, in Unix seconds: a step is a restart."""
_BY_LABEL = {
    "cmd": (
        Figure("usec.rate", _rates("cmd", "redis_commands_duration_seconds_total", "1e6"), 5000),
        Figure("calls.rate", _rates("cmd", "redis_commands_total"), 2),
    ),
    "err": (Figure("count.rate", _rates("err", "redis_errors_total"), 0.1),),
    "db": (
        Figure("keys", "max by (db) (max_over_time(redis_db_keys{S,L}[{G}s]))", 50),
        Figure("expires", "max by (db) (max_over_time(redis_db_keys_expiring{S,L}[{G}s]))", 50),
    ),
}
"""Figures with one series per value of a label."""
CLIENTS = Figure("count", "", 2)
"""How many clients there are of a name or of a network: only this program's own past has it."""
_PLACES = re.compile(r"\{(?:S|S,L|G|W)\}")
PREFIX = {"cmd": "cmdstat_", "err": "errorstat_", "db": "", "client": "clients_"}


def _growth(label: str, metric: str) -> str:
    """How much a counter grew, per value of a label; its whole value if it didn't exist at the start."""
    then = f"max by ({label}) ({metric}{{S}} offset {{G}}s)"
    grew = f"max by ({label}) (increase({metric}{{S}}[{{G}}s])) and {then}"
    return f"({grew} or max by ({label}) (last_over_time({metric}{{S}}[{{G}}s])))"


_TOP = (
    f"topk(5, {_growth('cmd', 'redis_commands_duration_seconds_total')}) "
    f"or topk(4, {_growth('err', 'redis_errors_total')} > 0) "
    "or topk(4, max by (db) (max_over_time(redis_db_keys{S}[{W}s])) > 0) "
    'or label_replace(sum(count_over_time(redis_up{S}[{W}s])), "figure", "samples", "", "")'
)


def top_query(instance: str, recent: int, whole: int) -> str:
    """PromQL of the commands that took most time and the commonest errors of the last `recent` seconds, of the
    largest databases, and of how many samples there are, of the last `whole` seconds."""
    return _filled(_TOP, instance, "", recent, whole)


def figures_query(instance: str, values: Mapping[str, list[str]], step: int, window: int) -> str:
    """PromQL of all figures at once, named in the label `figure`; `values` gives the label values that matter."""
    parts = [_labelled_query(figure, instance, "", step, window) for figure in (STARTED, *FIGURES)]
    for label, figures in _BY_LABEL.items():
        if names := values.get(label):
            pattern = f"{label}=~{promql_string('|'.join(map(regex_literal, names)))}"
            parts += [_labelled_query(figure, instance, pattern, step, window) for figure in figures]
    return " or ".join(parts)


def labelled_figure(figure: str, label: str) -> Figure | None:
    """The per-label figure with this name."""
    return next((one for one in labelled_figures(label) if one.field == figure), None)


def labelled_figures(label: str) -> Sequence[Figure]:
    """The figures that there are for each value of a label."""
    return (CLIENTS,) if label == "client" else _BY_LABEL.get(label, ())


def _labelled_query(figure: Figure, instance: str, label: str, step: int, window: int) -> str:
    expression = _filled(figure.expression, instance, label, step, window)
    return f'label_replace({expression}, "figure", {promql_string(figure.field)}, "", "")'


def _filled(expression: str, instance: str, label: str, step: int, window: int) -> str:
    # One pass, so that a label value that looks like a placeholder stays unchanged.
    both = ",".join(filter(None, (instance, label)))
    filled = {"{S}": f"{{{instance}}}", "{S,L}": f"{{{both}}}", "{G}": f"{step}", "{W}": f"{window}"}
    return _PLACES.sub(lambda match: filled[match[0]], expression)
