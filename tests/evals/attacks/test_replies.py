"""Servers that answer with something else, in short: `make attack` tries more."""

import random

import pytest

from evals.attacks._replies import ODD, SERVERS
from evals.attacks.replies import attempts, recorded
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.protocol import MalformedReply, Reply, ServerError
from tools.connection.shapes import SHAPES, checked
from tools.connection.target import parse_target
from tools.redact import Pseudonyms
from tools.server.latency_events import _history


def test_a_few_of_each_kind() -> None:
    tried = [recorded(number, seed) for number, seed in enumerate(range(4 * len(SERVERS)))]
    assert [one for one in tried if not one.held] == []


async def test_one_over_sockets() -> None:
    assert [one async for one in attempts(1, random.Random(5)) if not one.held] == []


def test_what_is_checked_is_a_value_or_an_error() -> None:
    for name in SHAPES:
        for reply in ODD:
            made: Reply = checked(name.split("|"), reply)
            assert made is reply or (
                isinstance(made, ServerError) and made.kind == "malformed" and len(made.text) < 120
            )


@pytest.mark.parametrize("name", ["two\nlines", "", "x" * 256, "\x00"])
def test_a_name_that_no_command_may_carry_is_no_name(name: str) -> None:
    masters = checked(("SENTINEL", "MASTERS"), [["name", name, "ip", "127.0.0.1"]])
    events = checked(("LATENCY", "LATEST"), [[name, 1, 1, 1]])
    assert all(isinstance(made, MalformedReply) for made in (masters, events))
    assert checked(("SENTINEL", "MASTERS"), [["name", "orders é"]]) == [["name", "orders é"]]


def test_rows_with_more_than_is_known_are_read() -> None:
    """Newer servers may say more, so a shape is what a row begins with, and no reader counts its parts."""
    node = Node(parse_target("redis://127.0.0.1:1", environ={}), SystemClock(), Budget(), Pseudonyms())
    assert _history(node, checked(("LATENCY", "HISTORY", "fork"), [[95, 7, 1, 2]]), 100)["max_60s_ms"] == 7


def test_servers_that_broke_it_once() -> None:
    assert recorded(5053, 1668606799).held
