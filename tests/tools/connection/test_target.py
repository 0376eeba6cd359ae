"""URLs and addresses as people paste them."""

from pathlib import Path

import pytest

from tools.connection.target import Target, Tls, parse_target
from tools.errors import UsageError


def parsed(url: str, **environ: str) -> Target:
    return parse_target(url, environ=environ)


def secret(target: Target) -> str | None:
    return target.password.get_secret_value() if target.password else None


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("localhost", "localhost:6379"), ("10.0.0.1:7000", "10.0.0.1:7000"), ("[::1]:6380", "[::1]:6380"),
        ("[fe80::1%eth0]", "[fe80::1%eth0]:6379"), ("redis-0.redis.prod.svc:26379", "redis-0.redis.prod.svc:26379"),
        ("redis://h", "h:6379"), ("unix:///run/r.sock", "unix:/run/r.sock"),
    ],
)  # fmt: skip
def test_an_address_is_a_target(text: str, node: str) -> None:
    assert parsed(text).node == node


@pytest.mark.parametrize(
    "text", ["", "a b", "host:port", ":6379", "::1", "host/0", "user@host", "host:123456", "-h", "."]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not one of redis://"):
        parsed(text)


@pytest.mark.parametrize(
    ("url", "username", "password", "db"),
    [
        ("redis://h?password=p%40ss&db=3", None, "p@ss", 3),
        ("redis://h/2?username=app&password=a#b", "app", "a#b", 2),
        ("redis://h/2?db=5", None, None, 5),
        ("redis://me:mine@h?username=you&password=yours", "me", "mine", 0),
        ("redis://:mine@h?username=you", "you", "mine", 0),
        ("unix:///run/r.sock?db=1&password=p", None, "p", 1),
        ("redis+sentinel://a,b/main?db=4&password=p&username=u", "u", "p", 4),
        ("redis://h?decode_responses=True&socket_timeout=5&DB=1", None, None, 1),
        ("redis://h?", None, None, 0),
        ("redis://h?password=", None, "of the environment", 0),
    ],
)
def test_the_query_names_credentials_and_database(
    url: str, username: str | None, password: str | None, db: int
) -> None:
    environ = {"REDISCLI_AUTH": "of the environment"} if password == "of the environment" else {}
    target = parsed(url, **environ)
    assert (target.username, secret(target), target.db) == (username, password, db)
    assert str(secret(target)) not in target.url


def test_the_query_sets_tls_and_options_given_apart_come_first() -> None:
    url = "rediss://h?ssl_cert_reqs=CERT_NONE&ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem"
    assert parsed(url).tls == Tls(cacert=Path("/ca.pem"), cert=Path("/c.pem"), key=Path("/k.pem"), insecure=True)
    given = parse_target(url, tls=Tls(cacert=Path("/own.pem")), environ={})
    assert given.tls is not None and given.tls.cacert == Path("/own.pem")
    assert parsed("rediss://h?ssl_cert_reqs=required").tls == Tls()
    assert parsed("rediss://h?skip_verify=true").tls == Tls(insecure=True)
    named = parsed("rediss://h?ssl_check_hostname=false").tls
    assert named is not None and not named.insecure
    context = named.context()
    assert context.verify_mode.name == "CERT_REQUIRED" and not context.check_hostname


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("redis://h?pasword=hunter2", "'pasword' is unknown; remove it. Known are db, username, password"),
        ("redis+sentinel://h/main?sentinel_pass=hunter2", "'sentinel_pass' is unknown"),
        ("redis://h?ssl_cert_reqs=none", "needs? a rediss://"),
        ("redis+sentinel://h/main?ssl_cert_reqs=none", "needs? a rediss://"),
        ("redis://h?ssl=true&password=hunter2", "'ssl': remove it, and use rediss://"),
        ("rediss://h?ssl_cert_reqs=sometimes", "write ssl_cert_reqs=none or required"),
        ("rediss://h?ssl_check_hostname=maybe", "write ssl_check_hostname=true or false"),
        ("redis://h?db=first", "database 'first' isn't a number"),
        ("redis://h:port?password=hunter2", "redis://h:port"),
        ("redis://h:port?password=a@hunter2", r"redis://\*\*\*"),
        ("redis://:a?hunter2@h:port", r"redis://\*\*\*"),
    ],
)
def test_what_cannot_be_used_is_named_and_no_secret_is_shown(url: str, named: str) -> None:
    with pytest.raises(UsageError, match=named) as raised:
        parsed(url)
    assert "hunter2" not in str(raised.value)
