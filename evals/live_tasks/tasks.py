"""The faults that make a task: what whoever repairs them has to be allowed to change."""

from evals.lab.catalogue import FAULTS
from evals.lab.fault import Fault
from tools.records import Record


class Task(Record):
    """A fault whose symptom goes by a change that can be made through the server itself."""

    fault: str
    parameters: tuple[str, ...] = ()
    """Of CONFIG SET, within the bounds of this program's own policy."""
    commands: tuple[str, ...] = ()
    """Others that change something, such as `client|unpause`."""
    evicts: bool = False
    """Whether the server throws keys away by itself, before or after a right change."""
    seconds: int = 120
    """For the agent, from its start to its end."""
    limit: int = 400
    """Commands that it may send."""

    @property
    def of(self) -> Fault:
        return FAULTS[self.fault]


_TASKS = (
    Task(fault="maxclients-exhausted", parameters=("maxclients",), commands=("client|kill",), limit=800),
    Task(fault="leak-until-refused", parameters=("maxclients", "timeout"), commands=("client|kill",), limit=800),
    Task(fault="client-paused", commands=("client|unpause",)),
    Task(fault="lua-busy", commands=("script|kill",)),
    Task(fault="lua-busy-fresh", commands=("script|kill",)),
    Task(fault="lua-busy-function", commands=("function|kill", "script|kill")),
    Task(fault="monitor-attached", commands=("client|kill",)),
    Task(fault="oom-noeviction", parameters=("maxmemory",)),
    Task(fault="oom-noeviction-quiet", parameters=("maxmemory",)),
    Task(fault="oom-noeviction-over", parameters=("maxmemory",)),
    Task(fault="oom-volatile-no-ttl", parameters=("maxmemory-policy",), evicts=True),
    Task(fault="oom-volatile-no-ttl-quiet", parameters=("maxmemory-policy",), evicts=True),
    Task(fault="maxmemory-shrunk", parameters=("maxmemory",), evicts=True),
    Task(fault="big-key-delete", parameters=("lazyfree-lazy-user-del",)),
    Task(fault="big-key-delete-by-expiry", parameters=("lazyfree-lazy-expire",)),
    Task(fault="bgsave-disk-was-full", commands=("bgsave",)),
)  # fmt: skip
TASKS: dict[str, Task] = {task.fault: task for task in _TASKS}
"""By fault."""
