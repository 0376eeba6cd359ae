"""Runbooks: the linter's every complaint, and what a team's own can and can't do in an answer."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.answer.taxonomy import CAUSES
from agent.evidence.view import View
from agent.runbooks.frame import frame
from agent.runbooks.library import BUNDLED, load
from agent.runbooks.lint import SECTIONS, Finding, limits, lint, words
from agent.runbooks.placeholders import EXAMPLES, values_at
from evals.lab.catalogue import FAULTS
from evals.lab.servers import ServerKind
from tests.program import rediagnose, triage
from tools.records import Reading, Values

FRONT = """---
name: ours
title: What we do
symptoms: [checkout is slow]
causes:
  maxclients-exhausted:
    evidence: rejected_connections.delta is above 0
    avoid: "Restarting it: all clients come back at once."
    remedies:
      - kind: config_set
        action: CONFIG SET maxclients 5000
        why: Our hosts have the memory for 5000.
        risk: risky
        verify: info shows the same rejected_connections twice.
      - kind: outside
        action: Call the owner of the largest pool $owner.
        why: They know what they deployed.
        risk: risky
        rollback: Nothing to take back.
        verify: connected_clients falls.
---
"""
GOOD = FRONT + "".join(f"## {section}\n\nmaxclients-exhausted\n\n" for section in SECTIONS)


def found(folder: Path, *texts: str, ours: bool | None = None) -> list[Finding]:
    for number, text in enumerate(texts):
        (folder / f"book{number}.md").write_text(text)
    return lint(folder, ours=ours)[1]


def test_a_good_one_passes(tmp_path: Path) -> None:
    assert found(tmp_path, GOOD) == []


def changed(old: str, new: str) -> Callable[[str], str]:
    assert old in GOOD
    return lambda text: text.replace(old, new)


SET = "CONFIG SET maxclients 5000"
BAD: dict[str, tuple[Callable[[str], str], str, str, str]] = {
    # what is done to a good one: the place, the value, and a word of the problem that are named
    "no front matter": (lambda text: "just text", "file", "", "no front matter"),
    "not YAML": (changed("symptoms: [", "symptoms: [["), "file", "", "isn't valid YAML"),
    "nested too deeply": (changed("title: What we do", f"title: {'[' * 100_000}"), "file", "",
                          "nested more than 32 deep"),
    "nested without brackets": (changed("title: What we do", f"title:\n  {'- ' * 50_000}x"), "file", "",
                                "nested more than 32 deep"),
    "an alias": (changed("title: What we do", "title: &all [*all]"), "file", "", "an alias"),
    "aliases of aliases": (changed("title: What we do", "title: &a [x, x]\nmore: &b [*a, *a]"), "file", "", "an alias"),
    "a number beyond all": (changed("title: What we do", f"title: {'9' * 5000}"), "file", "", "isn't valid YAML"),
    "a key twice": (changed("title: What we do", "title: One\ntitle: Two"), "file", "", "'title' appears twice"),
    "unknown key": (changed("    avoid:", "    avoids: x\n    avoid:"), "causes.maxclients-exhausted.avoids", "x",
                    "isn't a known key"),
    "unknown cause": (changed("  maxclients-exhausted:\n", "  warp-core:\n"), "causes.warp-core", "warp-core",
                      "isn't a cause"),
    "unknown look-alike": (changed("    avoid:", "    unlike: {gremlins: small}\n    avoid:"),
                           "causes.maxclients-exhausted.unlike.gremlins", "gremlins", "isn't a cause"),
    "no avoid": (changed('    avoid: "Restarting it: all clients come back at once."\n', ""),
                 "causes.maxclients-exhausted.avoid", "", "is missing"),
    "empty avoid": (changed('"Restarting it: all clients come back at once."', '""'),
                    "causes.maxclients-exhausted.avoid", "", "is empty"),
    "no verify": (changed("        verify: info shows the same rejected_connections twice.\n", ""),
                  "causes.maxclients-exhausted.remedies.1.verify", "", "is missing"),
    "no rollback": (changed("        rollback: Nothing to take back.\n", ""),
                    "causes.maxclients-exhausted.remedies.2.rollback", "", "is missing"),
    "forbidden parameter": (changed(SET, "CONFIG SET requirepass x"), "causes.maxclients-exhausted.remedies.1.action",
                            "CONFIG SET requirepass x", "it locks clients out"),
    "unlisted parameter": (changed(SET, "CONFIG SET no-such-thing 1"),
                           "causes.maxclients-exhausted.remedies.1.action", "CONFIG SET no-such-thing 1",
                           "the policy doesn't list it"),
    "out of bounds": (changed(SET, "CONFIG SET maxclients 100000000"),
                      "causes.maxclients-exhausted.remedies.1.action", "CONFIG SET maxclients 100000000",
                      "out of bounds"),
    "no such command": (changed(f"config_set\n        action: {SET}", "command\n        action: SCRIPT MURDER"),
                        "causes.maxclients-exhausted.remedies.1.action", "SCRIPT MURDER", "is never sent"),
    "a kind that doesn't fit": (changed("kind: config_set", "kind: command"),
                                "causes.maxclients-exhausted.remedies.1.kind", "command", "doesn't fit"),
    "half a quote": (changed(SET, "CONFIG SET maxclients '5000"), "causes.maxclients-exhausted.remedies.0",
                     "CONFIG SET maxclients '5000", "isn't one command"),
    "a dollar": (changed(SET, "CONFIG SET maxclients $5000"), "causes.maxclients-exhausted.remedies.0",
                 "$5000", "doesn't start a placeholder"),
    "a risk that policy sees": (changed("risk: risky\n        verify: info", "risk: safe\n        verify: info"),
                                "causes.maxclients-exhausted.remedies.1.risk", "safe", "isn't what policy says"),
    "destructive advice": (changed("Call the owner", "Run FLUSHALL, then call the owner"),
                           "causes.maxclients-exhausted.remedies.2.action", "Run FLUSHALL", "FLUSHALL"),
    "misspelt field": (changed("        verify: info", "        check: [{tool: info, field: rejected, op: falls}]\n"
                               "        verify: info"),
                       "causes.maxclients-exhausted.remedies.1.check", "info rejected", "isn't a field of that tool"),
    "after no cause": (changed("        verify: info", "        after: [warp-core]\n        verify: info"),
                       "causes.maxclients-exhausted.remedies.1.after", "warp-core", "isn't a cause"),
    "unfilled placeholder": (changed("$owner", "$pager"), "causes.maxclients-exhausted.remedies.2.action", "$pager",
                             "isn't filled in by anything"),
    "an unfilled placeholder elsewhere": (changed("connected_clients falls", "$pager falls"),
                                          "causes.maxclients-exhausted.remedies.2.verify", "$pager",
                                          "isn't filled in by anything"),
    "an unfilled placeholder in a line": (changed("why: They know", 'paste: ["$pager PING"]\n        why: They know'),
                                          "causes.maxclients-exhausted.remedies.2.paste", "$pager",
                                          "isn't filled in by anything"),
    "an open quote in a line": (changed("why: They know", 'paste: ["$cli GET \\"a"]\n        why: They know'),
                                "causes.maxclients-exhausted.remedies.2.paste", "GET", "isn't a valid shell command"),
    "a destructive line": (changed("why: They know", 'shown_by: ["$cli FLUSHALL"]\n        why: They know'),
                           "causes.maxclients-exhausted.remedies.2.paste", "FLUSHALL", "never becomes a step"),
    "a line beside what is sent": (changed("verify: info", 'paste: ["$cli PING"]\n        verify: info'),
                                   "causes.maxclients-exhausted.remedies.1.paste", "$cli PING", "is derived from the"),
    "a misspelt reading": (changed("verify: info", "unless: [{tool: info, field: rejected, op: '>', value: 1}]\n"
                                   "        verify: info"),
                           "causes.maxclients-exhausted.remedies.1.when", "info rejected", "isn't a field of "
        "that tool"),
    "its own threshold": (changed("causes:\n", "thresholds: {leak_clients: {value: 1, unit: u, why: w}}\ncauses:\n"),
                          "thresholds", "leak_clients", "bundled"),
    "no body": (lambda text: FRONT, "body", "", "is empty"),
}  # fmt: skip
"""Each is an error."""


@pytest.mark.parametrize(("change", "place", "value", "problem"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_told_with_file_place_value_and_remedy(
    change: Callable[[str], str], place: str, value: str, problem: str, tmp_path: Path
) -> None:
    told = [one for one in found(tmp_path, change(GOOD)) if one.error]
    assert [one.place for one in told] == [place], told
    (one,) = told
    assert one.file == tmp_path / "book0.md"
    assert value in one.value
    assert problem in one.problem
    assert one.remedy
    for part in (str(one.file), place, one.problem, one.remedy):
        assert part in str(one)


def test_what_is_only_worth_a_look_is_a_warning(tmp_path: Path) -> None:
    told = found(tmp_path, GOOD.replace("## First minute", "## Later") + "more\n" * 200, GOOD.replace(": ours", ": b"))
    assert [(one.file.name, one.value, one.error) for one in told] == [
        ("book0.md", "## First minute", False), ("book0.md", "228 lines", False),
        ("book1.md", "maxclients-exhausted", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("rejected_connections.delta is 0", "rejected_connections.delta"), ("o1.count falls", "o1.count"),
        ("connect to HOST", "HOST"), ("call it again...", "..."), ("dir_writable is true", "dir_writable"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ours", [True, False])
def test_a_field_or_a_blank_in_what_people_read_is_named(text: str, named: str, ours: bool, tmp_path: Path) -> None:
    changed_text = GOOD.replace("connected_clients falls.", text).replace("name: ours", "name: book0")
    told = [one for one in found(tmp_path, changed_text, ours=ours) if one.place.endswith("remedies.2.verify")]
    assert [(one.value, one.error) for one in told] == [(named, ours)]


def test_what_takes_more_than_three_minutes_is_an_error_in_ours(tmp_path: Path) -> None:
    table, code = "| a | b |\n" * 10, "```\n" + "CONFIG GET x\n" * 10 + "```\n"
    assert words(f"One - two, `three`.\n{table}{code}four\n") == 4
    long = GOOD.replace("name: ours", "name: book0") + "word " * 800 + "\n" * 200
    for ours in (True, False):
        told = [one for one in found(tmp_path, long, ours=ours) if one.file.name == "book0.md" and one.place == "body"]
        assert [one.error for one in told] == [ours, ours]
        assert [one.value.split()[1] for one in told] == ["lines", "words"]


def test_more_is_asked_of_the_bundled(tmp_path: Path) -> None:
    limit = (
        "thresholds: {leak_clients: {value: %d, unit: clients, why: w}, unread: {value: 1, unit: u, why: w}}\ncauses:"
    )
    first = GOOD.replace("causes:", limit % 1).replace("name: ours", "name: book0").replace("## Diagnostics", "##")
    second = GOOD.replace("causes:", limit % 2).replace("name: ours", "name: book0")
    told = {(one.file.name, one.place, one.value): one for one in found(tmp_path, first, second, ours=True)}
    assert told["book0.md", "body", "## Diagnostics"].error
    assert told["book1.md", "name", "book0"].error
    assert told["book1.md", "causes.maxclients-exhausted", "maxclients-exhausted"].problem == (
        f"is also in {tmp_path / 'book0.md'}"
    )
    assert told["book1.md", "thresholds.leak_clients", "2 clients"].problem.startswith("is 1 in")
    assert told["book0.md", "thresholds.unread", "1 u"].error
    assert told[tmp_path.name, "causes", "lua-busy"].problem == "isn't in any runbook"
    assert told["connectivity.py", "limits", "silent_seconds"].problem == "isn't set by any runbook"


def test_the_bundled_pass() -> None:
    assert [str(one) for one in lint(BUNDLED)[1] if one.error] == []


def test_what_is_read_of_the_bundled_without_their_yaml_is_what_their_yaml_says() -> None:
    library = load()
    parsed = {name: limit.value for book in library.runbooks for name, limit in book.thresholds.items()}
    assert parsed and parsed == library.thresholds
    first = {cause: notes for book in reversed(library.runbooks) for cause, notes in book.causes.items()}
    assert {cause: library.notes(cause) for cause in CAUSES} == {cause: first.get(cause) for cause in CAUSES}


def test_every_threshold_is_read_by_a_check_and_every_one_that_is_read_is_set() -> None:
    assert {"leak_clients", "silent_seconds"} <= limits().keys()
    assert limits().keys() == load().thresholds.keys()


def _filled(given: dict[str, Values], above: dict[str, Values] | None = None, own: str = "n") -> set[str]:
    """The placeholders that have a value where these readings are there, and those of its master."""
    readings = [
        # The topology is no single node's.
        Reading(id=f"r{first}{number}", tool=tool, args={}, node=None if tool == "topology" else node, at="", ms=0,
                values=values, unavailable=None)
        for first, node, tools in ((1, own, given), (2, "10.0.0.2:6379", above or {}))
        for number, (tool, values) in enumerate(tools.items(), 1)
    ]  # fmt: skip
    return set(values_at(View(readings, own)))


def test_every_placeholder_has_a_value_where_its_readings_are_there() -> None:
    values: Values = {
        "maxclients": 100, "o1.address": "10.0.0.7", "o1.name": "orders", "o1.count": 90, "monitors": 2,
        "monitor.ids": "7 8", "maxmemory": 2**20, "memory_available_bytes": 2**30, "maxmemory.file": "2mb",
        "n1.node": "n", "n1.seen": "up", "listens_at": "127.0.0.1", "latency-monitor-threshold": "0",
        "repl-timeout": 60, "replica1.address": "10.0.0.3:6379", "role": "slave", "master_host": "10.0.0.2",
        "master_port": 6379, "my_role": "replica", "master_link_status": "down",
    }  # fmt: skip
    above: Values = {"role": "master", "redis_version": "8.2.3", "used_memory": 2**20}
    known: set[str] = set()
    # Of a slow command's placeholders one is for what nobody needs, and one for what is cheap.
    for command in ("KEYS", "SET"):
        own: Values = {**values, f"{command.lower()}.usec_per_call.delta": 90_000, f"{command.lower()}.calls.delta": 3}
        tools = (
            "info", "clients", "memory", "machine", "config_drift", "topology", "process", "commandstats", "config_get",
            "replication", "cluster",
        )  # fmt: skip
        known |= _filled({tool: own for tool in tools}, {tool: above for tool in ("info", "memory", "replication")})
    # What the reason of a failed start, save or rewrite chooses has a value for one reason only.
    stuck: Values = {"rdb_bgsave_in_progress": 1, "child_pid": 7}
    others: list[dict[str, Values]] = [
        {"log": {"start_failed.reason": reason}} for reason in ("config", "acl-file", "module", "port-in-use")
    ]
    others += [{"persistence": {"rdb_last_bgsave_status": "err"}, "disk": {name: value}}
               for name, value in (("dir_gone", True), ("dir_read_only", True), ("dir_writable", False))]  # fmt: skip
    others += [{"log": {f"{event}.newest_age": 1}} for event in ("no_space", "fork_failed", "aof_part_missing")]
    others.append({"cluster": {"down1.address": "10.0.0.1:6379", "down1.state": "fail", "down1.slots": 5461}})
    others += [{"slowlog": {"FLUSHDB.max_usec": 90_000}}]
    others += [{"commandstats": {"flushall.calls": 1}}, {"keyspace": {"db0.keys": 9, "keys": 9}}]
    others += [{"info": {"tracking_total_keys": 9}}]
    others.append({"provider": {"resource": "shop", "node_type": "cache.t4g.small", "settings.group": "shop-8"}})
    others += [{"replication": {"repl_backlog_size": 30 << 20, "backlog_seconds": 600}}]
    others += [
        {"commandstats": {"top": "rpop", "rpop.usec_per_call.delta": 3.0}},
        {"commandstats": {"rename.usec_per_call.delta": 90_000}, "info": {"redis_version": "8.2.3"}},
        {"info": {"total_net_output_bytes.rate": 9e7, "total_commands_processed.rate": 90.0},
         "commandstats": {"top": "get", "get.usec_per_call.delta": 90.0}},
        {"info": {"total_net_output_bytes.rate": 9e7, "total_commands_processed.rate": 9000.0, "tracking_clients": 90},
         "commandstats": {"top": "set", "set.usec_per_call.delta": 3.0}},
    ]  # fmt: skip
    others.append({
        "connect": {"address": "127.0.0.1"}, "process": {"listening": False, "servers_listen_at": "127.0.0.1:6380"},
    })  # fmt: skip
    for given in (*others, {"persistence": stuck, "process": stuck}):
        known |= _filled(given)
    # What a line for a shell names: this node's own address, files, processes, keys and clients.
    at = "10.0.0.9:26379"
    known |= _filled({"process": {"listens_at": "127.0.0.1", "pid": 7, "listening": True},
                      "replication": {"role": "master", "replica1.address": "10.0.0.3:6379"}}, own=at)  # fmt: skip
    known |= _filled({"topology": {"n1.node": at, "n1.role": "sentinel"},
                      "sentinel": {"m1.name": "mymaster", "m1.address": "10.0.0.1:6379", "m1.r1.slave-priority": 0,
                                   "m1.r1.address": "10.0.0.3:6379"}}, own=at)  # fmt: skip
    known |= _filled({"topology": {"n1.node": at, "n1.role": "primary", "n2.node": "b", "n2.role": "replica"}}, own=at)
    known |= _filled({"cluster": {"my_role": "replica", "down1.address": "10.0.0.1:6379", "down1.state": "fail",
                                  "down1.role": "primary", "down1.slots": 5461},
                      "replication": {"master_host": "10.0.0.1", "master_port": 6379}}, own=at)  # fmt: skip
    known |= _filled({"disk": {"dir": "/data", "server_user": 999}, "persistence": {"config.dbfilename": "dump.rdb"},
                      "log": {"file": "/var/log/redis.log", "start_failed.file": "/data/dump.rdb"},
                      "config_drift": {"config_file": "/etc/redis.conf", "timeout.running": "0"},
                      "process": stuck, "sockets": {"somaxconn": 128},
                      "info": {"valkey_version": "8.1.8"}})  # fmt: skip
    known |= _filled({"clients": {"sub_max": 9, "sub_max.id": 5, "sub_max.address": "10.0.0.4"}})
    known |= _filled({"clients": {"omem_max": 9, "omem_max.id": 7, "omem_max.address": "10.0.0.5", "qbuf_max": 9,
                                  "qbuf_max.id": 8, "qbuf_max.address": "10.0.0.6"},
                      "prefixes": {"p1.prefix": "order:"}, "memory": {"maxmemory_policy": "noeviction"},
                      "lists": {"l1.key": "jobs"},
                      "streams": {"s1.key": "orders", "s1.g1.group": "g", "s1.g1.consumers": 9,
                                  "s1.g1.lag": 9}})  # fmt: skip
    known |= _filled({"keyspace": {"db0.keys": 1, "db1.keys": 90}, "clients": {"db0.readers": 2}})
    locked: Values = {"m1.address": "10.0.0.2:6379", "m1.name": "m", "m1.s_down": True}
    known |= _filled({"sentinel": locked}, {"info": {"errorstat_NOAUTH.count.delta": 3}})
    named: Values = {"m1.name": "m", "m1.address": "10.0.0.2:6379", "m1.role-reported-time": 90_000, "m1.quorum": 2}
    known |= _filled({"sentinel": named}, {"sentinel": {**named, "m1.address": "10.0.0.7:6379"}})
    itself: Values = {"role": "slave", "master_host": "10.0.0.1", "master_port": 6379}
    known |= _filled({"replication": itself}, own="10.0.0.1:6379")
    known |= _filled({"pod": {"source": "kubernetes", "namespace": "shop", "pod": "cache-0", "container": "redis",
                              "edit.with": "helm", "edit.name": "cache", "edit.memory": "resources",
                              "edit.config": "valkeyConfig", "deployed_by": "a chart"}})  # fmt: skip
    known |= _filled({"commandstats": {"top": "publish", "publish.usec_per_call.delta": 900.0},
                      "info": {"pubsub_patterns": 32_000}})  # fmt: skip
    known |= _filled({"disk": {"temp_count": 3, "temp_bytes": 2**31}})
    known |= _filled({"cluster": {"nodes": 1, "my_slots": 5461, "slots_unassigned": 10923}})
    impatient: Values = {"role": "slave", "master_host": "10.0.0.2", "master_port": 6379, "repl-timeout": 3}
    known |= _filled({"replication": impatient}, {"replication": {"repl-ping-replica-period": 20}})
    assert known == EXAMPLES.keys()


async def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text(GOOD)
    done = await rediagnose("runbooks", "check", str(tmp_path))
    assert (done.status, done.out) == (0, f"{tmp_path / 'good.md'}: 1 causes, ok\n")
    (tmp_path / "bad.md").write_text(BAD["forbidden parameter"][0](GOOD.replace("ours", "bad")))
    done = await rediagnose("runbooks", "check", str(tmp_path))
    assert done.status == 1
    first, *_, last = done.out.splitlines()
    assert first.startswith(f"error: {tmp_path / 'bad.md'}: causes.maxclients-exhausted.remedies.1.action: 'CONFIG SET")
    assert last == "1 errors, 1 warnings"
    done = await rediagnose("runbooks", "check", str(tmp_path / "nothing"))
    assert done.status == 2
    assert "nothing" in done.err
    done = await rediagnose("runbooks", "check")
    assert done.status == 0
    assert f"{BUNDLED / 'stalls.md'}: 7 causes, ok" in done.out.splitlines()


@pytest.mark.parametrize("cause", [cause for book in load().runbooks for cause in book.causes])
def test_the_frame_of_a_new_one_passes(cause: str, tmp_path: Path) -> None:
    (tmp_path / "ours.md").write_text(frame(cause, load()))
    books, findings = lint(tmp_path)
    assert not findings and books[0].causes.keys() == {cause}


async def test_a_new_one_is_begun() -> None:
    done = await rediagnose("runbooks", "new", "data-gone")
    assert (done.status, done.out) == (0, frame("data-gone", load()))
    done = await rediagnose("runbooks", "new", "data-lost")
    assert done.status == 2 and "data-lost" in done.err and "runbooks list" in done.err


async def test_a_runbook_is_shown_by_name_or_by_cause() -> None:
    named, caused = await rediagnose("runbooks", "show", "stalls"), await rediagnose("runbooks", "show", "huge-exec")
    assert (named.status, caused.status) == (0, 0)
    assert named.out.startswith("# Latency spikes")
    assert caused.out.startswith("### huge-exec\n")
    assert caused.out.endswith(f"\n\n{named.out}")


def test_a_teams_own_is_read_first_by_cause_too(tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text(GOOD)
    assert load(tmp_path).text("maxclients-exhausted") == GOOD.removeprefix(FRONT)
    assert load(tmp_path).text("warp-core") is None


OWN = GOOD.replace(
    "    remedies:\n",
    """    remedies:
      - {kind: config_set, action: CONFIG SET requirepass hunter2, why: w, risk: safe, verify: v}
      - {kind: command, action: CLIENT KILL TYPE normal, why: w, risk: safe, verify: v}
      - {kind: outside, action: "Empty it: FLUSHALL", why: w, risk: safe, verify: v}
""",
).replace("causes:\n", "thresholds: {leak_clients: {value: 1, unit: clients, why: w}}\ncauses:\n")


async def test_a_teams_own_come_first_and_are_held_to_policy(kind: ServerKind, tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text(OWN)
    async with FAULTS["maxclients-exhausted"].begin(kind, random.Random(8)) as incident:
        done = await rediagnose(
            "triage", incident.url, incident.ticket, "--model", "offline", "--format", "json", "--runbooks",
            str(tmp_path),
        )  # fmt: skip
        plain = await triage(incident.url, incident.ticket)
    answer = done.answer()
    assert answer["causes"][0]["id"] == "maxclients-exhausted"
    own = [step for step in answer["plan"] if step["avoid"] == "Restarting it: all clients come back at once."]
    assert answer["plan"][:2] == own
    assert [step["kind"] for step in own] == ["config_set", "outside"]
    assert (own[0]["action"], own[0]["risk"]) == ("CONFIG SET maxclients 5000", "risky")
    assert own[0]["why"] == "Our hosts have the memory for 5000."
    for stopped in ("CONFIG SET requirepass", "CLIENT KILL TYPE", "FLUSHALL"):
        assert not [step for step in answer["plan"] if stopped in step["action"]]
        assert [line for line in done.err.splitlines() if "forbidden" in line and stopped in line]
    assert not [step for step in plain["plan"] if step["avoid"] == own[0]["avoid"]]


def test_a_team_sets_no_threshold(tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text(OWN)
    assert load(tmp_path).thresholds == load().thresholds
    assert load(tmp_path).runbooks[0].name == "ours"
