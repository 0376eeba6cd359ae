"""What stands in a paste, with whatever people and programs put around it."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from evals.paste_fuzz import damaged, samples
from tools.connection.protocol import MalformedReply
from tools.connection.shapes import checked
from tools.paste.human import shown
from tools.paste.pieces import Piece
from tools.paste.recognise import MOST_PIECES, recognise
from tools.record.redaction import decoded

TEXTS = samples()
ENTRY = [14, 1769824507, 20004, ["KEYS", "(redacted)"], "10.1.2.3:51234", "app"]
LONG = [4, 1769824500, 9, ["LRANGE", "jobs", "0", "99"], "10.1.2.3:51234", ""]
SLOWLOG = [ENTRY, LONG, [13, 1769824400, 30004, ["HGETALL", "big"], "10.1.2.3:51235", ""]]
CONFIG = ["maxmemory", "104857600", "maxmemory-policy", "noeviction", "save", "", "maxclients", "10000"]
INFO = (
    "# Server\r\nredis_version:7.0.15\r\nrun_id:0123456789012345678901234567890123456789\r\ntcp_port:6379\r\n"
    "server_time_usec:1769824507000000\r\n\r\n# Clients\r\nconnected_clients:5\r\n\r\n"
    "# Commandstats\r\ncmdstat_auth:calls=1,usec=11,usec_per_call=11.00,rejected_calls=0,failed_calls=1\r\n"
)
CLIENTS = (
    "id=3 addr=10.0.0.1:1 laddr=10.0.0.9:6379 fd=8 name=app age=0 idle=0 flags=N db=0 cmd=get user=default resp=2\n"
    "id=4 addr=10.0.0.1:2 laddr=10.0.0.9:6379 fd=9 name= age=9 idle=9 flags=N db=0 cmd=NULL user=default resp=2\n"
)


def of(text: str) -> list[Piece]:
    return list(recognise(text, "paste").pieces)


def only(text: str) -> Piece:
    (piece,) = of(text)
    return piece


def numbered(lines: list[str]) -> list[str]:
    return [f"{number:>6}\t{line}" for number, line in enumerate(lines, 11)]


AROUND: dict[str, Callable[[list[str]], list[str]]] = {
    "nothing": lambda lines: lines,
    "quotes": lambda lines: [f"> {line}" for line in lines],
    "nested-quotes": lambda lines: [f"> > {line}" for line in lines],
    "line-numbers": numbered,
    "colon-numbers": lambda lines: [f"{number}:{line}" for number, line in enumerate(lines, 98)],
    "indentation": lambda lines: [f"      {line}" for line in lines],
    "fence": lambda lines: ["This is it:", "```text", *lines, "```", "Regards"],
    "jira": lambda lines: ["{code:none}", *lines, "{code}"],
    "html": lambda lines: ["<pre>", *(line.replace('"', "&quot;") for line in lines), "</pre>"],
    "colours": lambda lines: [f"\x1b[32m{line}\x1b[0m" for line in lines],
    "windows": lambda lines: [f"{line}\r" for line in lines],
    "containerd": lambda lines: [f"2026-01-31T02:05:07.123456789Z stdout F {line}" for line in lines],
    "kubectl-prefix": lambda lines: [f"[pod/redis-0/redis] {line}" for line in lines],
    "no-break-spaces": lambda lines: [line.replace(" ", "\u00a0") for line in lines],
}
REPLIES: dict[str, tuple[str, tuple[str, ...], Any]] = {
    "slowlog": (shown(SLOWLOG), ("SLOWLOG", "GET"), SLOWLOG),
    "config": (shown(CONFIG), ("CONFIG", "GET"), CONFIG),
    "raw-config": ("\n".join(CONFIG), ("CONFIG", "GET"), CONFIG),
    "info": (INFO.replace("\r\n", "\n"), ("INFO",), INFO),
    "clients": (CLIENTS, ("CLIENT", "LIST"), CLIENTS),
    "latency": (shown([["command", 1769824507, 500, 900]]), ("LATENCY", "LATEST"), [["command", 1769824507, 500, 900]]),
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_is_the_same_whatever_stands_around_it(name: str, around: str) -> None:
    text, command, reply = REPLIES[name]
    found = [piece for piece in of("\n".join(AROUND[around](text.split("\n")))) if piece.form != "error"]
    assert [(piece.command, piece.reply, piece.cut) for piece in found] == [(command, reply, False)]


@pytest.mark.parametrize("name", ["slowlog", "config", "latency"])
def test_a_list_is_the_same_without_its_indentation_and_on_one_line(name: str) -> None:
    text, command, reply = REPLIES[name]
    for lines in ([line.strip() for line in text.split("\n")], [" ".join(line.strip() for line in text.split("\n"))]):
        assert [(piece.command, piece.reply) for piece in of("\n".join(lines))] == [(command, reply)]


def test_a_prompt_tells_command_and_node_and_several_servers_stay_apart() -> None:
    text = (
        f"10.0.0.1:6379> slowlog get 3\n{shown(SLOWLOG)}\n10.0.0.1:6379> DBSIZE\n(integer) 7\n"
        f"$ kubectl exec -n prod redis-1 -- redis-cli -h 10.0.0.2 -p 6380 -a hunter2 client list\n{CLIENTS}"
        "10.0.0.1:6379[2]> LATENCY HISTORY command\n1769824507\n20\n1769824517\n30\n"
    )
    assert [(piece.command, piece.node, piece.source) for piece in of(text)] == [
        (("SLOWLOG", "GET", "3"), "10.0.0.1:6379", "paste:2-24"),
        (("DBSIZE",), "10.0.0.1:6379", "paste:26"),
        (("CLIENT", "LIST"), "10.0.0.2:6380", "paste:28-29"),
        (("LATENCY", "HISTORY", "command"), "10.0.0.1:6379", "paste:31-34"),
    ]
    assert "hunter2" not in str(recognise(text, "paste"))


def test_two_servers_or_two_moments_are_two_pieces() -> None:
    first, second = of(INFO + INFO.replace("6379", "6380"))
    assert "tcp_port:6379" in first.reply and "tcp_port:6380" in second.reply
    assert first.at == 1769824507.0


def test_a_list_that_was_cut_keeps_what_is_whole_and_says_so() -> None:
    lines = shown(SLOWLOG).split("\n")
    begun, ended = only("\n".join(lines[2:])), only("\n".join(lines[:-2]))
    assert (begun.reply, begun.cut) == (SLOWLOG[1:], True)
    assert ended.cut and ended.reply[:2] == SLOWLOG[:2]
    gap = only("\n".join([*lines[:7], "...", *lines[17:]]))
    assert gap.cut and ENTRY in gap.reply


def test_lines_left_out_are_a_cut() -> None:
    assert only("# Clients\nconnected_clients:5\n...\nblocked_clients:1\n").cut
    assert only("# Clients\nconnected_clients:5\n[... 20 lines ...]\n").cut
    assert not only("# Clients\nconnected_clients:5\nblocked_clients:1\n").cut


@pytest.mark.parametrize("text", ["used_memory:8589934592", "cluster_enabled:0", "db0:keys=1,expires=0,avg_ttl=0"])
def test_a_single_field_is_info(text: str) -> None:
    piece = only(text)
    assert piece.command == ("INFO",) and piece.reply == f"{text}\r\n"


def test_errors_are_pieces_with_their_command() -> None:
    oom = "OOM command not allowed when used memory > 'maxmemory'."
    (refused,) = of(f"127.0.0.1:6379> SET password hunter2\n(error) {oom}\n")
    assert (refused.form, refused.command, refused.reply) == ("error", ("SET",), {"error": oom})
    assert only(oom).command is None


def test_what_redis_cli_couldnt_reach_is_said() -> None:
    piece = only("Could not connect to Redis at 10.0.0.1:6379: Connection refused\n")
    assert (piece.form, piece.node, piece.values) == (
        "client-error", "10.0.0.1:6379", {"client": "redis-cli", "kind": "refused"},
    )  # fmt: skip


SECRETS = (
    "1) \"requirepass\"\n2) \"hunter2\"\n3) \"maxmemory\"\n4) \"0\"\n",
    "requirepass\nhunter2\nmaxmemory\n0\nmaxmemory-policy\nnoeviction\n",
    "maxmemory 100mb\nrequirepass hunter2\nmasterauth hunter2\n",
    "> AUTH hunter2\n> OK\n> something else\n",
    "masterauth\nhunter2\nand then nothing else\n",
    shown([[1, 1769824507, 5, ["SET", "k", "hunter2"]]]),
    "see redis://app:hunter2@10.0.0.1:6379/0\n",
    '{"requirepass": "hunter2", "maxmemory": "0", "maxmemory-policy": "noeviction"}\n',
    '{"name": "redis", "password": "hunter2"}\n',
    "1:M 31 Jan 2026 02:05:07.123 # connecting to redis://app:hunter2@10.0.0.1:6379\n",
    "# Server\nredis_version:7.0.15\nrequirepass:hunter2\n",
    "id=3 addr=10.0.0.1:1 fd=8 name=password=hunter2 age=0 cmd=get\n",
    'redis_up{addr="redis://app:hunter2@10.0.0.1:6379"} 1\n',
    "  redis:\n    Environment:\n      REDIS_PASSWORD:  hunter2\n",
)  # fmt: skip


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_is_in_what_comes_out(text: str) -> None:
    assert "hunter2" not in str(recognise(text, "paste"))


def test_raw_output_is_read_as_far_as_its_values_show_their_place() -> None:
    slowlog = only(TEXTS["raw-slowlog"])
    assert [row[3:] for row in slowlog.reply] == [
        [["KEYS", "(redacted)"], "10.1.2.3:51234", ""], [["HGETALL", "big"], "10.1.2.3:51234", "app"],
    ]  # fmt: skip
    own = only("1\n1769824507\n9\nCONFIG\nGET\n\n\n0\n1769824506\n10\nCONFIG\nGET\n\n")
    assert not own.cut and [row[3:] for row in own.reply] == [[["CONFIG", "GET"], "", ""]] * 2
    lost = only("requirepass\nmaxmemory\n100\nmasterauth\nmaxclients\n10\nmaxmemory-policy\nnoeviction\n")
    assert dict(zip(lost.reply[::2], lost.reply[1::2], strict=True))["maxmemory-policy"] == "noeviction"
    sentinel = only("name\nmymaster\nip\n10.0.0.1\nport\n6379\nnum-slaves\n2\nquorum\n2\n")
    assert sentinel.command == ("SENTINEL", "MASTERS") and sentinel.reply[0][:2] == ["name", "mymaster"]
    refusals = only("count\n3\nreason\nauth\ncontext\ntoplevel\nobject\nAUTH\nusername\napp\nage-seconds\n0.5\n")
    assert refusals.command == ("ACL", "LOG") and refusals.reply[0][1] == 3
    stats = only("peak.allocated\n123\ntotal.allocated\n99\ndb.0\noverhead.hashtable.main\n5\nkeys.count\n7\n")
    assert stats.reply == [
        "peak.allocated", 123, "total.allocated", 99, "db.0", ["overhead.hashtable.main", 5], "keys.count", 7,
    ]  # fmt: skip


def test_json_of_tools_is_read() -> None:
    entries = [{"id": 3, "timestamp": 1769824507000, "durationUs": 12000, "args": ["GET", "k"], "source": "10.0.0.1:5"}]
    assert only(json.dumps(entries)).reply == [[3, 1769824507, 12000, ["GET", "k"], "10.0.0.1:5", ""]]
    assert only(json.dumps(SLOWLOG)).reply == SLOWLOG
    info = only(json.dumps({"data": {"used_memory": 5, "connected_clients": 2, "db0": {"keys": 1, "expires": 0}}}))
    assert info.reply == "used_memory:5\r\nconnected_clients:2\r\ndb0:keys=1,expires=0\r\n"
    inner = only(json.dumps({"comment": f"It says\n{INFO}"}))
    assert inner.reply == INFO


def test_logs_of_a_server_and_of_the_kernel_are_told_apart() -> None:
    log = only(TEXTS["shipped-logs"])
    assert log.form == "server-log" and log.text.startswith("1:M 31 Jan 2026") and log.text.count("\n") == 4
    kernel = only(TEXTS["dmesg"])
    assert kernel.values is not None and kernel.at == 1769825109.0
    assert {name: kernel.values[name] for name in ("oom_kill.count", "oom_kill.in_cgroup", "syn_flood.what")} == {
        "oom_kill.count": 1, "oom_kill.in_cgroup": True, "syn_flood.what": "6379",
    }  # fmt: skip


def test_a_long_log_keeps_its_end_and_what_was_loud() -> None:
    line = "1:M 31 Jan 2026 02:05:07.123 {} {}"
    lines = [line.format("#", "Can't save in background: fork: Cannot allocate memory")]
    lines += [line.format("*", f"Background saving started by pid {number}") for number in range(20_000)]
    piece = only("\n".join(lines))
    assert piece.cut and len(piece.text) < 300_000
    assert piece.text.startswith(lines[0]) and piece.text.endswith(lines[-1])


def test_kubernetes_says_what_became_of_the_container() -> None:
    values = only(TEXTS["describe-pod"]).values
    assert values is not None
    assert {
        "container": "redis", "last_state.reason": "OOMKilled", "last_state.exit_code": 137, "restart_count": 7,
        "limits.memory": 2**30, "oom_killed": True, "event.Unhealthy.liveness.count": 12,
    }.items() <= values.items()  # fmt: skip
    assert only(TEXTS["pods"]).values == {
        "pod": "redis-0", "ready": "1/1", "status": "Running", "restart_count": 7, "oom_killed": False,
    }  # fmt: skip
    status = {"name": "redis", "restartCount": 2, "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
    pod = {"kind": "Pod", "metadata": {"name": "redis-0"}, "status": {"containerStatuses": [status]}}
    values = only(json.dumps(pod)).values
    assert values is not None and values["oom_killed"] is True and values["restart_count"] == 2


def test_metrics_have_the_names_of_info() -> None:
    pieces = {piece.node: piece.values for piece in of(TEXTS["exporter"])}
    one = pieces["10.0.0.1:6379"]
    assert one is not None and one["used_memory"] == 8589934592 and one["cmdstat_get.usec"] == 500_000
    assert one["db0.keys"] == 123 and pieces["10.0.0.2:6379"] == {"uptime_in_seconds": 77}
    cloud = only(TEXTS["cloudwatch-data"]).values
    assert cloud is not None and cloud["connected_clients"] == 64999 and cloud["EngineCPUUtilization"] == 99.1
    assert only(TEXTS["cloudwatch-statistics"]).values == {"evicted_keys.delta": 12345}
    table = only(TEXTS["cloudwatch-csv"]).values
    assert table is not None and table["EngineCPUUtilization.min"] == 99.1
    assert only(TEXTS["memorystore"]).values == {"stats/memory/usage_ratio": 0.99}


def test_what_redis_cli_prints_in_its_modes_is_read() -> None:
    keys = only(TEXTS["bigkeys"]).values
    assert keys is not None and (keys["k1.key"], keys["k1.bytes"], keys["list.length"]) == ("page:1", 2**20, 90)
    stat = only(TEXTS["stat"]).values
    assert stat is not None and stat["total_commands_processed.rate"] == 1500 and stat["connected_clients"] == 3
    assert only(TEXTS["latency"]).values == {
        "min_ms": 0.0, "mean_ms": 1.23, "answered": 1207, "max_ms": 31.0, "timeouts": 0
    }  # fmt: skip


def test_what_a_sentence_quotes_counts_as_a_part() -> None:
    first, second = of("used_memory is high: used_memory: 8589934592, evicted_keys=0; EngineCPUUtilization was 99.2 %")
    assert first.cut and first.reply == "used_memory:8589934592\r\nevicted_keys:0\r\n"
    assert second.values == {"EngineCPUUtilization": 99.2}


def test_prose_is_said_to_be_unrecognised() -> None:
    found = recognise(TEXTS["prose"], "mail")
    assert found.pieces == ()
    (stretch,) = found.unrecognised
    assert (stretch.source, stretch.lines) == ("mail:1-6", 5)
    assert stretch.words.startswith("1) first we restarted")


def test_the_number_of_pieces_is_bounded_and_the_rest_is_said() -> None:
    found = recognise("(error) OOM x\n" * (MOST_PIECES + 50), "paste")
    assert len(found.pieces) == MOST_PIECES and found.unrecognised[-1].lines == 50


@pytest.mark.parametrize("name", TEXTS)
def test_replies_are_what_a_server_says(name: str) -> None:
    for piece in of(TEXTS[name]):
        if piece.command:
            assert not isinstance(checked(piece.command, decoded(piece.reply)), MalformedReply)


@pytest.mark.parametrize("seed", range(20))
def test_damaged_pastes_are_survived(seed: int) -> None:
    for number in range(5):
        name, text = damaged(TEXTS, random.Random(seed * 1000 + number))
        for piece in of(text):
            assert piece.source.startswith("paste:"), name


@pytest.mark.parametrize("more", [0, 4000, 4080, 4096, 40_000, 400_000])
def test_json_of_any_length_is_read_whole(more: int) -> None:
    fields = {"redis_version": "7.2.4", "used_memory": 1024, "os": "x" * more, "connected_clients": 5}
    piece = only(f"some text\n{json.dumps(fields)}\n")
    assert piece.form == "info" and "connected_clients:5" in piece.text


def test_a_line_that_was_nothing_may_begin_something_later() -> None:
    text = "\n".join(("{", "  nothing", "{", '  "redis_version": "7.2.4", "used_memory": 1024, "role": "master"', "}"))
    assert [piece.form for piece in of(text)] == ["info"]


def test_a_fence_behind_a_containers_prefix_is_no_text() -> None:
    text = "\n".join(f"[pod/redis-0/redis] {line}" for line in ("```", *INFO.replace("\r\n", "\n").split("\n"), "```"))
    assert only(text).form == "info" and not recognise(text, "paste").unrecognised
