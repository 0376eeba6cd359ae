"""The query of a Redis URL: the words that client libraries take there, as people paste them."""

from pathlib import Path
from urllib.parse import parse_qsl

from pydantic import SecretStr

from tools.errors import UsageError
from tools.records import Record

IGNORED = frozenset(
    ("client_name", "decode_responses", "dial_timeout", "encoding", "encoding_errors", "health_check_interval",
     "max_connections", "max_retries", "max_retry_backoff", "min_idle_conns", "min_retry_backoff", "pool_size",
     "pool_timeout", "protocol", "read_timeout", "retry_on_timeout", "socket_connect_timeout", "socket_keepalive",
     "socket_read_size", "socket_timeout", "socket_type", "timeout", "write_timeout")
)  # fmt: skip
"""How an application's client goes about it: nothing that a diagnosis would take over."""
_VERIFY = {"required": True, "optional": True, "none": False}
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_MEANT = "db, username, password, ssl_ca_certs, ssl_certfile, ssl_keyfile, ssl_cert_reqs and ssl_check_hostname"


class Query(Record):
    """What a URL's query says of the connection; null where it says nothing."""

    db: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    cacert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    insecure: bool = False
    """Don't verify the server's certificate."""
    check_hostname: bool = True
    """Whether the certificate has to name the host."""

    @property
    def about_tls(self) -> bool:
        """Whether any of it is for TLS only."""
        return bool(self.cacert or self.cert or self.key or self.insecure or not self.check_hostname)


_FIELDS = {
    "db": "db", "database": "db", "username": "username", "user": "username", "password": "password",
    "ssl_ca_certs": "cacert", "ssl_certfile": "cert", "ssl_keyfile": "key",
}  # fmt: skip


def parse_query(shown: str, text: str) -> Query:
    """What a query says. Raises `UsageError` naming the word that isn't known or whose value can't be used.

    `shown` is the URL for messages, without its secrets.
    """
    found: dict[str, object] = {}
    for word, value in parse_qsl(text, keep_blank_values=True):
        name = word.lower()
        if name in IGNORED:
            continue
        if field := _FIELDS.get(name):
            found[field] = value or None
        elif name == "ssl_cert_reqs":
            verify = _choice(shown, word, value.lower().removeprefix("cert_"), _VERIFY, "none or required")
            found["insecure"] = not verify
        elif name == "skip_verify":
            found["insecure"] = _choice(shown, word, value.lower(), _BOOLEANS, "true or false")
        elif name == "ssl_check_hostname":
            found["check_hostname"] = _choice(shown, word, value.lower(), _BOOLEANS, "true or false")
        elif name in ("ssl", "tls"):
            raise UsageError(f"URL {shown}: {word!r}: remove it, and use rediss:// for TLS")
        else:
            raise UsageError(f"URL {shown}: the query parameter {word!r:.60} is unknown; remove it. Known are {_MEANT}")
    return Query.model_validate(found)


def _choice(shown: str, word: str, value: str, choices: dict[str, bool], remedy: str) -> bool:
    if value not in choices:
        raise UsageError(f"URL {shown}: {word}={value!r:.60}: write {word}={remedy}")
    return choices[value]
