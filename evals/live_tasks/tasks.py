"""The faults that make a task: what whoever repairs them has to be allowed to change."""

from typing import Literal

from evals.lab.catalogue import EVERY
from evals.lab.fault import Fault
from tools.records import Record


class Task(Record):
    """A fault whose symptom goes by a change that can be made through the servers themselves."""

    fault: str
    parameters: tuple[str, ...] = ()
    """Of CONFIG SET, within the bounds of this program's own policy; `sentinel NAME` of SENTINEL SET."""
    everywhere: bool = False
    """Whether they may be set on other servers than the one that has the fault."""
    commands: tuple[str, ...] = ()
    """Others that change something, such as `client|unpause`."""
    evicts: bool = False
    """Whether the server throws keys away by itself, before or after a right change."""
    promotes: bool = False
    """Whether another server may become the primary."""
    closes: tuple[Literal["monitor", "idle"], ...] = ()
    """Which connections may be closed by hand."""
    churns: bool = False
    """Whether connections come and go anyway, so that one that is gone says nothing."""
    seconds: int = 120
    """For the agent, from its start to its end."""
    limit: int = 400
    """Commands that it may send, to all servers together."""

    @property
    def of(self) -> Fault:
        return EVERY[self.fault]


_CLIENTS = ("client|kill",)
_SLOTS = ("cluster|addslots", "cluster|addslotsrange")
_OPEN = ("cluster|setslot", "migrate")
_TASKS = (
    Task(fault="maxclients-exhausted", parameters=("maxclients",), commands=_CLIENTS, closes=("idle",), churns=True,
         limit=800),
    Task(fault="leak-until-refused", parameters=("maxclients", "timeout"), commands=_CLIENTS, closes=("idle",),
         churns=True, limit=800),
    Task(fault="client-paused", commands=("client|unpause",)),
    Task(fault="lua-busy", commands=("script|kill",)),
    Task(fault="lua-busy-fresh", commands=("script|kill",)),
    Task(fault="lua-busy-function", commands=("function|kill", "script|kill")),
    Task(fault="monitor-attached", commands=_CLIENTS, closes=("monitor",)),
    Task(fault="oom-noeviction", parameters=("maxmemory",)),
    Task(fault="oom-noeviction-quiet", parameters=("maxmemory",)),
    Task(fault="oom-noeviction-over", parameters=("maxmemory",)),
    Task(fault="oom-volatile-no-ttl", parameters=("maxmemory-policy",), evicts=True),
    Task(fault="oom-volatile-no-ttl-quiet", parameters=("maxmemory-policy",), evicts=True),
    Task(fault="maxmemory-shrunk", parameters=("maxmemory",), evicts=True),
    Task(fault="big-key-delete", parameters=("lazyfree-lazy-user-del",)),
    Task(fault="big-key-delete-by-expiry", parameters=("lazyfree-lazy-expire",)),
    Task(fault="bgsave-disk-was-full", commands=("bgsave",)),
    Task(fault="oom-noeviction-shard", parameters=("maxmemory",), limit=1500),
    Task(fault="maxclients-exhausted-shard", parameters=("maxclients",), commands=_CLIENTS, closes=("idle",),
         limit=1500),
    Task(fault="cluster-slots-down-unassigned", commands=_SLOTS, limit=1500),
    Task(fault="open-slot", commands=_OPEN, limit=1500),
    Task(fault="sentinel-no-good-replica", parameters=("replica-priority",), everywhere=True, promotes=True,
         limit=1500),
    Task(fault="sentinel-noquorum-too-many", parameters=("sentinel quorum",), everywhere=True,
         commands=("sentinel|set",), promotes=True, limit=1500),
    Task(fault="auth-failure-sentinels", commands=("sentinel|set",), limit=1500),
)  # fmt: skip
TASKS: dict[str, Task] = {task.fault: task for task in _TASKS}
"""By fault."""
MOST_BYTES = 32 << 20
"""That an agent may send, to all servers together."""
MOST_GROWTH = 512 << 20
"""Bytes of memory that the servers may take more while an agent works, all together."""
