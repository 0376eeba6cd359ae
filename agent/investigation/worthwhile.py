"""What a first look makes worth more commands: readings that most servers don't need."""

import re

from agent.checks.backlog import work_is_reported
from agent.checks.balancer import READONLY_WORDS
from agent.checks.growth import POPS, PUSHES, called
from agent.checks.holders import worth_weighing
from agent.checks.unread_lists import may_be_unread
from agent.evidence.report_words import mention
from agent.evidence.view import View
from tools.records import Reading

LARGE_RATE, LARGE = 1e6, 2**20
"""Least bytes per second leaving a server, and bytes waiting for a client, at which individual sizes matter."""
MANY_PUSHES, MOST_POPPED = 10.0, 0.9
"""Pushes per second at which lists are examined, and the pops per push that keep up with them."""
LISTS = 24
"""Commands for finding a list that nobody reads."""
FURTHER = 12
"""SCANs more for a queue or a stream that wasn't found among the first few thousand keys."""


def port_may_be_wrong(connected: Reading) -> bool:
    """Whether a connect failed as it does on a port without such a server."""
    if connected.get("speaks_resp") is False:
        return connected.get("unavailable") != "tls"
    lost, error = connected.get("unavailable"), connected.get("tcp_error")
    closed = lost == "refused" and error == "ECONNREFUSED" and not connected.get("icmp")
    return closed or (lost == "timeout" and connected.get("stage") == "tcp")


def streams_to_find(view: View) -> tuple[int, ...]:
    """How many SCANs more finding a stream is worth, if consumer groups are read from at all."""
    if not any(field.startswith("xreadgroup.") for field in view.fields("commandstats")):
        return ()
    return (FURTHER if work_is_reported(view) else 0,)


def lists_fill_up(view: View) -> bool:
    """Whether far more is pushed to lists than popped: then finding the one that grows is worth some commands."""
    pushed, popped = called(view, PUSHES) or 0, called(view, POPS) or 0
    # A list that is trimmed after each push keeps its last elements and doesn't grow.
    cut = called(view, ("ltrim",)) or 0
    return pushed >= MANY_PUSHES and popped + cut < MOST_POPPED * pushed


def lists_to_ask(view: View) -> tuple[int, ...]:
    """How many commands finding a list is worth: one that fills up slowly stands out among the others by its length."""
    return (7,) if lists_fill_up(view) else (LISTS,) if may_be_unread(view) else ()


def size_matters(view: View) -> bool:
    """Whether to read the largest replies and requests: the server lists them, and something is large."""
    version = re.match(r"(\d+)\.(\d+)", view.text("info", "valkey_version"))
    listed = version is not None and (int(version[1]), int(version[2])) >= (8, 1)
    waiting = max(view.number("clients", field) or 0 for field in ("omem_max", "qbuf_max"))
    return listed and ((view.number("info", "total_net_output_bytes.rate") or 0) >= LARGE_RATE or waiting >= LARGE)


def memory_matters(view: View) -> bool:
    """Whether the keys that hold the memory are worth some commands; a list that fills up is already known."""
    return worth_weighing(view) and not lists_fill_up(view)


def connections_to_compare(view: View, mode: str, named: bool) -> tuple[int, ...]:
    """How many more connections to compare, if something suggests that the address belongs to several servers."""
    told = mention(READONLY_WORDS, view.symptom)
    refused = (view.number("info", "errorstat_READONLY.count") or 0) > 0
    # Another program listening at the address forwards connections; if there are replicas, perhaps to them.
    passed_on = view.get("process", "locality") == "foreign-listener" and (
        view.text("replication", "role") == "slave" or (view.number("replication", "connected_slaves") or 0) > 0
    )
    if mode not in ("", "standalone") or not (told or refused or passed_on) or not named:
        return ()
    return (3 if told or passed_on else 2,)
