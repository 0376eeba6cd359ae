"""What is known about a request before its body is read."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from agent.web.access.refusal import Refused

TOKENS = ("token", "access_token")
"""Parameters that carry a token: an address is logged, kept and passed on, so only the link at the start has one."""
READING = ("GET", "HEAD")


class Asked(NamedTuple):
    """A request whose shape is plain and that came for one of the service's own names."""

    method: str
    path: str
    address: str
    """Its path as it was sent."""
    parameters: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    host: str
    port: int | None
    peer: str
    secure: bool
    """Whether the browser speaks https, to the service or to a proxy before it."""

    @property
    def origin(self) -> str:
        """What a page of the service's own has as its origin."""
        return f"http{'s' if self.secure else ''}://{self.host}"

    @property
    def cookie(self) -> str:
        """The session cookie's name. Cookies know no ports, so on loopback each service has a name of its own."""
        return "__Host-rediagnose" if self.secure else f"rediagnose-{self.port}"

    @property
    def by_person(self) -> bool:
        """Whether a page is wanted, rather than JSON."""
        return not self.path.startswith("/v1/") and "text/html" in self.headers.get("accept", "")

    @property
    def navigates(self) -> bool:
        """Whether a browser's window goes there, rather than a part of some page asking."""
        return (
            self.method == "GET"
            and self.headers.get("sec-fetch-mode", "navigate") == "navigate"
            and self.headers.get("sec-fetch-dest", "document") == "document"
        )

    def parameter(self, name: str) -> str | None:
        """A parameter; null unless it's there once."""
        values = [value for key, value in self.parameters if key == name]
        return values[0] if len(values) == 1 else None

    def address_without(self, *names: str) -> str:
        """The address without some parameters."""
        left = urlencode([pair for pair in self.parameters if pair[0] not in names])
        return f"{self.address}?{left}" if left else self.address


def parameters_of(query: bytes) -> tuple[tuple[str, str], ...]:
    """The parameters of a request. Raises `Refused` if they can't be read."""
    try:
        return tuple(parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict"))
    except ValueError:
        raise Refused(400, "the address' parameters can't be read", close=True) from None


def from_elsewhere(asked: Asked) -> bool:
    """Whether a browser says that another site's page asks, or another port's of this machine."""
    return asked.headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")


def check_origin(asked: Asked) -> None:
    """Raise `Refused` unless a page of the service's own asks; a browser says so, and no page can make it lie."""
    origin, site = asked.headers.get("origin"), asked.headers.get("sec-fetch-site")
    if origin is None and site is None:
        raise Refused(403, "neither Origin nor Sec-Fetch-Site is there; a program sends Authorization: Bearer instead")
    if origin not in (None, asked.origin) or site not in (None, "same-origin"):
        raise Refused(403, f"another page asks for this; only {asked.origin} may (https under [serve] says which)")
