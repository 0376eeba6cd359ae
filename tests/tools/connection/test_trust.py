"""Where a neighbour may be dialled, by the address that its name stands for."""

import asyncio
import ipaddress
import socket

import pytest

from tools.connection.connection import Progress
from tools.connection.live import LiveConnection
from tools.connection.target import Target, Tls, parse_target
from tools.connection.trust import Trusted, allowed, own_addresses, parse_network, plain, refusal
from tools.errors import Unanswered


def trusted(*own: str, trust: str = "", credentials: bool = True, verified: bool = False) -> Trusted:
    networks = tuple(parse_network(one) for one in trust.split())
    # Of another machine than this one: those of this one would be added.
    given = frozenset(plain(one) for one in own)
    return Trusted(
        given=given, own=given, networks=networks, credentials=credentials, verified=verified
    )  # fmt: skip


NEVER = (
    "169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200", "168.63.129.16",
    "192.0.0.192", "224.0.0.1", "239.1.2.3", "ff02::1", "0.0.0.0", "0.1.2.3", "::", "255.255.255.255", "240.0.0.1",
    "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "2002:a9fe:a9fe::1",
    "2002:7f00:1::1", "64:ff9b:1::1", "fd20:ce::254",
)  # fmt: skip


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("own", ["10.0.1.5", "127.0.0.1", "203.0.113.7", "2001:db8::7"])
@pytest.mark.parametrize("credentials", [True, False])
def test_what_is_never_dialled(address: str, own: str, credentials: bool) -> None:
    assert refusal(address, trusted(own, credentials=credentials, verified=True, trust="0.0.0.0/0 ::/0"))


@pytest.mark.parametrize(
    ("own", "address", "with_password", "without"),
    [
        ("10.0.1.5", "10.0.1.6", True, True),
        ("10.0.1.5", "::ffff:10.0.1.6", True, True),
        ("10.0.1.5", "10.0.2.6", False, True),
        ("10.0.1.5", "192.168.1.6", False, True),
        ("10.0.1.5", "203.0.113.7", False, True),
        ("10.0.1.5", "127.0.0.1", False, False),
        ("10.0.1.5", "127.9.9.9", False, False),
        ("10.0.1.5", "::1", False, False),
        ("10.0.1.5", "::ffff:127.0.0.1", False, False),
        ("127.0.0.1", "127.0.0.2", True, True),
        ("127.0.0.1", "::1", True, True),
        ("127.0.0.1", "10.0.1.6", False, True),
        ("203.0.113.7", "203.0.113.7", True, True),
        # A public segment is shared with strangers.
        ("203.0.113.7", "203.0.113.8", False, True),
        ("203.0.113.7", "10.0.0.1", False, False),
        ("203.0.113.7", "100.64.0.1", False, False),
        ("100.64.0.1", "100.64.0.2", False, True),
        ("fd12:3456:789a:1::5", "fd12:3456:789a:1::6", True, True),
        ("fd12:3456:789a:1::5", "fd12:3456:789a:2::6", False, True),
        ("2001:db8::7", "2001:db8::8", False, True),
    ],
)
def test_what_is_dialled_with_a_password_and_without(
    own: str, address: str, with_password: bool, without: bool
) -> None:
    assert (refusal(address, trusted(own)) is None) == with_password
    assert (refusal(address, trusted(own, credentials=False)) is None) == without
    if not with_password:
        said = refusal(address, trusted(own))
        assert said and f"--trust {plain(address)}" in said
        assert refusal(address, trusted(own, trust=str(plain(address)))) is None


def test_a_verified_certificate_lets_in_but_not_at_this_machines_own() -> None:
    assert refusal("10.9.0.1", trusted("10.0.1.5", verified=True)) is None
    assert refusal("127.0.0.1", trusted("10.0.1.5", verified=True)) is not None


def test_of_several_addresses_only_those_that_may_are_left() -> None:
    assert allowed(["169.254.169.254", "10.0.1.9", "8.8.8.8"], trusted("10.0.1.5"))[0] == ["10.0.1.9"]


def test_this_machine_is_one_host() -> None:
    assert ipaddress.ip_address("127.0.0.1") in own_addresses([plain("127.0.0.5")])
    assert own_addresses([plain("203.0.113.7")]) == {ipaddress.ip_address("203.0.113.7")}


@pytest.mark.parametrize(
    "name", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "0xA9.254.0xA9FE"]
)
async def test_a_number_that_is_another_spelling_is_judged_as_what_it_is(name: str) -> None:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    assert found[0][4][0] == "169.254.169.254"
    said = await refused(parse_target("redis://:pw@127.0.0.1:1", environ={}).neighbour(name, 80))
    assert "metadata" in said


async def refused(target: Target) -> str:
    """Why a dial isn't made."""
    connection = LiveConnection(target)
    with pytest.raises(Unanswered) as caught:
        await connection.open(2)
    assert caught.value.kind == "untrusted" and isinstance(connection.progress, Progress)
    assert connection.progress.stage == "dns" and "tcp_error" not in connection.progress.stages
    return caught.value.detail


@pytest.mark.parametrize("url", ["redis://:pw@198.51.100.1", "redis+sentinel://:pw@198.51.100.1:1,198.51.100.2:2/m"])
async def test_a_remote_url_gives_this_machines_ports_nothing(url: str) -> None:
    target = parse_target(url, environ={})
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        said = await refused(target.neighbour("localhost", server.sockets[0].getsockname()[1]))
    assert "this machine's own" in said


async def test_the_systems_authorities_vouch_for_nobody() -> None:
    target = parse_target("rediss://:pw@198.51.100.1", environ={})
    assert "--trust 198.51.100.9" in await refused(target.neighbour("198.51.100.9", 6379))
    insecure = target.model_copy(update={"tls": Tls(insecure=True)})
    assert "--trust 198.51.100.9" in await refused(insecure.neighbour("198.51.100.9", 6379))
