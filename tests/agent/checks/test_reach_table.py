"""The way to the server, its machine, and its clients' side: each threshold's two sides."""

from collections.abc import Mapping
from typing import Any

from agent.checks.clientside import pool, retry_storm, starved
from agent.checks.connectivity import (
    firewall_drop,
    listen_backlog,
    loading,
    process_down,
    process_frozen,
    protected_mode,
)
from agent.checks.host import bandwidth, huge_pages, packet_loss
from agent.checks.network import path_latency
from agent.checks.outside import another_protocol, starved_host, unreachable, unresolved
from agent.checks.types import Check
from tests.agent.checks.rows import LIMITS, Expected, Given, Row, found, table
from tools.records import Values

SILENT = LIMITS["silent_seconds"]
DOWN, FROZEN, FIREWALL, BACKLOG = "process-down", "process-frozen", "firewall-drop", "listen-backlog-overflow"
OUTSIDE, LOADING = "outside-redis", "loading-dataset"
SEEN: Given = {"topology": {"n1.node": "n", "n1.role": "replica", "n1.seen": "up"}}
SENTINEL: Given = {"topology": {"n1.node": "n", "n1.role": "sentinel"}}


def refused(error: str = "ECONNREFUSED", process: Any = None, **connect: Any) -> Given:
    given: Given = {"connect": ("refused", {"tcp_error": error, "address": "10.0.0.1", **connect})}
    return given if process is None else {**given, "process": process}


def silence(seconds: float, **process: Any) -> Given:
    given: Given = {"silence": ("timeout", {"waited_seconds": seconds})}
    return {**given, "process": process} if process else given


def dropped(stage: str = "tcp", **more: Any) -> Given:
    return {"connect": ("timeout", {"stage": stage}), **more}


def queue(held: int, size: int, overflows: int = 0) -> Values:
    return {"recv_q": held, "send_q": size, "ListenOverflows.delta": overflows}


FELT = {"symptom": "All Redis calls got slow, p99 is 300 ms."}


def crowded(p95: float = 20, busy: float = 1.0, run: float = 0.1, wait: float = 0.4) -> Given:
    return {
        "process": {"main_wait_share": wait, "main_run_share": run}, "latency_sample": {"p95_ms": p95},
        "machine": {"top_process.cpu_share": 0.3, "cpu_busy_share": busy},
    }  # fmt: skip


REACH: list[Row] = [
    ("refused, nothing listens", process_down, refused(process={"listening": False}), {DOWN: "sure"}),
    ("refused, and another server listens at another port", process_down,
     refused(process={"listening": False, "servers_listen_at": "127.0.0.1:6380 10.0.0.9:6379"}), {DOWN: "sure"}),
    ("refused, from another machine", process_down, refused(), {DOWN: "likely"}),
    ("no socket there", process_down, refused("ENOENT"), {DOWN: "likely"}),
    ("refused by another error", process_down, refused("EACCES"), {}),
    ("refused, and something listens", process_down, refused(process={"listening": True}),
     {FIREWALL: "likely", DOWN: "not"}),
    ("refused, and it listens at another address", process_down,
     refused(process={"listening": False, "listens_elsewhere": "127.0.0.1"}), {}),
    ("refused by a rule", process_down, refused(icmp="port-unreachable"), {}),
    ("refused, and its peers see it up", process_down, {**refused(), **SEEN}, {FIREWALL: "hint"}),
    ("refused on this machine, and its peers see it up", process_down,
     {**refused(process={"listening": False, "locality": "no-listener"}), **SEEN}, {}),
    ("refused on this machine, its cluster may be late to see it, and another server has its port", process_down,
     {**refused(process={"listening": False, "locality": "no-listener", "listens_elsewhere": "127.0.0.2"}), **SEEN},
     {DOWN: "sure"}, {"peers": {"b:1": {"cluster": {"cluster_state": "ok"}}}}),
    ("refused on this machine, and its cluster may be late to see it", process_down,
     {**refused(process={"listening": False, "locality": "no-listener"}), **SEEN}, {DOWN: "sure"},
     {"peers": {"b:1": {"cluster": {"cluster_state": "ok"}}}}),
    ("a sentinel", process_down, {**refused(), **SENTINEL}, {}),
    ("not refused", process_down, {"connect": "timeout"}, {}),
    # process_frozen
    ("stopped", process_frozen, {"process": {"stopped": True}}, {FROZEN: "sure"}),
    ("frozen by its group", process_frozen, {"process": {"cgroup_frozen": True}}, {FROZEN: "sure"}),
    ("silent, from another machine", process_frozen, silence(SILENT), {FROZEN: "likely"}),
    ("not silent for long", process_frozen, silence(SILENT - 0.1), {}),
    ("silent behind a proxy", process_frozen,
     {**silence(SILENT), "process": ("not-local", {"locality": "foreign-listener"})}, {FROZEN: "maybe"}),
    ("silent in state D", process_frozen, silence(SILENT, state="D"), {FROZEN: "sure"}),
    ("silent, and it runs", process_frozen, silence(SILENT, state="R"), {FROZEN: "hint"}),
    ("it answers", process_frozen, {"silence": {"ping_answered": True}}, {FROZEN: "not"}),
    ("it answers something", process_frozen, {"silence": {"ping_answered": False}}, {}),
    ("a stopped sentinel", process_frozen, {"process": {"stopped": True}, **SENTINEL}, {}),
    ("nothing known of it", process_frozen, {}, {}),
    # firewall_drop
    ("the connect runs out", firewall_drop, dropped(), {FIREWALL: "likely", DOWN: "not"}),
    ("the connect runs out later", firewall_drop, dropped("open"), {}),
    ("the listener's queue is full", firewall_drop, dropped(sockets=queue(129, 128)), {FIREWALL: "not"}),
    ("the listener's queue overflows", firewall_drop, dropped(sockets=queue(0, 128, 1)), {FIREWALL: "not"}),
    ("a long queue overflows", firewall_drop, dropped(sockets=queue(0, 129, 1)), {FIREWALL: "likely", DOWN: "not"}),
    ("its peers see it up", firewall_drop, dropped(**SEEN), {FIREWALL: "hint"}),
    ("ICMP prohibits", firewall_drop, refused("EACCES", icmp="prohibited"), {FIREWALL: "sure", DOWN: "not"}),
    ("ICMP says that the port can't be reached", firewall_drop, refused(icmp="port-unreachable"),
     {FIREWALL: "sure", DOWN: "not"}),
    ("the host itself says that it can't be reached", firewall_drop,
     refused("EHOSTUNREACH", icmp="host-unreachable", icmp_from="10.0.0.1"), {FIREWALL: "sure", DOWN: "not"}),
    ("the host says that its network can't be", firewall_drop,
     refused("ENETUNREACH", icmp="net-unreachable", icmp_from="10.0.0.1"), {FIREWALL: "sure", DOWN: "not"}),
    ("a router says that it can't be reached", firewall_drop,
     refused("EHOSTUNREACH", icmp="host-unreachable", icmp_from="10.0.0.254"), {}),
    ("ICMP, and it listens here", firewall_drop, refused(icmp="port-unreachable", process={"listening": True}), {}),
    ("ICMP, and its peers see it up", firewall_drop, {**refused(icmp="port-unreachable"), **SEEN}, {}),
    ("ICMP, and it's reached", firewall_drop, {"connect": {"icmp": "port-unreachable", "stage": "ping"}}, {}),
    # protected_mode, loading
    ("denied", protected_mode, {"connect": "protected"}, {"protected-mode-denied": "sure"}),
    ("not denied", protected_mode, {"connect": "noauth"}, {}),
    ("says that it loads", loading, {"info": "loading"}, {LOADING: "sure"}),
    ("INFO says so", loading, {"info": {"loading": 1, "loading_eta_seconds": 20}}, {LOADING: "sure"}),
    ("INFO says that it doesn't", loading, {"info": {"loading": 0}}, {}),
    ("silent, and reads its file", loading, dropped("open", process={"loading_file": "dump.rdb"}), {LOADING: "sure"}),
    ("not connected, and reads its file", loading, dropped("tcp", process={"loading_file": "dump.rdb"}), {}),
    ("stopped, with its file open", loading,
     dropped("open", process={"loading_file": "dump.rdb", "stopped": True}), {}),
    ("frozen by its group, with its file open", loading,
     dropped("open", process={"loading_file": "dump.rdb", "cgroup_frozen": True}), {}),
    ("silent, and reads nothing", loading, dropped("open", process={"state": "R"}), {}),
    ("answers, and a file is open", loading, {"process": {"loading_file": "dump.rdb"}}, {}),
    # listen_backlog
    ("a short queue is over", listen_backlog, {"sockets": queue(129, 128)}, {BACKLOG: "sure"}),
    ("a long queue is over", listen_backlog, {"sockets": queue(130, 129)}, {BACKLOG: "likely"}),
    ("a queue is full", listen_backlog, {"sockets": queue(128, 128)}, {}),
    ("a short queue dropped", listen_backlog, {"sockets": queue(0, 128, 1)}, {BACKLOG: "likely"}),
    ("a short queue dropped while we waited", listen_backlog, dropped(sockets=queue(0, 128, 1)), {BACKLOG: "sure"}),
    ("some queue dropped", listen_backlog, {"sockets": queue(0, 129, 1)}, {BACKLOG: "hint"}),
    ("some queue dropped while we waited", listen_backlog, dropped(sockets=queue(0, 129, 1)), {BACKLOG: "hint"}),
    ("which one dropped isn't told", listen_backlog, {"sockets": {"ListenOverflows.delta": 1}}, {BACKLOG: "hint"}),
    ("own drops of a long queue", listen_backlog, {"sockets": queue(0, 511) | {"drops.delta": 2}}, {BACKLOG: "likely"}),
    ("another's queue dropped", listen_backlog, {"sockets": queue(0, 128, 39) | {"drops.delta": 0}}, {BACKLOG: "not"}),
    ("another's while we waited", listen_backlog, dropped(sockets=queue(0, 128, 39) | {"drops.delta": 0}),
     {BACKLOG: "not"}),
    ("an empty queue", listen_backlog, {"sockets": queue(0, 511)}, {BACKLOG: "not"}),
    ("queues unread", listen_backlog, {}, {}),
    # outside
    ("no name", unresolved, {"connect": "dns"}, {OUTSIDE: "sure"}),
    ("no name here, and its peers see it up", unresolved, {"connect": "dns", **SEEN}, {}),
    ("a name", unresolved, {"connect": "timeout"}, {}),
    ("no way", unreachable, refused("EHOSTUNREACH"), {OUTSIDE: "sure"}),
    ("no way, by a rule", unreachable, refused("EHOSTUNREACH", icmp="host-unreachable", icmp_from="10.0.0.1"), {}),
    ("no way from here, and its peers see it up", unreachable, {**refused("ENETUNREACH"), **SEEN}, {}),
    ("a way", unreachable, refused("ECONNREFUSED"), {}),
    ("another protocol", another_protocol, {"connect": ("reset", {"speaks_resp": False})}, {OUTSIDE: "sure"}),
    ("TLS is another protocol", another_protocol, {"connect": ("tls", {"speaks_resp": False})}, {}),
    ("the right protocol", another_protocol, {"connect": {"speaks_resp": True}}, {}),
    ("another process has the core", starved_host,
     {"process": {"main_wait_share": 0.3, "main_run_share": 0.29}, "machine": {"top_process.cpu_share": 0.9}},
     {OUTSIDE: "likely"}),
    ("it waits less", starved_host,
     {"process": {"main_wait_share": 0.29, "main_run_share": 0.2}, "machine": {"top_process.cpu_share": 0.9}}, {}),
    ("it runs as much as it waits", starved_host,
     {"process": {"main_wait_share": 0.3, "main_run_share": 0.3}, "machine": {"top_process.cpu_share": 0.9}}, {}),
    ("all together have the cores, and it's felt", starved_host, crowded(), {OUTSIDE: "maybe"}, FELT),
    ("a command takes long by itself", starved_host,
     {**crowded(), "commandstats": {"top": "exec", "exec.usec_per_call.delta": 50_000}}, {}, FELT),
    ("a command takes long for the wait", starved_host,
     {**crowded(), "commandstats": {"top": "exec", "exec.usec_per_call.delta": 49_000}}, {OUTSIDE: "maybe"}, FELT),
    ("a value or two is sent", starved_host, crowded(run=0.02, wait=0.15), {OUTSIDE: "maybe"}, FELT),
    ("this program waits nearly as long", starved_host,
     {**crowded(p95=44), "latency_sample": {"p95_ms": 44, "own_delay_p95_ms": 30},
      "process": {"main_wait_share": 0.4, "main_run_share": 0.1, "locality": "local"}}, {}, FELT),
    ("it hardly waits", starved_host, crowded(run=0.02, wait=0.14), {}, FELT),
    ("nobody feels it", starved_host, crowded(), {}),
    ("its answers come soon", starved_host, crowded(p95=19), {}, FELT),
    ("there are cores left", starved_host, crowded(busy=0.94), {}, FELT),
    ("it waits less than three times", starved_host, crowded(run=0.2), {}, FELT),
    ("nobody has a whole core", starved_host,
     {"process": {"main_wait_share": 0.3, "main_run_share": 0.2}, "machine": {"top_process.cpu_share": 0.89}}, {}),
]  # fmt: skip

LOSS, CAP, PATH = "packet-loss", "bandwidth-cap", "path-latency"
IDLE, SLOW, LEAST = LIMITS["idle_busy_share"], LIMITS["slow_command_usec"], LIMITS["path_min_latency_ms"]
BULK, OUT = LIMITS["bulk_reply_bytes"], LIMITS["bulk_output_bytes"]
PAGES, SHARE = LIMITS["huge_pages_bytes"], LIMITS["huge_pages_share"]


def pings(*late: float, count: int = 20, busy: float = 0.0, **more: Any) -> dict[str, Any]:
    """A sample of 1 ms PINGs, some of them later."""
    series = [1.0] * (count - len(late)) + [1.0 + one for one in late]
    sample: Values = {
        "series_ms": " ".join(f"{one:g}" for one in series), "median_ms": 1.0, "answered": count, "max_ms": max(series),
    }  # fmt: skip
    return {"latency_sample": sample, "commandstats": {"busy_share": busy}, **more}


def segments(again: int, out: int, waiting: int = 2) -> dict[str, Any]:
    sockets: Values = {"TCPRetransSegs.delta": again, "TCPOutSegs.delta": out, "retransmitting": waiting}
    return pings(200, process={"locality": "local"}, sockets=sockets)


def output(each: float = BULK, sent: float = OUT, share: float = 0.2, p95: float = 4, fastest: float = 1,
           late: tuple[float, ...] = (), info: Values | None = None, **more: Any) -> dict[str, Any]:  # fmt: skip
    given = pings(*late)
    given["latency_sample"] |= {"min_ms": fastest, "over_10ms_share": share, "p95_ms": p95}
    given["info"] = {"total_net_output_bytes.rate": sent, "total_commands_processed.rate": sent / each, **(info or {})}
    return given | more


def even(now: float, change: float = 0) -> Values:
    return {"instantaneous_output_kbps": now, "instantaneous_output_kbps.delta": change}


RATE = OUT / 1024
LARGE = {"symptom": "large values are slow"}
SAVING = {"symptom": "latency spikes on save"}


def pages(size: float, rss: float, cow: float = 0, fork: float = 0, **more: Any) -> Given:
    return {
        "process": {"smaps_AnonHugePages_bytes": size, "rss_bytes": rss},
        "info": {"rdb_last_cow_size": cow, "latest_fork_usec": fork}, **more,
    }  # fmt: skip


def dropping(age: float) -> Given:
    full = {"conntrack_full.newest_age": age, "conntrack_full.count": 3}
    return {**pings(), "kernel_log": full, "process": {"locality": "local"}}


MACHINE: list[Row] = [
    ("three came a time-out late", packet_loss, pings(200, 200, 400), {LOSS: "sure"}),
    ("two did", packet_loss, pings(200, 400), {LOSS: "likely"}),
    ("one did", packet_loss, pings(200), {LOSS: "hint"}),
    ("none did", packet_loss, pings(), {LOSS: "not"}),
    ("late by another time", packet_loss, pings(150, 300), {}),
    ("the least of a step", packet_loss, pings(190), {LOSS: "hint"}),
    ("before a step", packet_loss, pings(189), {}),
    ("the most of a step", packet_loss, pings(240), {LOSS: "hint"}),
    ("behind a step", packet_loss, pings(241), {}),
    ("hardly late", packet_loss, pings(99), {LOSS: "not"}),
    ("late", packet_loss, pings(100), {}),
    ("half of the late ones in steps", packet_loss, pings(200, 150), {LOSS: "hint"}),
    ("fewer of the late ones in steps", packet_loss, pings(200, 150, 300), {}),
    ("half of all late", packet_loss, pings(*[200] * 10), {LOSS: "sure"}),
    ("more than half of all late", packet_loss, pings(*[200] * 11), {}),
    ("late, and the server is busy", packet_loss, pings(200, busy=IDLE + 0.01), {}),
    ("late, and the server is a little busy", packet_loss, pings(200, busy=IDLE), {LOSS: "hint"}),
    ("late, and its thread is busy", packet_loss,
     pings(200, info={"used_cpu_user.rate": 0.71, "used_cpu_sys.rate": 0.0}), {}),
    ("late, and its thread isn't", packet_loss,
     pings(200, info={"used_cpu_user.rate": 0.7, "used_cpu_sys.rate": 0.0}), {LOSS: "hint"}),
    ("late, and a command was slow", packet_loss, pings(200, slowlog={"max_usec": SLOW, "newest_age": 60}), {}),
    ("late, and a command was nearly slow", packet_loss, pings(200, slowlog={"max_usec": SLOW - 1, "newest_age": 60}),
     {LOSS: "hint"}),
    ("late, and a command was slow before", packet_loss, pings(200, slowlog={"max_usec": SLOW, "newest_age": 61}),
     {LOSS: "hint"}),
    ("late, and its commands aren't known", packet_loss, {"latency_sample": pings(200)["latency_sample"]}, {}),
    ("not sampled", packet_loss, {"latency_sample": "timeout"}, {}),
    ("the machine's table is full", packet_loss, dropping(600), {LOSS: "likely"}),
    ("the machine's table was full", packet_loss, dropping(601), {}),
    ("another machine's table is full", packet_loss, {**dropping(5), "process": {"locality": "remote"}}, {LOSS: "not"}),
    ("nothing sent again here", packet_loss, segments(0, 100), {LOSS: "not"}),
    ("much sent again here", packet_loss, segments(5, 500), {LOSS: "hint"}),
    ("much sent again here, and loss is reported", packet_loss, segments(5, 500), {LOSS: "maybe"},
     {"symptom": "p99 is 200 ms"}),
    ("few sent again here", packet_loss, segments(4, 100), {}),
    ("a small part sent again here", packet_loss, segments(5, 501), {}),
    ("sent again, not the server's", packet_loss, segments(5, 100, 1), {}),
    # bandwidth
    ("PINGs wait behind large replies", bandwidth, output(), {CAP: "likely"}),
    ("the same, and large values are reported", bandwidth, output(), {CAP: "sure"}, LARGE),
    ("smaller replies", bandwidth, output(BULK - 1), {CAP: "not"}),
    ("fewer of them", bandwidth, output(sent=OUT - 1), {CAP: "not"}),
    ("what replicas are sent isn't a reply", bandwidth,
     output(replication={"connected_slaves": 1, "master_repl_offset.rate": 1.0}), {CAP: "not"}),
    ("what no replica is sent", bandwidth,
     output(replication={"connected_slaves": 0, "master_repl_offset.rate": 1.0}), {CAP: "likely"}),
    ("few PINGs wait", bandwidth, output(share=0.19), {}),
    ("PINGs don't wait long", bandwidth, output(p95=3.9), {}),
    ("PINGs wait as lost ones do", bandwidth, output(late=(200, 200, 200)), {}),
    ("PINGs wait, some of them as lost ones do", bandwidth, output(late=(200, 200, 150, 150)), {CAP: "likely"}),
    ("the server is busy", bandwidth, output(commandstats={"busy_share": IDLE + 0.01}), {}),
    ("the server waits for a core", bandwidth, output(process={"main_wait_share": 0.21}), {}),
    ("the server hardly waits for a core", bandwidth, output(process={"main_wait_share": 0.2}), {CAP: "likely"}),
    ("the server is throttled", bandwidth, output(process={"cgroup_nr_throttled.delta": 1}), {}),
    ("asked from its own machine", bandwidth, output(process={"locality": "local"}), {}),
    ("an even rate", bandwidth, output(share=0, info=even(RATE)), {CAP: "hint"}),
    ("an even rate, and large values are reported", bandwidth, output(share=0, info=even(RATE)), {CAP: "hint"}, LARGE),
    ("nearly even", bandwidth, output(share=0, info=even(RATE, 0.09 * RATE)), {CAP: "hint"}),
    ("not even", bandwidth, output(share=0, info=even(RATE, 0.11 * RATE)), {}),
    ("on average nearly the same", bandwidth, output(share=0, info=even(RATE * 1.17)), {CAP: "hint"}),
    ("on average another", bandwidth, output(share=0, info=even(RATE * 1.18)), {}),
    ("even, and much waits in the kernel", bandwidth,
     output(share=0, info=even(RATE), process={"locality": "local"}, sockets={"unacked_bytes": OUT}), {CAP: "likely"},
     LARGE),
    ("even, and much waits, nothing reported", bandwidth,
     output(share=0, info=even(RATE), process={"locality": "local"}, sockets={"unacked_bytes": OUT}), {CAP: "maybe"}),
    ("even, and less waits in the kernel", bandwidth,
     output(share=0, info=even(RATE), process={"locality": "local"}, sockets={"unacked_bytes": OUT - 1}),
     {CAP: "hint"}, LARGE),
    ("output unread", bandwidth, pings(), {}),
    # huge_pages
    ("huge pages", huge_pages, pages(PAGES, PAGES / SHARE), {"thp": "hint"}),
    ("fewer huge pages", huge_pages, pages(PAGES - 1, PAGES), {"thp": "not"}),
    ("a smaller share", huge_pages, pages(PAGES, PAGES / SHARE + 9), {"thp": "not"}),
    ("copied by the last save", huge_pages, pages(PAGES, PAGES, cow=0.3 * PAGES), {"thp": "maybe"}),
    ("copied, and a save is reported", huge_pages, pages(PAGES, PAGES, cow=0.3 * PAGES), {"thp": "likely"}, SAVING),
    ("less copied", huge_pages, pages(PAGES, PAGES, cow=0.29 * PAGES), {"thp": "hint"}, SAVING),
    ("a long fork", huge_pages, pages(PAGES, PAGES, fork=100_000), {"thp": "maybe"}),
    ("a shorter fork", huge_pages, pages(PAGES, PAGES, fork=99_999), {"thp": "hint"}),
    ("by the other reading", huge_pages, pages(PAGES, PAGES, persistence={"rdb_last_cow_size": PAGES}),
     {"thp": "maybe"}),
    ("pages unread", huge_pages, {"process": {"rss_bytes": 5}}, {}),
    # path_latency
    ("the fastest is slow", path_latency, {"latency_sample": {"min_ms": LEAST, "median_ms": 4 * LEAST}},
     {PATH: "sure"}),
    ("the fastest is slow, the others unsteady", path_latency,
     {"latency_sample": {"min_ms": LEAST, "median_ms": 4 * LEAST + 1}}, {PATH: "likely"}),
    ("the fastest isn't slow", path_latency, {"latency_sample": {"min_ms": LEAST - 0.1, "median_ms": 50}},
     {PATH: "not"}),
    ("slow, and the server is busy", path_latency,
     {"latency_sample": {"min_ms": LEAST, "median_ms": LEAST}, "commandstats": {"busy_share": 0.5}}, {}),
    ("slow, and the server is half busy", path_latency,
     {"latency_sample": {"min_ms": LEAST, "median_ms": LEAST}, "commandstats": {"busy_share": 0.49}}, {PATH: "sure"}),
    ("slow, and its thread is busy", path_latency,
     {"latency_sample": {"min_ms": LEAST, "median_ms": LEAST},
      "info": {"used_cpu_user.rate": 0.7, "used_cpu_sys.rate": 0.0}}, {}),
    ("slow, and its thread is hardly busy", path_latency,
     {"latency_sample": {"min_ms": LEAST, "median_ms": LEAST},
      "info": {"used_cpu_user.rate": 0.69, "used_cpu_sys.rate": 0.0}},
     {PATH: "sure"}),
    ("slow, the server is here, and the kernel connects at once", path_latency,
     {"latency_sample": {"min_ms": LEAST, "median_ms": LEAST}, "process": {"listening": True},
      "connect": {"tcp_ms": LEAST - 0.1}}, {}),
    ("slow, the server is here, and the kernel's connect is as slow", path_latency,
     {"latency_sample": {"min_ms": LEAST, "median_ms": LEAST}, "process": {"listening": True},
      "connect": {"tcp_ms": LEAST}}, {PATH: "sure"}),
    ("slow, and a proxy connects at once", path_latency,
     {"latency_sample": {"min_ms": LEAST, "median_ms": LEAST}, "process": {"locality": "foreign-listener"},
      "connect": {"tcp_ms": 0.1}}, {PATH: "sure"}),
    ("slow, the server is here, and the connect wasn't timed", path_latency,
     {"latency_sample": {"min_ms": LEAST, "median_ms": LEAST}, "process": {"listening": True}}, {PATH: "sure"}),
    ("no answer", path_latency, {"latency_sample": "timeout"}, {}),
]  # fmt: skip

POOL, BLOCKING, STARVED, STORM = "pool-exhausted", "blocking-in-pool", "client-starved", "retry-storm"
EMPTY = {"symptom": "redis.exceptions.MaxConnectionsError: Too many connections"}
REST, CHURN, TIMES = LIMITS["held_idle_seconds"], LIMITS["churn_connections_per_second"], LIMITS["storm_ratio"]
CHANGED = LIMITS["baseline_changed_ratio"]


def quiet(clients: Values | None = None, busy: float = 0, median: float = 1, share: float = 0, rejected: int = 0,
          cpu: float = 0, **more: Any) -> Given:  # fmt: skip
    return {
        "commandstats": {"busy_share": busy}, "latency_sample": {"median_ms": median, "over_10ms_share": share},
        "info": {"rejected_connections.delta": rejected, "connected_clients": 5, "used_cpu_user.rate": cpu,
                 "used_cpu_sys.rate": 0.0},
        "clients": {"blocked": 0, **(clients or {})}, **more,
    }  # fmt: skip


def owner(count: int, waiting: int = 0, idle: float = 0, number: int = 1, *, cmd: str = "blpop",
          flags: str = "b") -> Values:  # fmt: skip
    at, of = f"o{number}", f"g{number}"
    who: Values = {f"{at}.name": f"app{number}", f"{at}.address": "10.0.0.7"}
    values: Values = {**who, f"{at}.count": count, f"{at}.idle_median": idle}
    if waiting:
        values |= {f"{of}.count": waiting, f"{of}.flags": flags, f"{of}.cmd": cmd, f"{of}.name": f"app{number}",
                   f"{of}.address": "10.0.0.7"}  # fmt: skip
    return values


NOT_BLOCKED = {BLOCKING: "not"}


def load(rate: float, usual: float = 1, uptime: float = 1002, commands: float = 100) -> Given:
    """Connections a second over two, and on average before."""
    before = usual * (uptime - 2)
    return {"info": {
        "total_connections_received.rate": rate, "total_connections_received.delta": 2 * rate,
        "total_connections_received": before + 2 * rate, "total_commands_processed.rate": commands,
        "total_commands_processed.delta": 2 * commands, "total_commands_processed": 2 * commands,
        "uptime_in_seconds": uptime, "window_seconds": 2.0,
    }}  # fmt: skip


def since(rate: float, connections: float, ops: float = 10, **figures: float) -> Given:
    """Compared with the baseline: so many times its connections, and its commands."""
    baseline: Values = {
        "connections_per_second.before": 98, "connections_per_second.now": 100 * connections - 2,
        "ops_per_second.before": 80, "ops_per_second.now": 100 * ops - 20,
    }  # fmt: skip
    for name, ratio in figures.items():
        baseline |= {f"{name}.before": 0.9, f"{name}.now": ratio - 0.1}
    return {"info": {"total_connections_received.rate": rate}, "baseline": baseline}


BLIP = {"symptom": "since the failover it's slow"}
CLIENTS: list[Row] = [
    ("an empty pool, the server idle", pool, quiet(), {POOL: "likely", **NOT_BLOCKED}, EMPTY),
    ("nothing reported", pool, quiet(), {}),
    ("a pool of processes", pool, quiet(), {}, {"symptom": "Error while reading line, PHP-FPM pool is full"}),
    ("an empty pool, the server busy", pool, quiet(busy=IDLE + 0.01), {POOL: "not"}, EMPTY),
    ("an empty pool, the server a little busy", pool, quiet(busy=IDLE), {POOL: "likely", **NOT_BLOCKED}, EMPTY),
    ("an empty pool, its thread busy", pool, quiet(cpu=2 * IDLE + 0.01), {POOL: "not"}, EMPTY),
    ("an empty pool, its thread a little busy", pool, quiet(cpu=2 * IDLE), {POOL: "likely", **NOT_BLOCKED}, EMPTY),
    ("an empty pool, answers late", pool, quiet(median=10.1), {POOL: "not"}, EMPTY),
    ("an empty pool, answers in time", pool, quiet(median=10), {POOL: "likely", **NOT_BLOCKED}, EMPTY),
    ("an empty pool, some answers late", pool, quiet(share=0.21), {POOL: "not"}, EMPTY),
    ("an empty pool, few answers late", pool, quiet(share=0.2), {POOL: "likely", **NOT_BLOCKED}, EMPTY),
    ("an empty pool, one rejected", pool, quiet(rejected=1), {POOL: "not"}, EMPTY),
    ("an empty pool, one paused", pool, quiet({"paused": 1}), {POOL: "not"}, EMPTY),
    ("an empty pool, refused ourselves", pool, quiet(connect="maxclients"), {POOL: "not"}, EMPTY),
    ("an empty pool, the server unmeasured", pool, {"info": {"rejected_connections.delta": 0}}, {}, EMPTY),
    ("an empty pool, one figure that isn't calm", pool, {"latency_sample": {"median_ms": 11}}, {POOL: "not"}, EMPTY),
    ("an empty pool, the clients unread", pool, {**quiet(), "clients": "denied"}, {POOL: "likely"}, EMPTY),
    ("the whole pool blocks", pool, quiet(owner(5, 4)), {BLOCKING: "sure"}, EMPTY),
    ("not the whole pool", pool, quiet(owner(6, 4)), {BLOCKING: "maybe", POOL: "hint"}, EMPTY),
    ("two of five block", pool, quiet(owner(5, 2)), {BLOCKING: "maybe", POOL: "hint"}, EMPTY),
    ("two of six block", pool, quiet(owner(6, 2)), {POOL: "likely", **NOT_BLOCKED}, EMPTY),
    ("one of one blocks", pool, quiet(owner(1, 1)), {POOL: "likely", **NOT_BLOCKED}, EMPTY),
    ("they wait in a plain command", pool, quiet(owner(5, 5, cmd="get")), {POOL: "likely", **NOT_BLOCKED}, EMPTY),
    ("they don't wait", pool, quiet(owner(5, 5, flags="N")), {POOL: "likely", **NOT_BLOCKED}, EMPTY),
    ("they rest", pool, quiet(owner(2, idle=REST)), {POOL: "sure", **NOT_BLOCKED}, EMPTY),
    ("they hardly rest", pool, quiet(owner(2, idle=REST - 0.1)), {POOL: "likely", **NOT_BLOCKED}, EMPTY),
    ("one rests", pool, quiet(owner(1, idle=REST)), {POOL: "likely", **NOT_BLOCKED}, EMPTY),
    ("one owner's rest, another's block", pool, quiet(owner(2, idle=REST) | owner(5, 5, number=2)),
     {POOL: "sure", BLOCKING: "hint"}, EMPTY),
    ("the second owner blocks", pool, quiet(owner(5) | owner(5, 5, number=2)), {BLOCKING: "sure"}, EMPTY),
    # starved
    ("busy by its own word", starved, quiet(), {STARVED: "likely"}, {"symptom": "Timeout, busy=5, qs: 12"}),
    ("busy, and so is the server", starved, quiet(busy=IDLE + 0.01), {STARVED: "not"}, {"symptom": "busy=5"}),
    ("busy, and the server unmeasured", starved, {"info": {"rejected_connections.delta": 0}}, {},
     {"symptom": "busy=5"}),
    ("not busy by its own word", starved, quiet(), {}, {"symptom": "busy=0"}),
    # retry_storm, of this server's life
    ("far above its life", retry_storm, load(CHURN, CHURN / TIMES), {STORM: "hint"}),
    ("far above its life, after a blip", retry_storm, load(CHURN, CHURN / TIMES), {STORM: "likely"}, BLIP),
    ("not as far above", retry_storm, load(CHURN, CHURN / TIMES + 0.1), {}),
    ("not as far above, after a blip", retry_storm, load(CHURN, CHURN / TIMES + 0.1), {STORM: "not"}, BLIP),
    ("far above, and few", retry_storm, load(CHURN - 1, 0), {}),
    ("far above a life of nothing", retry_storm, load(CHURN, 0), {STORM: "hint"}),
    ("too young", retry_storm, load(CHURN, 0, uptime=6.9), {}),
    ("just old enough", retry_storm, load(CHURN, 0, uptime=7), {STORM: "hint"}),
    ("rates unread", retry_storm, {"info": {"total_connections_received.rate": 500}}, {}, BLIP),
    # retry_storm, against the good day
    ("far above the good day", retry_storm, since(CHURN, TIMES), {STORM: "likely"}),
    ("far above it, after a blip", retry_storm, since(CHURN, TIMES), {STORM: "sure"}, BLIP),
    ("not as far above it", retry_storm, since(CHURN, TIMES - 0.1), {}),
    ("not as far above it, after a blip", retry_storm, since(CHURN, TIMES - 0.1), {STORM: "not"}, BLIP),
    ("far above it, and few", retry_storm, since(CHURN - 1, TIMES), {}),
    ("far above it, and no more commands", retry_storm, since(CHURN, TIMES, CHANGED - 0.1), {}),
    ("far above it, and twice the commands", retry_storm, since(CHURN, TIMES, CHANGED), {STORM: "likely"}),
    ("other work", retry_storm, since(CHURN, TIMES, hit_ratio=0.4), {STORM: "hint"}),
    ("other work, after a blip", retry_storm, since(CHURN, TIMES, hit_ratio=0.4), {STORM: "maybe"}, BLIP),
    ("the same work", retry_storm, since(CHURN, TIMES, hit_ratio=1.0), {STORM: "likely"}),
    ("as on the good day", retry_storm, since(CHURN, 1, 1), {STORM: "not"}),
    ("as on the good day, and few", retry_storm, since(CHURN - 1, 1, 1), {}),
    ("as on the good day, and few, after a blip", retry_storm, since(CHURN - 1, 1, 1), {STORM: "not"}, BLIP),
]  # fmt: skip


@table([*REACH, *MACHINE, *CLIENTS])
def test_what_is_found(check: Check, given: Given, expected: Expected, more: Mapping[str, Any]) -> None:
    assert found(check, given, **more) == expected
