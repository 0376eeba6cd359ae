"""Several servers in one paste: each with what is its own, and nothing of another's."""

import pytest

from agent.pastes.servers import Server
from agent.pastes.whose import sorted_out
from tests.agent.pastes.test_incident import answer, incident
from tools.paste.recognise import recognise

LOG = {
    "master": "1:M 31 Jan 2026 02:05:07.000 * Ready to accept connections tcp\n",
    "replica": "1:S 31 Jan 2026 02:05:07.000 # Error condition on socket for SYNC: Connection refused\n",
}
LINK = (
    "master_host:10.0.0.1\r\nmaster_port:6379\nmaster_link_status:down\nmaster_link_down_since_seconds:300\n"
    "master_last_io_seconds_ago:-1\nmaster_sync_in_progress:0\nslave_repl_offset:500\nslave_read_only:1\n"
)


def info(run: str, role: str = "master", *, uptime: int = 86_400, clock: int = 1_000_000, more: str = "",
         port: int = 6379, clients: int = 10) -> str:  # fmt: skip
    return (
        f"# Server\nredis_version:7.2.4\nredis_mode:standalone\nprocess_id:1\nrun_id:{run * 40}\ntcp_port:{port}\n"
        f"uptime_in_seconds:{uptime}\nlru_clock:{clock}\n# Clients\nconnected_clients:{clients}\nmaxclients:10000\n"
        "# Memory\nused_memory:1000000\n# Stats\ntotal_connections_received:1000\ntotal_commands_processed:5000\n"
        f"rejected_connections:0\n# Replication\nrole:{role}\n{more}master_repl_offset:1000\n"
    )


MASTER = info("a", more="connected_slaves:1\nslave0:ip=10.0.0.2,port=6379,state=online,offset=990,lag=0\n")
REPLICA = info("b", "slave", more=LINK)
SENTINEL = (
    "# Server\nredis_version:7.2.4\nredis_mode:sentinel\nrun_id:" + "c" * 40 + "\ntcp_port:26379\n"
    "uptime_in_seconds:5000\nlru_clock:1000000\n# Sentinel\nsentinel_masters:1\n"
    "master0:name=mymaster,status=odown,address=10.0.0.1:6379,slaves=1,sentinels=3\n"
)


def servers(*texts: tuple[str, str]) -> dict[str, Server]:
    found = sorted_out([piece for name, text in texts for piece in recognise(text, name).pieces])
    assert not found.unplaced
    return {one.name: one for one in found.servers}


FORMS = {
    "one below the other": [("t.txt", f"{MASTER}\n{REPLICA}")],
    "prompts": [("t.txt", f"10.0.0.1:6379> INFO\n{MASTER}\n10.0.0.2:6379> INFO\n{REPLICA}")],
    "prompts on each machine itself": [("t.txt", f"127.0.0.1:6379> INFO\n{MASTER}\n127.0.0.1:6379> INFO\n{REPLICA}")],
    "headings of roles": [("t.txt", f"=== master ===\n```\n{MASTER}```\n\n=== replica ===\n```\n{REPLICA}```\n")],
    "headings of addresses": [("t.txt", f"## 10.0.0.1\n{MASTER}\n## 10.0.0.2\n{REPLICA}")],
    "headings in words": [("t.txt", f"INFO from the master:\n{MASTER}\nOn the replica:\n{REPLICA}")],
    "folders": [("master/info.txt", MASTER), ("replica/info.txt", REPLICA)],
    "pods": [("redis-0.txt", MASTER), ("redis-1.txt", REPLICA)],
    "files without names": [("a.txt", REPLICA), ("b.txt", MASTER)],
    "command lines": [
        ("t.txt", f"$ redis-cli -h 10.0.0.1 info\n{MASTER}\n$ redis-cli -h 10.0.0.2 info\n{REPLICA}")
    ],
    "kubectl": [("t.txt", f"$ kubectl exec redis-0 -- redis-cli info\n{MASTER}"
                          f"$ kubectl exec redis-1 -- redis-cli info\n{REPLICA}")],
    "quoted": [("t.txt", "".join(f"> {line}\n" for line in f"{MASTER}\n{REPLICA}".splitlines()))],
    "two samples of each": [("t.txt", MASTER + REPLICA), ("later.txt", "".join(
        one.replace("uptime_in_seconds:86400", "uptime_in_seconds:86430").replace("clock:1000000", "clock:1000030")
        for one in (MASTER, REPLICA)))],
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_each_server_has_its_own_and_its_address_as_the_other_names_it(name: str) -> None:
    found = servers(*FORMS[name])
    assert {at: one.run_id for at, one in found.items()} == {"10.0.0.1:6379": "a" * 40, "10.0.0.2:6379": "b" * 40}
    moments = 2 if name == "two samples of each" else 1
    assert [len(one.moments) for one in found.values()] == [moments, moments]


def test_logs_go_to_the_server_that_wrote_them() -> None:
    for texts in (
        [("master/info.txt", MASTER), ("replica/info.txt", REPLICA), ("master/redis.log", LOG["master"]),
         ("replica/redis.log", LOG["replica"])],
        [("t.txt", f"{MASTER}\n{REPLICA}\n\n{LOG['master']}\n"), ("u.log", LOG["replica"])],
    ):  # fmt: skip
        found = servers(*texts)
        assert {at: [piece.text for piece in one.others] for at, one in found.items()} == {
            "10.0.0.1:6379": [LOG["master"].strip()], "10.0.0.2:6379": [LOG["replica"].strip()],
        }  # fmt: skip


def test_a_sentinel_is_one_and_says_where_the_master_is() -> None:
    found = servers(("t.txt", f"master:\n{info('a')}\nsentinel:\n{SENTINEL}"))
    assert {at: one.is_sentinel for at, one in found.items()} == {
        "10.0.0.1:6379": False, "unnamed.invalid:26379": True,
    }  # fmt: skip


def test_a_restart_is_one_server_and_what_ran_at_the_same_time_are_two() -> None:
    before, after = info("a"), info("f", uptime=20, clock=1_000_300)
    assert len(servers(("t.txt", f"{before}\nafter the restart:\n{after}"))) == 1
    assert len(servers(("t.txt", f"{before}\n{info('f', uptime=900, clock=1_000_300)}"))) == 2


def test_what_is_of_one_of_several_and_doesnt_say_of_which_is_left_out_and_said() -> None:
    slow = '1) 1) (integer) 1\n   2) (integer) 1769825107\n   3) (integer) 20000\n   4) 1) "KEYS"\n      2) "*"\n'
    found = incident(f"{MASTER}\n{REPLICA}", slow)
    assert found.told.unrecognised == ("2.txt:1-5 (SLOWLOG: it isn't said which server it is of)",)


def test_a_fault_of_any_of_them_is_found_and_named() -> None:
    found = answer(incident(f"{MASTER}\n{REPLICA}", symptom="replication is broken"))
    assert [(one.id, one.where) for one in found.causes] == [("replica-link-down", "10.0.0.2:6379")]
    both = answer(incident(
        f"cache:6379> INFO\n{info('d')}", f"session:6380> INFO\n{info('e', port=6380, clients=10_000)}"
    ))  # fmt: skip
    assert both.target.nodes == ("session:6380", "cache:6379") or both.target.nodes == ("cache:6379", "session:6380")
    assert not [one for one in both.complaints if one.node != "session:6380"]
