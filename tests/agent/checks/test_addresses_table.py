"""Where a server listens and where it is looked for, and what a deployment announces: each condition's two sides."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.checks.addresses import announced, bound_elsewhere, quoted_addresses
from agent.checks.types import Check
from tests.agent.checks.rows import NODE, Expected, Given, Row, found, table
from tools.records import Values

BOUND, ANNOUNCED, DOWN = "bound-elsewhere", "announced-address-unreachable", "process-down"
GONE: Values = {"listening": False}
UP: Given = {"topology": {"n1.node": "a:1", "n1.seen": "self", "n2.node": NODE, "n2.seen": "up"}}
CALLED_DOWN: Given = {"topology": {"n1.node": "a:1", "n2.node": NODE, "n2.seen": "down"}}
HEARD = {"peers": {"a:1": {"cluster": {"cluster_state": "ok", "heard1": "b:1", "heard2": NODE}}}}
UNHEARD = {"peers": {"a:1": {"cluster": {"cluster_state": "ok", "heard1": "b:1"}}}}


def refused(process: Values | None = None, **connect: Any) -> dict[str, Any]:
    values: Values = {"stage": "tcp", "tcp_error": "ECONNREFUSED", "address": "127.0.0.1", **connect}
    return {"connect": ("refused", values), **({"process": process} if process else {})}


def listens(*addresses: str, **connect: Any) -> Given:
    return {"process": {"listening": True, "listens_at": " ".join(addresses)}, "connect": {"stage": "ping", **connect}}


def says(symptom: str) -> dict[str, Any]:
    return {"symptom": symptom}


ROWS: list[Row] = [
    ("at another address of this machine", bound_elsewhere,
     refused({"listening": False, "listens_elsewhere": "127.0.0.2"}), {BOUND: "sure", DOWN: "not"}),
    ("nowhere", bound_elsewhere, refused(GONE), {}),
    ("loopback only, and ::1 is refused", bound_elsewhere, listens("127.0.0.1"), {BOUND: "likely"},
     says("connect ECONNREFUSED ::1:6379")),
    ("::1 is refused, and it listens at all of IPv4", bound_elsewhere, listens("0.0.0.0"), {BOUND: "likely"},
     says("connect ECONNREFUSED [::1]:6379")),
    ("it listens at all addresses", bound_elsewhere, listens("0.0.0.0", "::"), {BOUND: "not"},
     says("connect ECONNREFUSED ::1:6379")),
    ("nothing was refused", bound_elsewhere, listens("127.0.0.1"), {}, says("::1 is slow")),
    ("no refusal", bound_elsewhere, listens("127.0.0.1"), {}, says("never refused, but slow from the other host")),
    ("refused from another host, and loopback only", bound_elsewhere, listens("127.0.0.1", "::1"), {BOUND: "likely"},
     says("connection refused from another host")),
    ("refused, nobody says where", bound_elsewhere, listens("127.0.0.1"), {}, says("connection refused now and then")),
    ("an address that may be the client's", bound_elsewhere, listens("10.0.0.5"), {BOUND: "maybe"},
     says("10.0.0.7 gets connection refused")),
    ("a name with two addresses", bound_elsewhere, listens("127.0.0.1", refused_addresses="::1"), {BOUND: "likely"},
     says("connection refused on localhost")),
    ("announced, and its link is up", announced, {**refused(GONE), **UP}, {ANNOUNCED: "sure", DOWN: "not"}),
    ("announced, and its bus is heard", announced, {**refused(GONE), **UP}, {ANNOUNCED: "sure", DOWN: "not"}, HEARD),
    ("its bus isn't heard", announced, {**refused(GONE), **UP}, {}, UNHEARD),
    ("it's called down", announced, {**refused(GONE), **CALLED_DOWN}, {}),
    ("from another machine", announced, {**refused(), **UP}, {ANNOUNCED: "hint"}),
    ("from another machine, behind a redirect", announced, {**refused(), **UP}, {ANNOUNCED: "likely"},
     says("works until the first MOVED")),
    ("never answered, behind a redirect", announced, {"connect": ("timeout", {"stage": "tcp"}), **UP},
     {ANNOUNCED: "likely"}, says("works until the first MOVED")),
    ("it accepts and is mute", announced, {"connect": ("timeout", {"stage": "open"}), **UP}, {}),
    ("it answers", announced, {"connect": {"stage": "ping"}, **UP}, {}),
]  # fmt: skip


@table(ROWS)
def test_what_is_found(check: Check, given: Given, expected: Expected, more: Mapping[str, Any]) -> None:
    assert found(check, given, **more) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ECONNREFUSED ::1:6379", ("::1",)),
        ("[::1]:6379 and 10.0.0.5:6379 refuse", ("::1", "10.0.0.5")),
        ("version 7.0.15.999 and 300.1.1.1", ()),
        ("at 12:30 it was refused", ()),
        ("redis://192.168.1.9:6379/0", ("192.168.1.9",)),
    ],
)
def test_the_addresses_that_a_report_names(text: str, expected: tuple[str, ...]) -> None:
    assert quoted_addresses(text) == expected
