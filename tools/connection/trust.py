"""Where a neighbour (a node named by another one) may be dialled, and where the credentials may go.

A server can name any address as its replica's, its cluster's or its primary's. What the person named is trusted: the
hosts of the URL, and the networks of `--trust`. Everything is judged by the address that is dialled, never by a name.
"""

import ipaddress
from collections.abc import Iterable, Sequence

from tools.records import Record

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SEGMENT = {4: 24, 6: 64}
"""Bits of a network address, by version: private addresses that share them are in one segment."""
_INNER = tuple(
    ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)  # fmt: skip
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_BARRED: tuple[tuple[str, tuple[Network, ...]], ...] = tuple(
    (what, tuple(ipaddress.ip_network(text) for text in texts))
    for what, texts in (
        ("link-local, where clouds keep their metadata", ("169.254.0.0/16", "fe80::/10", "fec0::/10")),
        ("a cloud's metadata", ("100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24", "fd00:ec2::/32",
                                "fd20:ce::/64")),
        ("multicast", ("224.0.0.0/4", "ff00::/8")),
        ("no host's", ("0.0.0.0/8", "240.0.0.0/4", "::/128", "100::/64", "64:ff9b:1::/48")),
    )
)  # fmt: skip
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class Trusted(Record):
    """What a neighbour's address is compared with."""

    given: frozenset[Address]
    """Addresses of the URL's own hosts, as named there: what shares a private segment with one is trusted."""
    own: frozenset[Address]
    """The same, plus all of this machine's if one of them is."""
    networks: tuple[Network, ...] = ()
    """Networks that the person named."""
    credentials: bool = False
    """Whether there are credentials to give away."""
    verified: bool = False
    """Whether the peer's certificate is verified against an authority that the person named."""


def parse_network(text: str) -> Network:
    """A network in CIDR form, or one address. Raises `ValueError`."""
    return ipaddress.ip_network(text.strip(), strict=False)


def plain(text: str) -> Address:
    """An address without its scope; an IPv4 address that is mapped into IPv6 as IPv4. Raises `ValueError`."""
    found = ipaddress.ip_address(text.partition("%")[0])
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _translated(there: Address) -> Address:
    """The IPv4 address to which a gateway would translate an IPv6 one, or the address itself."""
    if isinstance(there, ipaddress.IPv6Address):
        if there.sixtofour or there.teredo:
            return there.sixtofour or (there.teredo or (there, there))[1]
        if there in _NAT64 or (there in _COMPATIBLE and int(there) > 0xFFFF):
            return ipaddress.IPv4Address(int(there) & 0xFFFFFFFF)
    return there


def own_addresses(given: Iterable[Address]) -> frozenset[Address]:
    """The addresses of hosts that have these; for this machine, all of its own."""
    import psutil

    given = frozenset(given)
    here = {plain(one.address) for of_one in psutil.net_if_addrs().values() for one in of_one if _is_address(one)}
    local = any(one.is_loopback or one.is_unspecified or one in here for one in given)
    return given | here if local else given


def _is_address(one: object) -> bool:
    try:
        plain(getattr(one, "address", ""))
    except ValueError:
        return False
    return True


def refusal(address: str, trusted: Trusted) -> str | None:
    """Why a neighbour's address isn't dialled, and the option that allows it; None if it may be.

    It's then dialled with the credentials, if there are any.
    """
    there = plain(address)
    loopback = there.is_loopback and any(one.is_loopback for one in trusted.own)
    if loopback or there in trusted.own:
        return None
    behind = _translated(there)
    for what, networks in _BARRED:
        if any(one in network for one in (there, behind) for network in networks):
            return f"{there} is {what}: a node named by the server is never contacted there"
    if behind.is_loopback and behind != there:
        return f"{there} stands for a loopback address: a node named by the server is never contacted there"
    if any(there in network for network in trusted.networks):
        return None
    allows = f"--trust {there} (or a network, such as {_segment(there)}) allows it"
    if there.is_loopback:
        return f"{there} is this machine's own, but the URL's host is a different machine; {allows}"
    if trusted.verified or any(_same_segment(there, one) for one in trusted.given):
        return None
    if trusted.credentials:
        return f"{there} is outside the URL's own network, so the password isn't sent there; {allows}"
    if _is_inner(there) and not any(_is_inner(one) or one.is_loopback for one in trusted.given):
        return f"{there} is a private address, but the URL's host has a public one; {allows}"
    return None


def _is_inner(one: Address) -> bool:
    return any(one in network for network in (*_INNER, _SHARED))


def _segment(one: Address) -> Network:
    return ipaddress.ip_network(f"{one}/{SEGMENT[one.version]}", strict=False)


def _same_segment(one: Address, other: Address) -> bool:
    inner = any(one in network for network in _INNER)
    return inner and one.version == other.version and other in _segment(one)


def allowed(addresses: Sequence[str], trusted: Trusted) -> tuple[list[str], str]:
    """The addresses of a name that may be dialled, and why the first of the others may not."""
    judged = [(one, refusal(one, trusted)) for one in addresses]
    return [one for one, why in judged if why is None], next((why for _, why in judged if why), "it has no address")
