"""Output that waits at two looks, as CLIENT LIST of Valkey 9.1 showed it while a reply of 11 MiB was on its way."""

from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.redact import Pseudonyms
from tools.server.client_list import parse_clients
from tools.server.second_look import lasting, stalled

LINE = "id=12 addr=127.0.0.1:50000 name=report-export age=9 idle={idle} flags=N db=0 sub=0 psub=0 multi=-1 qbuf=0 " \
       "argv-mem=0 obl=36 oll=0 omem={omem} tot-mem=11600000 events={events} cmd=get user=default tot-net-in=90 " \
       "tot-net-out={sent} tot-cmds=2\n"  # fmt: skip


def look(sent: int, omem: int = 11_534_349, events: str = "rw", idle: int = 0) -> str:
    return LINE.format(sent=sent, omem=omem, events=events, idle=idle)


def test_a_value_that_is_sent_from_where_it_lies_waits_although_no_reply_is_listed() -> None:
    node = Node(parse_target("redis://127.0.0.1:1", environ={}), SystemClock(), Budget(), Pseudonyms())
    (before,), (same,), (more,) = (parse_clients(look(sent)) for sent in (19_719_729, 19_719_729, 21_225_838))
    assert stalled(node, [before], {12: same})["stalled"] == 1
    assert stalled(node, [before], {12: more}) == {"stalled": 0}
    assert (lasting(before, {12: same}).omem, lasting(before, {12: more}).omem) == (11_534_349, 0)
    # Made in the round that listed it: nothing was tried to be sent yet.
    (fresh,) = parse_clients(look(11_534_354, events="r"))
    assert stalled(node, [fresh], {12: fresh})["stalled"] == 1
