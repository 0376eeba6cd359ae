"""Reaching the server: where a "timeout" happens, and what a silent server still does."""

from typing import Annotated

from pydantic import Field

from tools.connection.connection import Connection
from tools.connection.node import PATIENCE, Node
from tools.connection.protocol import MalformedReply, ServerError
from tools.connection.shapes import checked
from tools.errors import Unanswered
from tools.records import Values
from tools.toolbox import reads

Timeout = Annotated[float, Field(gt=0, le=10)]
SILENT_FOR = 6.5
"""Seconds of silence before anything is named: a script is silent for busy-reply-threshold (5 s by default)."""


@reads
async def connect(node: Node, timeout: Timeout = PATIENCE) -> Values:
    """A new connection, timed by stage: dns, tcp, tls, auth, PING.

    Milliseconds in dns_ms, tcp_ms, tls_ms, auth_ms, first_ping_ms. `stage` is where it is or failed. Of a failed
    connect, `icmp` is the network's own error (prohibited, port-, host-, net-unreachable) and `icmp_from` who sent it;
    a closed port is refused without one. `refused_addresses` are those of a name's addresses that refused, although
    another may have accepted. Over TLS `certificate_expires_in_seconds` is what remains of the server's certificate, of
    `certificate_lifetime_seconds` in total, and `certificate_refused` why it isn't trusted.
    """
    held = node.held
    connection, values = await node.dial(timeout)
    node.budget.spend(commands=1)
    began = node.clock.monotonic()
    try:
        (reply,) = await connection.exchange([("PING",)], timeout)
        node.own.calls["ping"] += not isinstance(reply, ServerError)
        values["stage"] = "ping"
        values["auth"] = node.auth
        node.value(checked(("PING",), reply))
    except Unanswered as error:
        raise Unanswered(error.kind, error.detail, values) from None
    finally:
        if held:
            connection.close()
    values["first_ping_ms"] = round((node.clock.monotonic() - began) * 1000, 3)
    return values


@reads
async def ping(node: Node, timeout: Timeout = PATIENCE) -> Values:
    """PING over the held connection."""
    began = node.clock.monotonic()
    reply = await node.one("PING", timeout=timeout)
    return {"reply": str(reply), "ms": round((node.clock.monotonic() - began) * 1000, 3)}


@reads
async def silence(node: Node, seconds: Annotated[float, Field(ge=1, le=12)] = SILENT_FOR) -> Values:
    """What a server that doesn't answer still does.

    An unknown command that is answered while PING hangs means CLIENT PAUSE ALL; -BUSY after 5 s means a script; neither
    for over 6 s means a process that doesn't run. Ends as soon as it's clear.
    """
    connection = node.new_connection()
    values: Values = {"tcp_accepts": False, "ping_answered": False, "unknown_command_answered": False}
    began = node.clock.monotonic()
    try:
        await connection.open(min(seconds, PATIENCE))
        values["tcp_accepts"] = True
        node.own.connections += 1
        node.budget.spend(commands=2)
        await _listen(node, connection, values, seconds)
    except Unanswered as error:
        raise Unanswered(error.kind, error.detail, {**values, "waited_seconds": _since(node, began)}) from None
    finally:
        node.budget.spend(transferred=connection.take_bytes())
        connection.close()
    values["waited_seconds"] = _since(node, began)
    return values


async def _listen(node: Node, connection: Connection, values: Values, seconds: float) -> None:
    # In this order on one connection: a paused server answers the first and keeps the second.
    (first,) = await connection.exchange([("REDIAGNOSE.UNKNOWN",)], seconds)
    error = first if isinstance(first, ServerError) else ServerError(str(first))
    node.own.errors[error.text.split(" ", 1)[0]] += 1
    values["unknown_command_answered"] = True
    values["unknown_command_reply"] = node.pseudonyms.error(error.text)
    auth = await node.auth_commands()
    try:
        second = (await connection.exchange([*auth, ("PING",)], PATIENCE))[-1]
    except Unanswered as unanswered:
        if unanswered.kind != "timeout":
            raise
        return
    second = checked(("PING",), second)
    values["ping_answered"] = not isinstance(second, MalformedReply)
    node.value(second)


def _since(node: Node, began: float) -> float:
    return round(node.clock.monotonic() - began, 3)
