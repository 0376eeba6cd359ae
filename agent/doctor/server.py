"""Whether the server admits this user, what it refuses them, and whether its machine can be seen."""

import contextlib
from collections.abc import AsyncIterator, Iterator

from agent.doctor.check import Check, State
from tools.clock import Clock
from tools.connection.allowed import Allowed
from tools.connection.budget import Budget
from tools.connection.managed import SYSTEM
from tools.connection.node import Node
from tools.connection.target import Target
from tools.errors import ToolError, Unanswered
from tools.host.facts import HostFacts
from tools.host.local import Host
from tools.kubernetes.place import only_inside
from tools.records import Kind
from tools.redact import Pseudonyms
from tools.server.access_check import Check as Rights
from tools.server.access_check import tried
from tools.server.deployment import Deployment
from tools.server.facts import own_facts
from tools.server.other_ports import answering, may_be_tried
from tools.server.topology import topology
from tools.server.users import About, about
from tools.text import one_line

SHORT, ROWS = 6, 6
"""The most causes named on one line, and refused commands that get a line each."""
REMEDIES: dict[Kind, str] = {
    "dns": "the name can't be resolved here; check it, or give an address",
    "refused": "nothing listens there; check host and port",
    "timeout": "nothing answers there; check host, port and firewalls, and whether the server hangs",
    "reset": "the connection is closed at once; does it expect TLS? (rediss://)",
    "tls": "the certificate isn't accepted; see --cacert, --cert and --key, and check whether it speaks TLS at all",
    "noauth": "give user:password in the URL, --password-file or REDISCLI_AUTH",
    "wrongpass": "check the user and the password; below you see where they come from",
    "denied": "this user may not even ask which server this is; see rediagnose acl",
    "maxclients": "it is full and turns clients away; a triage keeps trying for a slot until its deadline",
    "protected": "protected mode only admits clients on the same machine; run this "
    "there, or set a password on the server",
    "loading": "it is loading its data set; a triage shows how far it is",
    "busy": "a script is blocking it; a triage shows which one",
}
"""The remedy, by how the server refused us."""
AT_A_WRONG_PORT: frozenset[Kind | None] = frozenset(("refused", "timeout", "reset"))
"""How a port refuses us when no such server listens on it."""


@contextlib.asynccontextmanager
async def deployment_of(target: Target, clock: Clock) -> AsyncIterator[Deployment]:
    """The deployment of a target, until the end of the block."""
    found = Deployment(target, clock, Budget(), Pseudonyms())
    try:
        yield found
    finally:
        found.close()


async def checked_server(deployment: Deployment) -> tuple[Check, Check | None]:
    """Whether the server admits this user, and if so what it refuses them."""
    target = deployment.target
    try:
        if target.watched:
            await topology(deployment)
        connection, stages = await deployment.entry.dial()
        if not deployment.entry.is_held(connection):
            connection.close()
        node = deployment.entry
        server = await about(node)
    except ToolError as error:
        kind = error.kind if isinstance(error, Unanswered) else None
        inside = only_inside(target.host, target.port) if kind == "dns" else ""
        remedy = f"; {inside or REMEDIES[kind]}" if kind in REMEDIES else ""
        detail = one_line(error.detail if isinstance(error, Unanswered) else str(error), 300)
        line = f"{target.url} can't be used ({kind or 'no answer'}): {detail}{remedy}"
        if kind in AT_A_WRONG_PORT and may_be_tried(target):
            line += await _elsewhere(deployment)
        return Check(name="server", state="failed", line=line, facts={"url": target.url, "kind": kind}), None
    if not target.watched:
        # If a deployment's other nodes can't be asked, the node itself is still known.
        with contextlib.suppress(ToolError):
            await topology(deployment)
    version = one_line(f"{server.product} {server.version or 'of unknown version'}", 100)
    kind_of = "a sentinel" if server.sentinel else deployment.kind or "standalone"
    others = len(deployment.nodes) - 1
    more = f" and {others} more node{'' if others == 1 else 's'}" if others else ""
    took = stages.get("tcp_ms")
    shown = f" (connected in {took:.1f} ms)" if isinstance(took, int | float) else ""
    line = f"{node.name} is {version}, {kind_of}{more}{shown}"
    if target.tls and target.tls.insecure:
        line += "; its certificate isn't verified (--insecure)"
    facts = {"url": target.url, "node": node.name, "version": version, "topology": kind_of, "login": node.auth}
    return Check(name="server", state="ok", line=line, facts=facts), await _rights(node, server)


async def _elsewhere(deployment: Deployment) -> str:
    """What answers on other ports of the same host, as the end of a line; empty if nothing does."""
    found = await answering(deployment.target, deployment.budget)
    servers = [at if answer == "redis" else f"{at} (with TLS)" for at, answer in found.items()]
    return f"; Redis answers at {' and '.join(servers)}: was that one meant?" if servers else ""


async def _rights(node: Node, server: About) -> Check:
    if not server.has_acls:
        return Check(
            name="rights",
            state="ok",
            line="this server has no users: every client that can connect can read everything",
        )
    try:
        found = await tried(node, server, keys=not server.sentinel)
    except ToolError as error:
        return Check(name="rights", state="warning", line=f"this user's permissions couldn't be checked: {error}")
    hidden = tuple(sorted({cause for row in found.denied for cause in row.causes}))
    whom = f"user {one_line(found.user, 60)}" if found.user else "this user (ACL WHOAMI is denied)"
    of = found.answered + len(found.denied)
    line = f"{whom} may send {found.answered} of {of} reading commands"
    facts = {"user": found.user, "denied": tuple(_name(row) for row in found.denied), "hides": hidden}
    if not found.denied:
        return Check(name="rights", state="ok", line=line, facts=facts)
    line += (
        f"; the others hide {len(hidden)} cause{'' if len(hidden) == 1 else 's'}"
        if hidden
        else ", which hides no cause"
    )
    state: State = "warning" if hidden else "ok"
    return Check(name="rights", state=state, line=line, details=tuple(_denied(found, node.target)), facts=facts)


def _denied(found: Rights, target: Target) -> Iterator[str]:
    rows = sorted((row for row in found.denied if row.causes), key=lambda row: -len(row.causes))
    for row in rows[:ROWS]:
        more = f" and {len(row.causes) - SHORT} more" if row.causes[SHORT:] else ""
        yield f"{_name(row)} is denied: hides {', '.join(row.causes[:SHORT])}{more}"
    if rows[ROWS:]:
        yield f"{', '.join(map(_name, rows[ROWS:]))} are also denied: rediagnose acl --check shows what each hides"
    if harmless := len(found.denied) - len(rows):
        yield (
            f"{harmless} more {'is' if harmless == 1 else 'are'} denied, but "
            f"hide{'s' if harmless == 1 else ''} no cause"
        )
    yield f"rediagnose acl {target.url} prints a user that may read everything; each refusal is now in ACL LOG"


def _name(row: Allowed) -> str:
    return " ".join(row.words).upper()


async def checked_machine(deployment: Deployment, facts: HostFacts | None) -> Check:
    """Whether the server's machine can be seen."""
    node = deployment.entry
    host = Host(node.target, deployment.clock, facts=facts, answers=lambda: node.held)
    try:
        with contextlib.suppress(ToolError):
            said = await own_facts(node)
            pid = said.get("process_id")
            host.confirm(pid if isinstance(pid, int) else None, said.get(SYSTEM))
        place = await host.local_place()
    except Unanswered as error:
        remedy = "give --ssh HOST, --pod NS/NAME or --host-facts FILE to see CPU, memory, disk and log there"
        line = f"the server's machine can't be seen from here: {one_line(error.detail, 200)}; {remedy}"
        return Check(name="machine", state="warning", line=line, facts={"kind": error.kind})
    return Check(name="machine", state="ok", line=one_line(place.detail, 200), facts={"locality": place.locality})
