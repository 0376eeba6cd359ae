"""Which server is meant: the URL, its credentials and TLS settings."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import SecretStr

from tools.errors import UsageError
from tools.records import Record

DEFAULT_PORT, SENTINEL_PORT = 6379, 26379
SCHEMES = ("redis", "rediss", "unix", "redis+sentinel")


class Tls(Record):
    """TLS settings, named as redis-cli names them."""

    cacert: Path | None = None
    """File of the certificate authorities to trust instead of the system's."""
    cert: Path | None = None
    """Client certificate file."""
    key: Path | None = None
    """Client key file."""
    insecure: bool = False
    """Don't verify the server's certificate."""

    def context(self) -> ssl.SSLContext:
        """An SSL context of these settings. Raises `UsageError` naming the file that can't be used."""
        try:
            context = ssl.create_default_context(cafile=self.cacert)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"--cacert {self.cacert}: {error}; give a PEM file of the authority") from None
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert or self.key:
            if not (self.cert and self.key):
                raise UsageError("--cert and --key go together: give both")
            try:
                context.load_cert_chain(self.cert, self.key)
            except (OSError, ssl.SSLError) as error:
                raise UsageError(f"--cert {self.cert} --key {self.key}: {error}; give a PEM pair") from None
        return context


class Target(Record):
    """One endpoint, and how to be let in."""

    host: str | None
    """Host name or address; null for a Unix socket."""
    port: int | None
    """For a Sentinel URL host and port are the first sentinel's."""
    path: str | None = None
    """Path of the Unix socket."""
    db: int = 0
    username: str | None = None
    password: SecretStr | None = None
    tls: Tls | None = None
    """Null for plain TCP."""
    sentinels: tuple[tuple[str, int], ...] = ()
    """Of a Sentinel URL: host and port of each sentinel."""
    master: str | None = None
    """Of a Sentinel URL: the name under which the sentinels watch the master."""

    @property
    def watched(self) -> bool:
        """Whether this is a Sentinel URL."""
        return bool(self.sentinels)

    def at(self, host: str, port: int) -> "Target":
        """Another node of the same deployment, with the same credentials and TLS settings."""
        return self.model_copy(
            update={"host": host, "port": port, "path": None, "sentinels": (), "master": None, "db": self.db}
        )

    @property
    def node(self) -> str:
        """host:port or unix:PATH."""
        if self.path is not None:
            return f"unix:{self.path}"
        return address(self.host or "", self.port or 0)

    @property
    def url(self) -> str:
        """The URL without its secrets."""
        user = "***@" if self.password or self.username else ""
        db = f"/{self.db}" if self.db else ""
        if self.path is not None:
            return f"unix://{user}{self.path}" + (f"?db={self.db}" if self.db else "")
        if self.sentinels:
            several = ",".join(address(*one) for one in self.sentinels)
            return f"redis+sentinel://{user}{several}/{self.master}{db}"
        return f"{'rediss' if self.tls else 'redis'}://{user}{self.node}{db}"


def address(host: str, port: int) -> str:
    """host:port, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_target(
    url: str, *, tls: Tls | None = None, password_file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Target:
    """The target of a URL.

    The password is the URL's, else the file's first line, else `REDISCLI_AUTH`.
    Raises `UsageError` where the URL or a setting can't be used; the message never holds the password.
    """
    scheme, marker, rest = url.partition("://")
    if not marker or scheme not in SCHEMES:
        raise UsageError(f"URL {_shown(url)}: not one of {', '.join(s + '://' for s in SCHEMES)}")
    if scheme == "redis+sentinel":
        return _watched(url, rest, password_file, environ)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"URL {_shown(url)}: {error}; write {scheme}://[user:password@]host:port[/db]") from None
    if tls and scheme != "rediss" and (tls.cacert or tls.cert or tls.key or tls.insecure):
        raise UsageError(f"URL {_shown(url)}: TLS options need a rediss:// URL")
    password = unquote(parts.password) if parts.password else _password(password_file, environ)
    secret = SecretStr(password) if password else None
    username = unquote(parts.username) if parts.username else None
    db = _db(url, scheme, parts)
    if scheme == "unix":
        path = unquote(parts.path)
        if not path.startswith("/") or path == "/":
            raise UsageError(f"URL {_shown(url)}: needs the socket's absolute path, as in unix:///run/redis/redis.sock")
        return Target(host=None, port=None, path=path, db=db, username=username, password=secret)
    if not parts.hostname or not rest:
        raise UsageError(f"URL {_shown(url)}: names no host; write {scheme}://host:6379")
    return Target(
        host=parts.hostname, port=port if port is not None else DEFAULT_PORT, db=db, username=username,
        password=secret, tls=(tls or Tls()) if scheme == "rediss" else None,
    )  # fmt: skip


def _watched(url: str, rest: str, password_file: Path | None, environ: Mapping[str, str]) -> Target:
    form = "write redis+sentinel://[user:password@]host:26379,host:26379/MASTER"
    credentials, _, places = rest.rpartition("@")
    hosts, _, path = places.partition("/")
    master, _, db = path.partition("?")[0].partition("/")
    if not master:
        raise UsageError(f"URL {_shown(url)}: names no master; {form}")
    if db and not db.isdecimal():
        raise UsageError(f"URL {_shown(url)}: database {db!r} isn't a number; {form}/0")
    sentinels = []
    for place in hosts.split(","):
        try:
            parts = urlsplit(f"//{place}")
            port = parts.port
        except ValueError as error:
            raise UsageError(f"URL {_shown(url)}: {error}; {form}") from None
        if not parts.hostname:
            raise UsageError(f"URL {_shown(url)}: names an empty host; {form}")
        sentinels.append((parts.hostname, port if port is not None else SENTINEL_PORT))
    username, _, password = credentials.partition(":")
    secret = unquote(password) or _password(password_file, environ)
    return Target(
        host=sentinels[0][0], port=sentinels[0][1], db=int(db or 0), username=unquote(username) or None,
        password=SecretStr(secret) if secret else None, sentinels=tuple(dict.fromkeys(sentinels)),
        master=unquote(master),
    )  # fmt: skip


def _db(url: str, scheme: str, parts: SplitResult) -> int:
    text = parse_qs(parts.query).get("db", [""])[0] or ("" if scheme == "unix" else parts.path.strip("/"))
    if text and not text.isdecimal():
        raise UsageError(f"URL {_shown(url)}: database {text!r} isn't a number; write {scheme}://host:6379/0")
    return int(text or 0)


def _password(file: Path | None, environ: Mapping[str, str]) -> str | None:
    if file is None:
        return environ.get("REDISCLI_AUTH") or None
    try:
        return file.read_text().splitlines()[0].strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--password-file {file}: {error}; give a readable text file") from None
    except IndexError:
        raise UsageError(f"--password-file {file}: it's empty; its first line is the password") from None


def _shown(url: str) -> str:
    """The URL for a message: whatever stands before an @ could be a secret."""
    scheme, marker, rest = url.partition("://")
    return repr(scheme + marker + ("***@" + rest.rpartition("@")[2] if "@" in rest else rest))
