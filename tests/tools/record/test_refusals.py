"""A recording seen with fewer rights: a refusal is worded as a real server of that version words it."""

import pytest

from evals.lab.servers import ServerKind, running
from evals.lab.wire import dial
from tools.connection.protocol import ServerError
from tools.errors import Unanswered
from tools.record.refusals import USER, Refusals, all_but, only

COMMANDS = (
    ("SLOWLOG", "GET", "1"), ("CLIENT", "LIST"), ("CONFIG", "GET", "maxmemory"), ("SELECT", "1"), ("MEMORY", "STATS"),
)  # fmt: skip


async def test_a_refusal_is_worded_as_the_server_words_it(kind: ServerKind) -> None:
    async with running(kind) as server:
        wire = await dial(server.url)
        try:
            await wire.ask("ACL", "SETUSER", USER, "on", ">pw", "+ping", "+info")
            await wire.ask("AUTH", USER, "pw")
            about = await wire.ask("INFO", "server")
            version = next(line[14:] for line in str(about).splitlines() if line.startswith("redis_version:"))
            major, minor, *_ = map(int, version.split("."))
            for command in COMMANDS:
                refusal = only("ping", "info").refuse(command, (major, minor))
                assert refusal is not None
                with pytest.raises(Exception, match="NOPERM") as said:
                    await wire.ask(*command)
                assert str(said.value).removeprefix("-") == refusal.text
        finally:
            await wire.close()


def test_what_is_allowed_and_what_lets_a_user_in_is_never_refused() -> None:
    few, most = only("ping", "info"), all_but(("slowlog",))
    assert [few.refuse(command, None) for command in (("PING",), ("INFO", "all"), ("AUTH", "x"))] == [None] * 3
    assert isinstance(most.refuse(("slowlog", "len"), None), ServerError)
    assert most.refuse(("CLIENT", "LIST"), None) is None
    assert Refusals().refuse(("CONFIG", "GET", "*"), None) is None


def test_from_afar_the_machine_is_not_seen_and_the_settings_without_their_file() -> None:
    afar = Refusals(without_host=True)
    lack = afar.lack("process", {"rss_bytes": 1})
    assert isinstance(lack, Unanswered)
    assert (lack.kind, lack.values) == ("not-local", {"locality": "other-machine"})
    settings = afar.lack("config_drift", {"bind": "127.0.0.1", "drifted": 2, "config_file": "/etc/redis.conf"})
    assert settings is not None
    assert settings.values == {"bind": "127.0.0.1", "config_file": "/etc/redis.conf", "locality": "other-machine"}
    # Started without a file, it says all of it itself.
    assert afar.lack("config_drift", {"config_file": "", "drifted": 0}) is None
    assert Refusals().lack("process", {}) is None
    denied = all_but(("config",)).lack("config_drift", {"drifted": 2})
    assert denied is not None and denied.kind == "denied"
