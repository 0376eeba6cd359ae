"""What a report denies isn't reported; what stands near a denial is."""

import re

import pytest

from agent.checks.settings import RESTART_WORDS, speaks_of_settings
from agent.checks.words import (
    DISCONNECTED,
    GONE,
    JOBS_LOST,
    MEMORY,
    OUT_OF_MEMORY,
    READONLY,
    REFUSED,
    SLOW,
    STALE,
)
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
        "from that moment, the client restarts", "after the last event: a restart", "since the current restart",
        "It did not restart at noon, it restarted at one.", "never seen before the reboot last night",
    ],
)  # fmt: skip
def test_what_is_said_beside_a_denial_is_reported(text: str) -> None:
    assert mention(RESTART_WORDS, text) is not None


def test_a_denied_restart_makes_no_drift_of_settings() -> None:
    assert not speaks_of_settings("timeouts again, though the server did not restart")
    assert speaks_of_settings("after each restart the old settings are back")
    assert speaks_of_settings("a maxclients that stands in no redis.conf of ours")


SAID: list[tuple[re.Pattern[str], tuple[str, ...], tuple[str, ...]]] = [
    (GONE,
     ("Everybody was kicked out of the shop at noon", "All users have to log in again", "random logouts since tonight",
      "Our counters were reset to zero", "session not found for half of the requests", "carts: empty since the deploy",
      "The keys no longer exist", "the cache starts from scratch every morning", "tokens were purged", "dbsize is 0"),
     ("No data was lost", "Redis is slow, but no sessions are gone", "The sessions work", "logged in users see it")),
    (JOBS_LOST,
     ("Jobs are never handled", "some mails weren't sent", "notifications are not delivered", "tasks vanish silently",
      "Messages fall through"),
     ("Jobs are handled late", "the queue is long", "mails are sent twice")),
    (MEMORY, ("we leak something", "used_memory grew by 3 GB", "it balloons"), ("there's no growth", "it is slow")),
    (OUT_OF_MEMORY, ("maxmemory was reached", "OOM command not allowed", "OutOfMemoryException: ..."),
     ("the OOM killer took it", "maxmemory is 4 GB")),
    (SLOW, ("it takes ages", "a GET takes 300 ms", "Redis froze", "laggy all day", "taking about 2 seconds"),
     ("it isn't slow", "it takes the wrong key", "a p in the log")),
    (STALE, ("customers see old prices", "the app doesn't see its own writes", "reads are out of date"),
     ("customers see prices", "the primary is up")),
    (DISCONNECTED, ("server has gone away", "the pool loses its connections", "our workers get kicked off",
                    "the connection was killed"),
     ("connections work", "pods connect quickly")),
    (READONLY, ("READONLY You can't write against a read only replica.",), ("only reads work",)),
    (REFUSED, ("ECONNREFUSED", "the target machine actively refused it", "nothing is listening on 6379"),
     ("it wasn't refused", "it times out")),
]  # fmt: skip


@pytest.mark.parametrize(("words", "text"), [(words, text) for words, said, _ in SAID for text in said])
def test_how_people_say_it(words: re.Pattern[str], text: str) -> None:
    assert mention(words, text) is not None


@pytest.mark.parametrize(("words", "text"), [(words, text) for words, _, other in SAID for text in other])
def test_what_they_do_not_say(words: re.Pattern[str], text: str) -> None:
    assert mention(words, text) is None
