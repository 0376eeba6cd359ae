"""What the servers reported about themselves: product, version, and how they belong together."""

from collections.abc import Sequence

from agent.answer.diagnosis import TargetInfo, Topology
from agent.evidence.managed import TOOL, service_of
from agent.evidence.view import Readings, View
from tools.records import Reading


def target_info(url: str, readings: Sequence[Reading], names: tuple[str, ...], kind: Topology | None) -> TargetInfo:
    """The named node's version, or that of the first that reported one; `kind` if the topology is known."""
    of_info = Readings(one for one in readings if one.tool in ("info", TOOL))
    runs = next(filter(None, (service_of(of_info.view(name)) for name in names)), None)
    info = TargetInfo(url=url, service=runs.id if runs else None, nodes=names)
    for name in names:
        view = of_info.view(name)
        own = (view.get("info", f"{product}_version") for product in ("valkey", "dragonfly", "redis"))
        version = next((one for one in own if one is not None), None)
        if version is not None:
            form = kind or _topology(view)
            return info.model_copy(update={"server": _product(view), "version": str(version), "topology": form})
    return info.model_copy(update={"topology": kind})


def _product(view: View) -> str:
    """valkey, redis, or whatever else speaks the protocol; KeyDB is recognised by its MVCC."""
    fields = view.fields("info")
    for product, sign in (("valkey", "valkey_version"), ("dragonfly", "dragonfly_version"), ("keydb", "mvcc_depth")):
        if sign in fields:
            return product
    return str(fields.get("server_name") or "redis")


def _topology(view: View) -> Topology:
    mode = view.text("info", "server_mode") or view.text("info", "redis_mode")
    if mode in ("cluster", "sentinel"):
        return "cluster" if mode == "cluster" else "sentinel"
    replicated = view.text("info", "role") == "slave" or (view.number("info", "connected_slaves") or 0) > 0
    return "replication" if replicated else "standalone"
