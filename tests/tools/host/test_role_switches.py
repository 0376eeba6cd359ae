"""Changes of the primary in logs, as servers of several versions write them."""

import pytest

from tools.host.log_lines import log_lines
from tools.host.role_switches import Switch, switch_values, switches

SENTINEL = """
1:X 29 Nov 2026 18:26:16.004 # Executing user requested FAILOVER of 'mymaster'
1:X 29 Nov 2026 18:26:16.004 # +new-epoch 1
1:X 29 Nov 2026 18:26:16.004 # +try-failover master mymaster 127.0.0.1 45635
1:X 29 Nov 2026 18:26:17.154 # +failover-end master mymaster 127.0.0.1 45635
1:X 29 Nov 2026 18:26:17.154 # +switch-master mymaster 127.0.0.1 45635 127.0.0.1 41265
"""
DEAD = """
1:X 29 Nov 2026 18:26:15.004 # +sdown master mymaster 127.0.0.1 45635
1:X 29 Nov 2026 18:26:15.104 # +odown master mymaster 127.0.0.1 45635 #quorum 2/2
1:X 29 Nov 2026 18:26:17.154 # +switch-master mymaster 127.0.0.1 45635 127.0.0.1 41265
"""
BY_SENTINEL = """
1:S 29 Nov 2026 18:26:13.702 * Connecting to MASTER 127.0.0.1:45635
1:M 29 Nov 2026 18:26:16.171 * MASTER MODE enabled (user request from 'id=8 addr=127.0.0.1:37727 laddr=127.0.0.1:41265 \
fd=8 name=sentinel-215dd889-cmd age=3 idle=0')
"""
HIDDEN = """
1:S 29 Nov 2026 18:26:13.702 * Connecting to PRIMARY 127.0.0.1:45635
1:M 29 Nov 2026 18:27:01.260 * PRIMARY MODE enabled (user request from 'id=27 addr=[::1]:48400 laddr=[::1]:42027 fd=9 \
name=*redacted* user=*redacted* lib-name= lib-ver=')
"""
HANDED = """
1:M 29 Nov 2026 18:26:27.568 * FAILOVER requested to 127.0.0.1:44923.
1:M 29 Nov 2026 18:26:27.568 * Failover target 127.0.0.1:44923 is synced, failing over.
"""
TAKEN = """
1:S 29 Nov 2026 18:26:27.569 * Reconnecting to MASTER 127.0.0.1:34227
1:M 29 Nov 2026 18:26:27.570 * MASTER MODE enabled (failover request from 'id=8 addr=127.0.0.1:37063 name= age=0')
"""
TURNED = """
1:M 29 Nov 2026 18:26:29.581 * Before turning into a replica, using my own master parameters to synthesize a cached
1:S 29 Nov 2026 18:26:29.582 * Connecting to MASTER 127.0.0.1:34227
1:S 29 Nov 2026 18:26:29.582 * REPLICAOF 127.0.0.1:34227 enabled (user request from 'id=9 addr=127.0.0.1:58034 name= ')
"""
REPOINTED = """
1:S 29 Nov 2026 18:26:29.582 * REPLICAOF 127.0.0.1:34227 enabled (user request from 'id=9 addr=127.0.0.1:58034 name= ')
"""
ELECTED = """
1:S 29 Nov 2026 18:27:08.846 * Connecting to PRIMARY 127.0.0.1:15210
1:S 29 Nov 2026 18:27:09.073 * FAIL message received from f931 (127.0.0.1:11153) about 5f6a (127.0.0.1:15210)
1:S 29 Nov 2026 18:27:09.117 * Failover election won: I'm the new primary.
1:S 29 Nov 2026 18:27:09.117 * configEpoch set to 8 after successful failover
"""
ASKED = """
1:S 29 Nov 2026 18:26:31.499 * Connecting to MASTER 127.0.0.1:18961
1:S 29 Nov 2026 18:26:32.781 # Manual failover user request accepted.
1:S 29 Nov 2026 18:26:32.783 # Failover election won: I'm the new master.
"""
GAVE_UP = """
1:M 29 Nov 2026 18:26:32.782 # Manual failover requested by replica 371d89f35eba1d1cf1e6ce288bf4682981d9bcac.
1:M 29 Nov 2026 18:26:32.817 # Configuration change detected. Reconfiguring myself as a replica of 371d89f35eba1
"""
FORCED = "1:S 29 Nov 2026 18:26:32.782 # Taking over the master (user request).\n"


@pytest.mark.parametrize(("log", "expected"), [
    (SENTINEL, ("switched", "sentinel-manual", "127.0.0.1:45635", "127.0.0.1:41265", None)),
    (DEAD, ("switched", "sentinel", "127.0.0.1:45635", "127.0.0.1:41265", None)),
    (BY_SENTINEL, ("promoted", "sentinel", "127.0.0.1:45635", None, None)),
    (HIDDEN, ("promoted", "client", "127.0.0.1:45635", None, "[::1]:48400")),
    (HANDED, ("demoted", "failover-command", None, "127.0.0.1:44923", None)),
    (TAKEN, ("promoted", "failover-command", "127.0.0.1:34227", None, None)),
    (TURNED, ("demoted", "client", None, "127.0.0.1:34227", "127.0.0.1:58034")),
    (ELECTED, ("promoted", "cluster", "127.0.0.1:15210", None, None)),
    (ASKED, ("promoted", "cluster-manual", "127.0.0.1:18961", None, None)),
    (GAVE_UP, ("demoted", "cluster-manual", None, None, None)),
    (FORCED, ("promoted", "cluster-takeover", None, None, None)),
])  # fmt: skip
def test_a_change_is_told_with_both_ends_and_who_asked(log: str, expected: tuple[str | None, ...]) -> None:
    (one,) = switches(log_lines(log))
    assert (one.event, one.by, one.old, one.new, one.client) == expected


def test_a_replica_that_follows_another_changes_nothing() -> None:
    assert switches(log_lines(REPOINTED)) == ()


def test_when_the_old_one_was_called_dead_belongs_to_it_and_the_newest_is_told() -> None:
    (one,) = switches(log_lines(ELECTED))
    assert one.epoch == 8 and one.at is not None and one.down_at is not None and 0 < one.at - one.down_at < 1
    lines = list(log_lines(DEAD + SENTINEL.replace("29 Nov", "30 Nov")))
    end = max(line.at or 0 for line in lines)
    values = switch_values(lines, lambda at: None if at is None else end - at)
    assert values["switch.count"] == 2 and values["switch.by"] == "sentinel-manual"
    assert values["switch.age"] == 0 and values["switch.down_age"] is None


def test_what_a_client_calls_itself_makes_no_address() -> None:
    forged = BY_SENTINEL.replace("name=sentinel-215dd889-cmd", "name=x").replace("addr=127.0.0.1:37727", "addr=$(rm)")
    (one,) = switches(log_lines(forged))
    assert one == Switch(event="promoted", by="client", at=one.at, old="127.0.0.1:45635")
