"""Clients, the connections that break, and what settings and access say: each threshold's two sides."""

from collections.abc import Mapping
from typing import Any

from agent.checks.access import auth_failure, tls_mismatch
from agent.checks.clients import churn, fd_limit, leak, maxclients
from agent.checks.pauses import paused
from agent.checks.resets import client_evicted, idle_drop, idle_timeout, query_buffer, slow_consumer
from agent.checks.settings import config_drift
from agent.checks.types import Check
from tests.agent.checks.rows import LIMITS, Expected, Given, Row, found, table
from tools.records import Values

FULL, MANY, LEAK, REST = "maxclients-exhausted", "fd-limit-clamp", "connection-leak", LIMITS["leak_idle_seconds"]
ENOUGH = LIMITS["leak_clients"]
CLIMB = {"symptom": "Redis: the number of connections climbs slowly since the deploy."}
RATE, EACH = LIMITS["churn_connections_per_second"], LIMITS["churn_commands_per_connection"]
SHARE = LIMITS["clients_of_maxclients_share"]
OUT, QUERY = LIMITS["output_buffer_bytes"], LIMITS["query_buffer_bytes"]


def info(**values: float) -> Given:
    return {"info": dict(values)}


def owner(count: int, unused: float, idle: float = REST, number: int = 1) -> Values:
    at = f"o{number}"
    return {f"{at}.count": count, f"{at}.unused": unused, f"{at}.idle_median": idle, f"{at}.name": "orders"}


def had(first: int, now: int, name: str = "orders") -> Values:
    at = f"clients_{name}.count"
    return {f"{at}.first": first, f"{at}.now": now, f"{at}.until": "2026-01-31T01:45:00Z"}


def growing(by: int, limit: int = 10000) -> Values:
    return {"connected_clients.delta": by, "maxclients": limit}


def connecting(rate: float, commands: float, **errors: float) -> Given:
    values: Values = {"total_connections_received.rate": rate, "total_commands_processed.rate": commands}
    return {"info": {**values, **{f"errorstat_{name}.count.rate": value for name, value in errors.items()}}}


def soft(limit: int, fds: int | None, clients: int | None = None) -> Given:
    return {
        "process": {"nofile_soft": limit, "num_fds": fds},
        "info": {} if clients is None else {"maxclients": clients},
    }


CALM: dict[str, float] = {"rejected_connections.delta": 0}

CLIENTS: list[Row] = [
    # maxclients: rejections, every slot, the share in use
    ("room left", maxclients, info(maxclients=100, connected_clients=100 * SHARE, **CALM), {FULL: "not"}),
    ("room left, rejections unread", maxclients, info(maxclients=100, connected_clients=100 * SHARE), {}),
    ("no rejection, clients unread", maxclients, info(maxclients=100, **CALM), {}),
    ("nearly full", maxclients, info(maxclients=100, connected_clients=100 * SHARE + 1), {FULL: "hint"}),
    ("one slot left", maxclients, info(maxclients=100, connected_clients=99), {FULL: "hint"}),
    ("every slot taken", maxclients, info(maxclients=100, connected_clients=100), {FULL: "sure"}),
    ("slots of replicas and of the bus count", maxclients,
     info(maxclients=100, connected_clients=90, connected_slaves=4, cluster_connections=6), {FULL: "sure"}),
    ("one rejected now", maxclients, {"info": {"maxclients": 100, "rejected_connections.delta": 1}}, {FULL: "sure"}),
    ("rejected since the start only", maxclients,
     info(maxclients=100, connected_clients=10, rejected_connections=7, **CALM), {FULL: "not"}),
    ("refused itself", maxclients, {"connect": "maxclients"}, {FULL: "sure"}),
    ("refused itself, with a limit read", maxclients, {"connect": "maxclients", **info(maxclients=100)},
     {FULL: "sure"}),
    ("nothing read", maxclients, {}, {}),
    ("a limit that isn't known, and a rejection", maxclients, {"info": {"rejected_connections.delta": 1}},
     {FULL: "sure"}),
    # fd_limit: starved, clamped, asked for, guessed
    ("two descriptors left", fd_limit, soft(1024, 1022), {MANY: "sure"}),
    ("three descriptors left", fd_limit, soft(1024, 1021), {}),
    ("clamped, nobody asks", fd_limit, soft(1024, 100, 992), {MANY: "hint"}),
    ("clamped, and the ticket asks", fd_limit, soft(1024, 100, 992), {MANY: "sure"}, {"symptom": "ulimit is too low"}),
    ("clamped and full", fd_limit,
     {"process": {"nofile_soft": 1024}, "info": {"maxclients": 992, "connected_clients": 992}}, {MANY: "sure"}),
    ("a limit of its own", fd_limit, soft(1024, 100, 991), {}),
    ("the limit by chance at the default", fd_limit, soft(10032, 100, 10000), {}),
    ("just below the default", fd_limit, soft(10031, 100, 9999), {MANY: "hint"}),
    ("the limit as the configuration has it", fd_limit,
     {"process": {"nofile_soft": 1024}, "config_get": {"maxclients": "992"}}, {MANY: "hint"}),
    ("full and the limit unread", fd_limit, {"process": {"nofile_soft": 1024}, "connect": "maxclients"},
     {MANY: "sure"}),
    ("full, unread, and the file limit isn't in the way", fd_limit,
     {"process": {"nofile_soft": 10032}, "connect": "maxclients"}, {}),
    ("not full and the limit unread", fd_limit, {"process": {"nofile_soft": 1024}}, {}),
    ("full at a power of two less 32", fd_limit, info(maxclients=992, connected_clients=992), {MANY: "maybe"}),
    ("full at the smallest such", fd_limit, info(maxclients=32, connected_clients=32), {MANY: "maybe"}),
    ("full at a power of two that is none's limit", fd_limit, info(maxclients=1, connected_clients=1), {}),
    ("full at another number", fd_limit, info(maxclients=1000, connected_clients=1000), {}),
    ("such a number, not full", fd_limit, info(maxclients=992, connected_clients=10), {}),
    # leak: enough, of one owner, unused, at rest
    ("just enough at rest", leak, {"clients": owner(60, ENOUGH)}, {LEAK: "likely"}),
    ("one fewer", leak, {"clients": owner(60, ENOUGH - 1)}, {}),
    ("fewer, that have grown for long", leak, {"clients": owner(30, 24), "history": had(15, 30)}, {LEAK: "likely"}),
    ("fewer, that haven't doubled", leak, {"clients": owner(29, 24), "history": had(15, 29)}, {}),
    ("fewer, and others have grown", leak, {"clients": owner(30, 24), "history": had(15, 30, "checkout")}, {}),
    ("grown, and at work", leak, {"clients": owner(30, 10), "history": had(15, 30)}, {}),
    ("fewer, and somebody says that they climb", leak, {"clients": owner(30, ENOUGH * 0.4)}, {LEAK: "maybe"}, CLIMB),
    ("a handful, and somebody says that they climb", leak, {"clients": owner(19, ENOUGH * 0.4 - 1)}, {}, CLIMB),
    ("at work, and somebody says that they climb", leak, {"clients": owner(60, 30)}, {}, CLIMB),
    ("enough, and growing", leak, {"clients": owner(60, ENOUGH), "info": growing(1)}, {LEAK: "sure"}),
    ("fewer, and growing", leak, {"clients": owner(30, ENOUGH * 0.4), "info": growing(1)}, {LEAK: "sure"}),
    ("too few, though growing", leak, {"clients": owner(30, ENOUGH * 0.4 - 1), "info": growing(1)}, {}),
    ("fewer, and not growing", leak, {"clients": owner(30, ENOUGH * 0.4), "info": growing(0)}, {}),
    ("60 % of them unused", leak, {"clients": owner(100, 60)}, {LEAK: "likely"}),
    ("less than 60 % unused", leak, {"clients": owner(101, 60)}, {}),
    ("not at rest yet", leak, {"clients": owner(60, ENOUGH, REST - 0.1)}, {}),
    ("half of a small maxclients is enough", leak, {"clients": owner(20, 20), "info": growing(0, 40)},
     {LEAK: "likely"}),
    ("less than half of a small one", leak, {"clients": owner(19, 19), "info": growing(0, 40)}, {}),
    ("never fewer than eight", leak, {"clients": owner(8, 8), "info": growing(0, 4)}, {LEAK: "likely"}),
    ("seven", leak, {"clients": owner(7, 7), "info": growing(1, 4)}, {}),
    ("the second owner leaks", leak, {"clients": owner(9, 0) | owner(60, ENOUGH, number=2)}, {LEAK: "likely"}),
    ("the twentieth owner leaks", leak,
     {"clients": {key: value for n in range(1, 20) for key, value in owner(9, 0, number=n).items()}
      | owner(60, ENOUGH, number=20)}, {LEAK: "likely"}),
    ("an owner whose clients weren't looked at", leak, {"clients": {"o1.count": 60, "o1.unused": 60}}, {}),
    ("more than on the good day", leak,
     {"clients": owner(9, 8), "baseline": {"o1_clients.before": 1, "o1_clients.now": 9}}, {LEAK: "likely"}),
    ("as on the good day", leak,
     {"clients": owner(60, ENOUGH), "baseline": {"o1_clients.before": 60, "o1_clients.now": 60}}, {LEAK: "not"}),
    # churn: rate, and commands for each connection
    ("slow enough", churn, connecting(RATE - 0.1, 10), {"connection-churn": "not"}),
    ("few commands each", churn, connecting(RATE, RATE * EACH), {"connection-churn": "sure"}),
    ("more commands each", churn, connecting(RATE, RATE * EACH + 1), {"connection-churn": "hint"}),
    ("very fast", churn, connecting(5 * RATE, 5 * RATE * EACH + 1), {"connection-churn": "likely"}),
    ("not quite as fast", churn, connecting(5 * RATE - 0.1, 5 * RATE * EACH + 1), {"connection-churn": "hint"}),
    ("half of them refused", churn, connecting(RATE, RATE, OOM=RATE / 2), {"connection-churn": "hint"}),
    ("refusals of two kinds together", churn, connecting(RATE, RATE, OOM=RATE / 4, MISCONF=RATE / 4),
     {"connection-churn": "hint"}),
    ("fewer refused", churn, connecting(RATE, RATE, OOM=RATE / 2 - 0.1), {"connection-churn": "sure"}),
    ("no commands read", churn, {"info": {"total_connections_received.rate": 100.0}}, {}),
    ("no rate read", churn, {"info": {"total_commands_processed.rate": 100.0}}, {}),
    ("as many as on the good day", churn,
     {**connecting(RATE, RATE),
      "baseline": {"connections_per_second.before": RATE, "connections_per_second.now": RATE}},
     {"connection-churn": "hint"}),
]  # fmt: skip


def waiting(count: int = 2, *, written: int, idle: int = 5) -> dict[str, Any]:
    """Clients that are blocked in SET for `idle` seconds, and the writes of a window of two seconds."""
    clients = {"paused": count, "paused_cmd": "set", "paused_idle_max": idle}
    return {"clients": clients, "commandstats": {"window_seconds": 2.0, "writes.calls.delta": written}}


def probe(**values: Any) -> Given:
    return {"idle_probe": dict(values), "config_get": {"timeout": "0"}}


IDLE = {"symptom": "connections are reset after a pause"}
OUTPUT = "slow-consumer-output"


def logged(times: int, age: float, flags: str | None = "P", started: float = 9000.0) -> Given:
    log: Values = {"output_limit.count": times, "output_limit.newest_age": age, "started_age": started}
    replicas = {"connected_slaves": 1}
    return {"clients": {"stalled": 0, "omem_max": 0, "omem_max.flags": ""}, "replication": replicas,
            "log": log | ({"output_limit.flags": flags} if flags else {})}  # fmt: skip


LOST: Mapping[str, Any] = {"symptom": "A subscriber drops and comes back all the time: Connection closed by server."}
RESETS: list[Row] = [
    # slow_consumer
    ("an output of the limit", slow_consumer, {"clients": {"omem_max": OUT, "omem_max.flags": "N"}},
     {"slow-consumer-output": "sure"}),
    ("an output below it", slow_consumer, {"clients": {"stalled": 0, "omem_max": OUT - 1, "omem_max.flags": "N"}},
     {"slow-consumer-output": "not"}),
    ("a replica's output", slow_consumer, {"clients": {"stalled": 0, "omem_max": OUT, "omem_max.flags": "S"}},
     {"slow-consumer-output": "not"}),
    ("a monitor's output", slow_consumer, {"clients": {"stalled": 0, "omem_max": OUT, "omem_max.flags": "O"}},
     {"slow-consumer-output": "not"}),
    ("a primary's output", slow_consumer, {"clients": {"stalled": 0, "omem_max": OUT, "omem_max.flags": "M"}},
     {"slow-consumer-output": "not"}),
    ("one that doesn't move", slow_consumer, {"clients": {"stalled": 1, "stalled.flags": "N"}},
     {"slow-consumer-output": "likely"}),
    ("a monitor that doesn't move", slow_consumer, {"clients": {"omem_max": 0, "stalled": 1, "stalled.flags": "O"}},
     {"slow-consumer-output": "not"}),
    ("buffers unread", slow_consumer, {"clients": {"connected": 5, "stalled": 0}}, {}),
    ("the log says who was over the limit", slow_consumer, logged(12, 3.0), {OUTPUT: "likely"}),
    ("the log says so, and so does the report", slow_consumer, logged(12, 3.0), {OUTPUT: "sure"}, LOST),
    ("once, and reported", slow_consumer, logged(1, 3.0), {OUTPUT: "maybe"}, LOST),
    ("once, and not reported", slow_consumer, logged(1, 3.0), {OUTPUT: "hint"}),
    ("over the limit an hour ago", slow_consumer, logged(12, 3600.0), {OUTPUT: "not"}, LOST),
    ("over the limit in an earlier life", slow_consumer, logged(12, 30.0, started=20.0), {OUTPUT: "not"}, LOST),
    ("a replica over the limit", slow_consumer, logged(12, 3.0, "S"), {OUTPUT: "not"}, LOST),
    ("of whom isn't known, and there are replicas", slow_consumer, logged(12, 3.0, None), {OUTPUT: "not"}, LOST),
    ("closed over its limit", slow_consumer, {"info": {"client_output_buffer_limit_disconnections.delta": 1}},
     {"slow-consumer-output": "sure"}),
    ("clients weren't read", slow_consumer, {"clients": "denied"}, {}),
    ("nothing of clients", slow_consumer, {}, {}),
    # query_buffer
    ("a query buffer of the limit", query_buffer, {"clients": {"qbuf_max": QUERY, "qbuf_max.cmd": "set"}},
     {"query-buffer-hog": "likely"}),
    ("of a command that never ended", query_buffer, {"clients": {"qbuf_max": QUERY, "qbuf_max.cmd": "NULL"}},
     {"query-buffer-hog": "sure"}),
    ("a query buffer below it", query_buffer, {"clients": {"qbuf_max": QUERY - 1, "qbuf_max.cmd": "NULL"}}, {}),
    ("arguments of the limit", query_buffer, {"clients": {"argv_mem_max": QUERY, "argv_mem_max.cmd": "NULL"}},
     {"query-buffer-hog": "sure"}),
    ("many that each hold a part", query_buffer, {"clients": {"qbuf_max": QUERY / 8, "qbuf_sum": 8 * QUERY}},
     {"query-buffer-hog": "likely"}),
    ("a reply on its way out", slow_consumer, {
        "clients": {"omem_max": OUT, "omem_max.flags": "N", "omem_max.idle": 0, "stalled": 0},
        "info": {"total_net_output_bytes.rate": OUT / 5}}, {"slow-consumer-output": "hint"}),
    ("a reply that doesn't go out", slow_consumer, {
        "clients": {"omem_max": OUT, "omem_max.flags": "N", "omem_max.idle": 0, "stalled": 0},
        "info": {"total_net_output_bytes.rate": OUT / 5 - 1}}, {"slow-consumer-output": "sure"}),
    ("a reply that its client doesn't take", slow_consumer, {
        "clients": {"omem_max": OUT, "omem_max.flags": "N", "omem_max.idle": 3, "stalled": 0},
        "info": {"total_net_output_bytes.rate": OUT}}, {"slow-consumer-output": "sure"}),
    ("a request on its way in", query_buffer, {
        "clients": {"qbuf_max": QUERY, "qbuf_max.cmd": "set"}, "commandstats": {"set.calls.delta": 9},
        "info": {"total_net_input_bytes.rate": 2 * QUERY, "window_seconds": 2.0}}, {"query-buffer-hog": "hint"}),
    ("a request that is most of what comes in", query_buffer, {
        "clients": {"qbuf_max": QUERY, "qbuf_max.cmd": "set"}, "commandstats": {"set.calls.delta": 9},
        "info": {"total_net_input_bytes.rate": 2 * QUERY - 1, "window_seconds": 2.0}}, {"query-buffer-hog": "likely"}),
    ("many that hold too little each", query_buffer, {"clients": {"qbuf_max": QUERY / 8 - 1, "qbuf_sum": 8 * QUERY}},
     {}),
    ("too few that hold a part", query_buffer, {"clients": {"qbuf_max": QUERY / 8, "qbuf_sum": 8 * QUERY - 1}}, {}),
    # client_evicted
    ("evicted now", client_evicted, {"info": {"evicted_clients.delta": 1}}, {"client-evicted": "sure"}),
    ("evicted before, with a bound", client_evicted,
     {"info": {"evicted_clients": 3, "evicted_clients.delta": 0}, "config_get": {"maxmemory-clients": "5%"}},
     {"client-evicted": "hint"}),
    ("evicted before, and resets are reported", client_evicted,
     {"info": {"evicted_clients": 3}, "config_get": {"maxmemory-clients": "5%"}}, {"client-evicted": "maybe"}, IDLE),
    ("evicted before, the bound is gone", client_evicted,
     {"info": {"evicted_clients": 3}, "config_get": {"maxmemory-clients": "0"}}, {}, IDLE),
    ("never evicted", client_evicted, {"info": {"evicted_clients": 0}, "config_get": {"maxmemory-clients": "5%"}}, {}),
    # idle_timeout
    ("no timeout", idle_timeout, {"config_get": {"timeout": "0"}}, {}, IDLE),
    ("a short timeout", idle_timeout, {"config_get": {"timeout": "60"}}, {"idle-timeout": "hint"}),
    ("a short timeout, and resets", idle_timeout, {"config_get": {"timeout": "60"}}, {"idle-timeout": "likely"}, IDLE),
    ("a long timeout", idle_timeout, {"config_get": {"timeout": "61"}}, {}),
    ("a long timeout, and resets", idle_timeout, {"config_get": {"timeout": "61"}}, {"idle-timeout": "maybe"}, IDLE),
    ("closed a second before it", idle_timeout,
     {"config_get": {"timeout": "300"}, "idle_probe": {"closed_after_seconds": 299.0}}, {"idle-timeout": "sure"}),
    ("closed four seconds after it", idle_timeout,
     {"config_get": {"timeout": "300"}, "idle_probe": {"closed_after_seconds": 304.0}}, {"idle-timeout": "sure"}),
    ("closed long before it", idle_timeout,
     {"config_get": {"timeout": "300"}, "idle_probe": {"closed_after_seconds": 298.9}}, {}),
    ("closed long after it", idle_timeout,
     {"config_get": {"timeout": "300"}, "idle_probe": {"closed_after_seconds": 304.1}}, {}),
    # idle_drop
    ("closed by the peer", idle_drop, probe(closed_by_peer=True), {"idle-drop-by-network": "likely"}),
    ("closed by CLIENT KILL", idle_drop,
     {**probe(closed_by_peer=True), "commandstats": {"client|kill.calls.delta": 4}}, {}),
    ("closed, and still listed", idle_drop, probe(closed_by_peer=True, still_listed=True),
     {"idle-drop-by-network": "sure"}),
    ("mute after its rest", idle_drop, probe(ping_after="timeout"), {"idle-drop-by-network": "likely"}),
    ("reset after its rest", idle_drop, probe(ping_after="reset"), {"idle-drop-by-network": "likely"}),
    ("answers after its rest", idle_drop, probe(ping_after="PONG", idle_seconds=5), {"idle-drop-by-network": "not"}),
    ("the server's own timeout", idle_drop,
     {"idle_probe": {"closed_by_peer": True}, "config_get": {"timeout": "60"}}, {}),
    ("not probed", idle_drop, {"config_get": {"timeout": "0"}}, {}),
    ("the probe failed", idle_drop, {"idle_probe": "timeout"}, {}),
    # paused
    ("clients wait for a failover", paused,
     {"clients": {"paused": 2, "paused_cmd": "set"}, "info": {"paused_reason": "failover_in_progress"},
      "replication": {"master_failover_state": "waiting-for-sync"}}, {"client-paused": "hint"}),
    ("an unknown command is answered, PING isn't", paused,
     {"silence": {"unknown_command_answered": True, "ping_answered": False}}, {"client-paused": "sure"}),
    ("an unknown command is answered at once, PING isn't", paused,
     {"silence": {"unknown_command_answered": True, "ping_answered": False, "waited_seconds": 3.0}},
     {"client-paused": "sure"}),
    ("an unknown command is answered late, then PING isn't", paused,
     {"silence": {"unknown_command_answered": True, "ping_answered": False, "waited_seconds": 3.1}},
     {"client-paused": "hint"}),
    ("both are answered", paused, {"silence": {"unknown_command_answered": True, "ping_answered": True}}, {}),
    ("neither is", paused, {"silence": {"unknown_command_answered": False, "ping_answered": False}}, {}),
    ("the server says so", paused, {"info": {"paused_reason": "client_pause"}}, {"client-paused": "sure"}),
    ("the server says that none is", paused, {"info": {"paused_reason": "none"}}, {}),
    ("one waits in a plain command", paused, {"clients": {"paused": 1, "paused_cmd": "get"}},
     {"client-paused": "sure"}),
    ("nobody writes meanwhile", paused, waiting(written=0), {"client-paused": "sure"}),
    ("others wrote while it waited", paused, waiting(written=1, idle=3), {"client-paused": "not"}),
    ("others wrote, perhaps before it waited", paused, waiting(written=1, idle=2), {"client-paused": "maybe"}),
    ("one alone, others wrote perhaps before", paused, waiting(1, written=1, idle=2), {"client-paused": "hint"}),
    ("the server says none is, and others wrote", paused,
     waiting(written=1, idle=0) | {"info": {"paused_reason": "none"}}, {"client-paused": "not"}),
    ("the server says none is, and nobody writes", paused,
     waiting(written=0, idle=0) | {"info": {"paused_reason": "none"}}, {"client-paused": "hint"}),
    ("a module's threads", paused, {"clients": {"paused": 0, "threaded": 3}, "info": {"paused_reason": "none"}},
     {"client-paused": "not"}),
    ("a module's threads, where the server doesn't tell", paused, {"clients": {"paused": 0, "threaded": 3}}, {}),
    ("none waits", paused, {"clients": {"paused": 0}}, {}),
]  # fmt: skip


def from_here(given: Given, address: str = "10.0.0.5", client: str = "") -> Given:
    """Wrong passwords that all came from one address, where this program comes from 10.0.0.5."""
    newest = {
        "e1.reason": "auth",
        "e1.count": given["access"]["auth.count"],
        "e1.address": address,
        "e1.client": client,
    }
    return {**given, "access": {**given["access"], **newest}, "clients": {"own_address": "10.0.0.5"}}


def acl(count: int, age: float, users: int = 1) -> Given:
    return {"access": {"auth.count": count, "auth.newest_age": age, "auth.users": users}}


RECENT = LIMITS["acl_recent_seconds"]
DRIFT: Values = {"config_file": "/etc/redis.conf", "drifted": 1, "maxmemory.file": "1gb", "maxmemory.running": "512mb"}
ACCESS: list[Row] = [
    ("no password given", auth_failure, {"connect": "noauth"}, {"auth-failure": "sure"}),
    ("a wrong one", auth_failure, {"connect": "wrongpass"}, {"auth-failure": "sure"}),
    ("refused now", auth_failure, {"info": {"errorstat_NOAUTH.count.delta": 1}}, {"auth-failure": "sure"}),
    ("NOPERM now", auth_failure, {"info": {"errorstat_NOPERM.count.delta": 1}}, {"auth-failure": "sure"}),
    ("refused before", auth_failure, {"info": {"errorstat_WRONGPASS.count": 9, "errorstat_WRONGPASS.count.delta": 0}},
     {}),
    ("never refused", auth_failure, {"info": {"errorstat_WRONGPASS.count": 0}}, {}),
    ("a password that isn't wanted", auth_failure, {"connect": {"auth": "not-required"}}, {"auth-failure": "maybe"}),
    ("three tries in the last minute", auth_failure, acl(3, 60), {"auth-failure": "maybe"}),
    ("two tries", auth_failure, acl(2, 60), {"auth-failure": "hint"}),
    ("two tries from this program's address", auth_failure, from_here(acl(2, 60)), {}),
    ("two tries from this program's address, asked about", auth_failure, from_here(acl(2, 60)),
     {"auth-failure": "hint"}, {"symptom": "checkout can't log in"}),
    ("two tries from another address", auth_failure, from_here(acl(2, 60), "10.0.0.6"), {"auth-failure": "hint"}),
    ("two tries of a client with a name", auth_failure, from_here(acl(2, 60), client="orders"),
     {"auth-failure": "hint"}),
    ("three tries from this program's address", auth_failure, from_here(acl(3, 60)), {"auth-failure": "maybe"}),
    ("three tries a while ago", auth_failure, acl(3, 61), {"auth-failure": "hint"}),
    ("tries of as many users as half", auth_failure, acl(4, 5, 2), {"auth-failure": "maybe"}),
    ("tries of ever other users", auth_failure, acl(4, 5, 3), {"auth-failure": "hint"}),
    ("just recent", auth_failure, acl(1, RECENT), {"auth-failure": "hint"}),
    ("no longer recent", auth_failure, acl(1, RECENT + 1), {}),
    ("a command was refused", auth_failure, {"access": {"command.count": 5, "command.newest_age": 1.0}},
     {"auth-failure": "maybe"}),
    ("a key was refused", auth_failure, {"access": {"key.count": 5, "key.newest_age": 1.0}}, {"auth-failure": "maybe"}),
    ("a channel was refused", auth_failure, {"access": {"channel.count": 5, "channel.newest_age": 1.0}},
     {"auth-failure": "maybe"}),
    ("all is well", auth_failure, {"connect": {"auth": "ok"}, "access": {"entries": 0}}, {}),
    ("the handshake fails", tls_mismatch, {"connect": ("tls", {"stage": "tls"})}, {"tls-mismatch": "sure"}),
    ("a client speaks TLS to a server that has none", tls_mismatch,
     {"connect": {"stage": "ping"}, "info": {"listener0": "name=tcp,bind=*,port=6379"}}, {"tls-mismatch": "sure"},
     {"symptom": "ssl.SSLError: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1007)"}),
    ("a client speaks TLS, and the server's doors aren't known", tls_mismatch, {"connect": {"stage": "ping"}},
     {"tls-mismatch": "likely"}, {"symptom": "tls: first record does not look like a TLS handshake"}),
    ("a client speaks TLS to a server that does, too", tls_mismatch,
     {"connect": {"stage": "ping"}, "info": {"listener0": "name=tls,bind=*,port=6380"}}, {},
     {"symptom": "SSL: WRONG_VERSION_NUMBER"}),
    ("closed at the first command", tls_mismatch, {"connect": ("reset", {"stage": "ping"})}, {"tls-mismatch": "maybe"}),
    ("closed at once", tls_mismatch, {"connect": ("reset", {"stage": "open"})}, {"tls-mismatch": "maybe"}),
    ("closed, by a server of this machine", tls_mismatch,
     {"connect": ("reset", {"stage": "open"}), "process": {"listening": True}}, {"tls-mismatch": "likely"}),
    ("closed by a proxy", tls_mismatch,
     {"connect": ("reset", {"stage": "open"}), "process": {"locality": "foreign-listener", "listening": True}},
     {"tls-mismatch": "hint"}),
    ("reset while it connected", tls_mismatch, {"connect": ("reset", {"stage": "tcp"})}, {}),
    ("another protocol", tls_mismatch, {"connect": ("reset", {"stage": "ping", "speaks_resp": False})}, {}),
    ("not reset", tls_mismatch, {"connect": ("timeout", {"stage": "ping"})}, {}),
    # config_drift
    ("drifted", config_drift, {"config_drift": DRIFT}, {"config-drift": "hint"}),
    ("drifted, and the ticket names it", config_drift, {"config_drift": DRIFT}, {"config-drift": "maybe"},
     {"symptom": "who set maxmemory?"}),
    ("drifted, and the ticket names something longer", config_drift, {"config_drift": DRIFT}, {"config-drift": "hint"},
     {"symptom": "who set maxmemory-clients?"}),
    ("it came back after a restart", config_drift, {"config_drift": DRIFT}, {"config-drift": "sure"},
     {"symptom": "after a restart the old limit was back"}),
    ("a restart alone", config_drift, {"config_drift": DRIFT}, {"config-drift": "hint"},
     {"symptom": "we restarted it"}),
    ("back alone", config_drift, {"config_drift": DRIFT}, {"config-drift": "hint"}, {"symptom": "it's slow again"}),
    ("the ticket speaks of the file", config_drift, {"config_drift": DRIFT}, {"config-drift": "sure"},
     {"symptom": "redis.conf isn't what runs"}),
    ("uncounted, and the command line may have given it", config_drift,
     {"config_drift": {**DRIFT, "set_calls": None, "from_arguments": None}}, {"config-drift": "likely"},
     {"symptom": "redis.conf isn't what runs"}),
    ("uncounted, and the command line has no room for it", config_drift,
     {"config_drift": {**DRIFT, "set_calls": None, "from_arguments": False}}, {"config-drift": "sure"},
     {"symptom": "redis.conf isn't what runs"}),
    ("uncounted, and the command line gave it", config_drift,
     {"config_drift": {**DRIFT, "set_calls": None, "from_arguments": True}}, {"config-drift": "not"},
     {"symptom": "redis.conf isn't what runs"}),
    ("the same, and the file was edited", config_drift,
     {"config_drift": {**DRIFT, "set_calls": None, "from_arguments": True, "file_edited": True}},
     {"config-drift": "likely"}, {"symptom": "redis.conf isn't what runs"}),
    ("in no file, and it came back", config_drift,
     {"config_drift": {"config_file": "", "drifted": 1, "timeout.file": "", "timeout.running": "60"}},
     {"config-drift": "maybe"}, {"symptom": "reverted by each restart"}),
    ("a value that isn't shown differs", config_drift,
     {"config_drift": {"config_file": "/x", "drifted": 1, "save.differs": True}}, {"config-drift": "hint"}),
    ("nothing differs", config_drift, {"config_drift": {"drifted": 0}}, {"config-drift": "not"}),
    ("nothing differs of what was read", config_drift, {"config_drift": {"drifted": 0, "includes_unread": 1}}, {}),
    ("not told whether anything does", config_drift, {"config_drift": {"config_file": "/x"}}, {}),
    ("not read", config_drift, {"config_drift": "not-local"}, {}),
    ("not asked", config_drift, {}, {}),
]  # fmt: skip


@table([*CLIENTS, *RESETS, *ACCESS])
def test_what_is_found(check: Check, given: Given, expected: Expected, more: Mapping[str, Any]) -> None:
    assert found(check, given, **more) == expected
