"""Addresses: where a server listens versus where it's looked for, and what a deployment tells its clients to dial."""

import ipaddress
import re

from agent.checks.endpoints import nameless_endpoints
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.words import REFUSED
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

FROM_ELSEWHERE = deferred(
    r"\b(another|other|different|second|remote|new) (host|machine|server|box|node|pod|container|vm)s?\b|"
    r"\bfrom (the )?(outside|app\w*|other|pods?|containers?|remote|kubernetes|docker|my laptop)\b|\bremotely\b",
    re.IGNORECASE,
)
"""Words for a place that isn't the server's own machine."""
REDIRECTED = deferred(
    r"\bmoved\b|\bredirect\w*|\bannounce\w*|\bdiscover\w*|\btopology\b|\bslots?\b|\bfirst (request|command)\b|"
    r"\bonly (some|a part|one) of\b|\bsome (keys|commands|requests)\b|\bfailover\b",
    re.IGNORECASE,
)
"""Words of clients that follow addresses a deployment announces."""
_QUOTED = deferred(
    r"(?<![\w.:])(?:\[(?P<v6>[0-9a-fA-F:]{2,39})\](?::\d{1,5})?|(?P<v4>\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?|"
    r"(?P<bare>::1)(?::\d{1,5})?)(?![\w.])"
)
_ANY = {4: "0.0.0.0", 6: "::"}


def quoted_addresses(text: str) -> tuple[str, ...]:
    """The IP addresses in a report, as written there."""
    found = []
    for match in _QUOTED.finditer(text):
        word = match["v6"] or match["v4"] or match["bare"]
        try:
            found.append(str(ipaddress.ip_address(word)))
        except ValueError:
            continue
    return tuple(dict.fromkeys(found))


def _listens(view: View) -> tuple[str, ...]:
    """The addresses where it listens; empty for a Unix socket, or if unknown."""
    return tuple(one for one in view.text("process", "listens_at").split() if re.fullmatch(r"[0-9a-fA-F:.]+", one))


def _is_covered(address: str, listens: tuple[str, ...]) -> bool:
    return address in listens or _ANY[ipaddress.ip_address(address).version] in listens


def is_loopback(address: str) -> bool:
    """Whether only its own machine can reach this address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_local_only(view: View) -> bool:
    """Whether it's known to listen only on loopback."""
    listens = _listens(view)
    return bool(listens) and all(map(is_loopback, listens))


def asked_address(view: View) -> str:
    """The address at which it's looked for but doesn't listen; empty if none is known."""
    if view.unavailable("connect") == "refused":
        return view.text("connect", "address")
    listens = _listens(view)
    missing = [one for one in quoted_addresses(view.symptom) if listens and not _is_covered(one, listens)]
    return next(iter(missing), view.text("connect", "refused_addresses").partition(" ")[0])


def bound_elsewhere(view: View, limits: Limits) -> Found:
    """The server runs and listens, but not at the address that was asked."""
    elsewhere, listens = view.text("process", "listens_elsewhere"), _listens(view)
    refused = view.unavailable("connect") == "refused"
    cited: tuple[Cited, ...] = (
        ("connect", "unavailable"), ("connect", "tcp_error"), ("connect", "address"), ("connect", "refused_addresses"),
        ("process", "listening"), ("process", "listens_elsewhere"), ("process", "listens_at"),
    )  # fmt: skip
    if refused and view.get("process", "listening") is False and elsewhere and not is_called_up(view):
        asked = view.text("connect", "address")
        why = f"Nothing listens at {asked or 'this address'}; a server on the same port listens only at {elsewhere}."
        yield view.cause("bound-elsewhere", 0.9, why, *cited)
        yield view.not_(
            "process-down", "A server runs there, at a different address.", ("process", "listens_elsewhere")
        )
        return
    if refused or not listens or view.is_sentinel or not mention(REFUSED, view.symptom):
        return
    at, asked, cited = " and ".join(listens), asked_address(view), (*cited, ("symptom", "text"))
    local_only = is_local_only(view)
    if asked and (local_only or is_loopback(asked)):
        name = "" if asked not in view.text("connect", "refused_addresses") else " (the name stands for both)"
        why = f"The server listens only at {at}; nothing listens at {asked}{name}, so connections there are refused."
        yield view.cause("bound-elsewhere", 0.88, why, *cited)
    elif asked:
        why = f"The server listens at {at}, but the report names {asked}: connections to that address are refused."
        yield view.cause("bound-elsewhere", 0.55, why, *cited)
    elif local_only and mention(FROM_ELSEWHERE, view.symptom):
        why = f"The server listens only at {at}, which no other machine or container can reach: they are refused."
        yield view.cause("bound-elsewhere", 0.85, why, *cited)
    elif not local_only:
        because = f"The server listens at {at}, which covers every address that was named."
        yield view.not_("bound-elsewhere", because, ("process", "listens_at"))


def is_called_up(view: View) -> bool:
    """Whether the deployment names this address for a node that it saw up then or since, by its bus or its link."""
    return view.in_topology.get("seen") == "up" or _is_heard(view)


def _is_heard(view: View) -> bool:
    """Whether a node of the cluster heard from this one after the connect to it had failed."""
    others = view.peers_with("cluster")
    return any(peer.text("cluster", f"heard{number}") == view.node for peer in others for number in range(1, 25))


def is_announced_wrongly(view: View) -> bool:
    """Whether nothing listens where clients are sent although that node is alive."""
    if not is_called_up(view) or view.is_sentinel or view.unavailable("connect") != "refused":
        return False
    # A cluster takes a while to mark a node as down; a replica's link ends with its process.
    lives = _is_heard(view) if any(peer.fields("cluster") for peer in view.peers_with("cluster")) else True
    return lives and view.get("process", "listening") is False


def announced(view: View, limits: Limits) -> Found:
    """The deployment gives its clients an address where nothing answers, although that node is alive."""
    lost = view.unavailable("connect")
    if not is_called_up(view) or view.is_sentinel or lost not in ("refused", "timeout"):
        return
    if lost == "timeout" and view.get("connect", "stage") != "tcp":
        return
    nothing = view.get("process", "listening") is False
    clustered = any(peer.fields("cluster") for peer in view.peers_with("cluster"))
    lives = _is_heard(view) if clustered else True
    at = view.place or "n1"
    cited: list[Cited] = [
        ("topology", f"{at}.node"), ("topology", f"{at}.seen"), ("connect", "unavailable"), ("connect", "tcp_error"),
        ("connect", "stage"), ("process", "listening"),
    ]  # fmt: skip
    link = "the cluster bus hears from it" if clustered else "its replication link is up"
    how = "refused" if lost == "refused" else "never answered"
    why = f"Clients are sent to {view.node}, where a connection is {how}, yet {link}: that address is wrong"
    why += "." if nothing else ", or it just can't be reached from here."
    if is_announced_wrongly(view):
        yield view.cause("announced-address-unreachable", 0.95, why, *cited)
        yield view.not_("process-down", f"Its process is alive: {link}.", *cited[:2])
    elif lives and not nothing:
        told = mention(REDIRECTED, view.symptom) is not None or (view.node or "-") in view.symptom
        cited += [("symptom", "text")] if told else []
        yield view.cause("announced-address-unreachable", 0.75 if told else 0.45, why, *cited)


def _asked_addresses(view: View) -> tuple[str, ...]:
    return (asked,) if (asked := asked_address(view)) else ("the address at which connections are refused",)


def _listening_address(view: View) -> tuple[str, ...]:
    return (at,) if (at := view.text("process", "listens_elsewhere") or " and ".join(_listens(view))) else ()


def _listening_node(view: View) -> tuple[str, ...]:
    """The address that listens, with this node's port."""
    port = (view.node or "").rpartition(":")[2]
    hosts = [at for at in _listening_address(view) if " " not in at]
    return tuple(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in hosts if port.isdecimal())


def _announced(view: View) -> tuple[str, ...]:
    """The settings of the node itself that make it announce another address."""
    if view.node is None or not is_called_up(view):
        return ()
    if any(peer.fields("cluster") for peer in view.peers_with("cluster")):
        return ("cluster-announce-ip, cluster-announce-port (with TLS cluster-announce-tls-port)",)
    return ("replica-announce-ip and replica-announce-port",)


FAMILY = Family(
    checks=(bound_elsewhere, announced, nameless_endpoints),
    needs={"bound-elsewhere": ("process",), "announced-address-unreachable": ()},
    consequences={"announced-address-unreachable": {"replica-link-down": 0.5, "non-cluster-client": 0.5}},
    placeholders=(
        Placeholder(name="asked_address", example="::1", values=_asked_addresses),
        Placeholder(name="listening_address", example="127.0.0.1", values=_listening_address),
        Placeholder(name="listening_node", example="127.0.0.1",
                    values=_listening_node),
        Placeholder(name="announcing", example="cluster-announce-ip, cluster-announce-port", values=_announced),
        Placeholder(name="announced_node", example="10.0.0.7:6379",
                    values=lambda view: (view.node,) if view.node else ()),
    ),
)  # fmt: skip
