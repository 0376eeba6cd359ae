"""Which server is meant: the URL, its credentials and TLS settings."""

import contextlib
import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from tools.connection.credentials import Credentials
from tools.connection.trust import Network
from tools.connection.url_query import Query, parse_query
from tools.errors import UsageError
from tools.files import MOST_BUNDLE, MOST_SECRET, must_be_regular, read_regular_text
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
    check_hostname: bool = True
    """Whether the server's certificate has to name the host."""

    def context(self) -> ssl.SSLContext:
        """An SSL context with these settings. Raises `UsageError` naming the file that can't be used."""
        try:
            if self.cacert:
                must_be_regular(self.cacert, MOST_BUNDLE)
            context = ssl.create_default_context(cafile=self.cacert)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"--cacert {self.cacert}: {error.strerror or error}; give a PEM file with the CA certificates"
            ) from None
        if self.insecure or not self.check_hostname:
            context.check_hostname = False
        if self.insecure:
            context.verify_mode = ssl.CERT_NONE
        if self.cert or self.key:
            if not (self.cert and self.key):
                raise UsageError("--cert and --key go together: give both")
            try:
                for file in (self.cert, self.key):
                    must_be_regular(file, MOST_BUNDLE)
                context.load_cert_chain(self.cert, self.key)
            except (OSError, ssl.SSLError) as error:
                raise UsageError(
                    f"--cert {self.cert} --key {self.key}: {error.strerror or error}; give a PEM pair"
                ) from None
        return context


class Target(Record):
    """One endpoint, and how to log in."""

    host: str | None
    """Host name or address; null for a Unix socket."""
    port: int | None
    """For a Sentinel URL host and port are the first sentinel's."""
    path: str | None = None
    """Path of the Unix socket."""
    db: int = 0
    username: str | None = None
    password: SecretStr | None = None
    credentials: Credentials | None = None
    """The cloud identity service whose tokens replace a password."""
    tls: Tls | None = None
    """Null for plain TCP."""
    sentinels: tuple[tuple[str, int], ...] = ()
    """Of a Sentinel URL: host and port of each sentinel."""
    master: str | None = None
    """Of a Sentinel URL: the name under which the sentinels watch the master."""
    trust: tuple[Network, ...] = ()
    """Networks in which a node named by another one may be sent the credentials."""
    service: str | None = None
    """The service that runs it, as the settings have it (see `managed.toml`); null to go by what it says of itself."""
    named_from: tuple[str, ...] | None = None
    """For a node named by another one: the URL's hosts, none for a Unix socket. Null for what the URL names."""

    @property
    def watched(self) -> bool:
        """Whether this is a Sentinel URL."""
        return bool(self.sentinels)

    def at(self, host: str, port: int) -> "Target":
        """Another node of the same deployment, with the same credentials and TLS settings."""
        return self.model_copy(
            update={"host": host, "port": port, "path": None, "sentinels": (), "master": None, "db": self.db}
        )

    def neighbour(self, host: str, port: int) -> "Target":
        """A node named by another one: it's dialled only if `tools.connection.trust` allows it."""
        hosts = tuple(host for host, _ in self.sentinels) or ((self.host,) if self.host else ())
        return self.at(host, port).model_copy(update={"named_from": hosts})

    def bare_at(self, port: int) -> "Target":
        """Another port of the same host, without anything else from the URL."""
        return Target(host=self.host, port=port)

    @property
    def has_credentials(self) -> bool:
        """Whether there is a password or a token that could be given away."""
        return self.password is not None or self.credentials is not None

    @property
    def private(self) -> bool:
        """Whether nobody in between can read what is sent: TLS, a Unix socket or loopback."""
        return self.tls is not None or self.path is not None or self.is_loopback

    @property
    def is_loopback(self) -> bool:
        """Whether its address is this machine's own, whatever is behind it."""
        host = (self.host or "").partition("%")[0]
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host).is_loopback
        return host == "localhost"

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
    """The target of a URL, or of a plain host, host:port or [v6]:port.

    The password is the URL's, else the file's first line, else `REDISCLI_AUTH`.
    Raises `UsageError` where the URL or a setting can't be used; the message never holds the password.
    """
    if _ADDRESS.fullmatch(url):
        url = f"redis://{url}"
    scheme, marker, rest = url.partition("://")
    if not marker or scheme not in SCHEMES:
        raise UsageError(f"URL {_shown(url)}: not one of {', '.join(s + '://' for s in SCHEMES)}")
    if scheme == "redis+sentinel":
        return _watched(url, rest, password_file, environ)
    try:
        parts = urlsplit(url, allow_fragments=False)
        port = parts.port
    except ValueError as error:
        bare = rest.rpartition("@")[2].count(":") > 1 and "[" not in rest
        form, why = ("[v6]:port", "an IPv6 address stands in brackets") if bare else ("host:port", str(error))
        raise UsageError(f"URL {_shown(url)}: {why}; write {scheme}://[user:password@]{form}[/db]") from None
    query = parse_query(_shown(url), parts.query)
    if scheme != "rediss" and (query.about_tls or (tls and (tls.cacert or tls.cert or tls.key or tls.insecure))):
        raise UsageError(f"URL {_shown(url)}: TLS options need a rediss:// URL")
    username, secret = _credentials(parts.username, parts.password, query, password_file, environ)
    path_db = "" if scheme == "unix" else parts.path.strip("/")
    db = _db(_shown(url), query.db or path_db, f"{scheme}://host:6379/0")
    if scheme == "unix":
        path = unquote(parts.path)
        if not path.startswith("/") or path == "/":
            raise UsageError(f"URL {_shown(url)}: needs the socket's absolute path, as in unix:///run/redis/redis.sock")
        return Target(host=None, port=None, path=path, db=db, username=username, password=secret)
    if not parts.hostname or not rest:
        raise UsageError(f"URL {_shown(url)}: doesn't name a host; write {scheme}://host:6379")
    return Target(
        host=parts.hostname, port=port if port is not None else DEFAULT_PORT, db=db, username=username,
        password=secret, tls=_merged(tls or Tls(), query) if scheme == "rediss" else None,
    )  # fmt: skip


_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+(%[\w.-]+)?\]|[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?)(:\d{1,5})?")


def _merged(tls: Tls, query: Query) -> Tls:
    """The TLS settings given separately, completed by those of the URL."""
    return Tls(
        cacert=tls.cacert or query.cacert, cert=tls.cert or query.cert, key=tls.key or query.key,
        insecure=tls.insecure or query.insecure, check_hostname=tls.check_hostname and query.check_hostname,
    )  # fmt: skip


def _credentials(
    user: str | None, password: str | None, query: Query, file: Path | None, environ: Mapping[str, str]
) -> tuple[str | None, SecretStr | None]:
    """User and password: those before the @, else the query's, else the file's or the environment's password."""
    username = unquote(user) if user else query.username
    secret = SecretStr(unquote(password)) if password else query.password
    if secret is None and (given := _password(file, environ)):
        secret = SecretStr(given)
    return username or None, secret


def _watched(url: str, rest: str, password_file: Path | None, environ: Mapping[str, str]) -> Target:
    form = "write redis+sentinel://[user:password@]host:26379,host:26379/MASTER"
    credentials, _, places = rest.rpartition("@")
    hosts, _, path = places.partition("/")
    path, _, text = path.partition("?")
    query = parse_query(_shown(url), text)
    if query.about_tls:
        raise UsageError(f"URL {_shown(url)}: TLS options need a rediss:// URL")
    master, _, db = path.partition("/")
    if not master:
        raise UsageError(f"URL {_shown(url)}: doesn't name a master; {form}")
    number = _db(_shown(url), query.db or db, "redis+sentinel://host:26379/MASTER/0")
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
    user, _, password = credentials.partition(":")
    username, secret = _credentials(user, password, query, password_file, environ)
    return Target(
        host=sentinels[0][0], port=sentinels[0][1], db=number, username=username, password=secret,
        sentinels=tuple(dict.fromkeys(sentinels)), master=unquote(master),
    )  # fmt: skip


def _db(shown: str, text: str, form: str) -> int:
    if text and not text.isdecimal():
        raise UsageError(f"URL {shown}: database {text!r} isn't a number; write {form}")
    return int(text or 0)


def _password(file: Path | None, environ: Mapping[str, str]) -> str | None:
    if file is None:
        return environ.get("REDISCLI_AUTH") or None
    try:
        return read_regular_text(file, MOST_SECRET).splitlines()[0].strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--password-file {file}: {getattr(error, 'strerror', None) or error}; give a readable text file"
        ) from None
    except IndexError:
        raise UsageError(f"--password-file {file}: it is empty; its first line has to be the password") from None


def _shown(url: str) -> str:
    """The URL for a message: anything before an @ or after a ? could be a secret."""
    scheme, marker, rest = url.partition("://")
    before, _, after = rest.partition("?")
    if "@" in after:
        # Either a password containing a ?, or one in the query containing an @.
        return repr(f"{scheme}{marker}***")
    shown = "***@" + before.rpartition("@")[2] if "@" in before else before
    return repr(scheme + marker + shown + ("?***" if after else ""))
