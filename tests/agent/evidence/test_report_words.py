"""What a report denies isn't reported; what stands near a denial is."""

import pytest

from agent.checks.settings import RESTART_WORDS, speaks_of_settings
from agent.evidence.report_words import mention


@pytest.mark.parametrize(
    "text",
    [
        "the server did not restart", "it was never restarted", "no restart, no failover", "without any restart",
        "Redis hasn't been restarted", "there was no recent restart", "neither a reboot nor a failover",
        "It didn\u2019t reboot",
        "we could not see any failover", "No restart was done; the timeouts go on.",
    ],
)  # fmt: skip
def test_what_is_denied_is_not_reported(text: str) -> None:
    assert mention(RESTART_WORDS, text) is None


@pytest.mark.parametrize(
    "text",
    [
        "the server restarted", "Redis doesn't answer since the restart", "no keys are left after the restart",
        "It isn't the network: we restarted it twice.", "nothing was changed, but the host was rebooted",
        "The pods can't connect because of a failover", "not only a restart, two of them",
        "our settings don't survive a restart",
        "It did not restart at noon, it restarted at one.", "never seen before the reboot last night",
    ],
)  # fmt: skip
def test_what_is_said_beside_a_denial_is_reported(text: str) -> None:
    assert mention(RESTART_WORDS, text) is not None


def test_a_denied_restart_makes_no_drift_of_settings() -> None:
    assert not speaks_of_settings("timeouts again, though the server did not restart")
    assert speaks_of_settings("after each restart the old settings are back")
    assert speaks_of_settings("a maxclients that stands in no redis.conf of ours")
