"""Other servers of the host in the URL, if nothing answers on its port."""

from agent.evidence.view import Cited, View

SHOWN_OTHERS = 3
"""The most other servers that are named."""
SENTINEL = "26379"


def other_servers(view: View) -> list[str]:
    """Where other servers of the host can be reached under the same address, as HOST:PORT."""
    if view.in_topology:
        # The deployment itself named this address, so nobody mistyped it.
        return []
    if elsewhere := view.text("other_ports", "servers_at").split():
        return elsewhere
    asked = view.text("connect", "address")
    if not asked or view.get("process", "listening") is not False:
        return []
    found = [one.rpartition(":") for one in view.text("process", "servers_listen_at").split()]
    wild = "[::]" if ":" in asked else "0.0.0.0"
    host = f"[{asked}]" if ":" in asked else asked
    return list(dict.fromkeys(f"{host}:{port}" for at, _, port in found if at in (host, wild)))


def wrong_port(view: View) -> tuple[str, tuple[Cited, ...]]:
    """The sentence on servers that do answer at the host, and what shows them; empty if there are none."""
    if found := other_servers(view):
        at = " and ".join(found[:SHOWN_OTHERS])
        if not view.text("other_ports", "servers_at"):
            why = f" A server on this machine listens at {at}: if you meant that one, the URL has the wrong port."
            return why, (("process", "servers_listen_at"),)
        kind = " (the usual port of a sentinel)" if [one.rpartition(":")[2] for one in found] == [SENTINEL] else ""
        why = f" On that host Redis answers at {at}{kind}: if you meant that one, the URL has the wrong port."
        return why, (("other_ports", "servers_at"),)
    if secured := view.text("other_ports", "tls_at").split():
        at = " and ".join(secured[:SHOWN_OTHERS])
        why = (
            f" On that host something that wants TLS answers at {at}: if you meant that one, the URL is rediss://{at}."
        )
        return why if len(secured) == 1 else f"{why.partition(':')[0]}.", (("other_ports", "tls_at"),)
    return "", ()


def other_server(view: View) -> tuple[str, ...]:
    """The one that was meant, if there is only one: among several, nobody knows which."""
    return (at[0],) if len(at := other_servers(view)) == 1 else ()
