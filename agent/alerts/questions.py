"""What alerts ask."""

from enum import StrEnum


class Question(StrEnum):
    """What a rule asks, with its expression in words."""

    DOWN = "whether it answers"
    NO_MASTER = "whether no node is a master"
    MASTERS = "whether more than one node is a master"
    REPLICAS = "whether a replica isn't connected"
    REPLICATION = "whether the master lost a replica"
    FLAPPING = "whether replicas come and go"
    BACKUP = "whether the last RDB save is older than a day"
    SYSTEM_MEMORY = "whether used_memory is near the machine's memory"
    MAXMEMORY = "whether used_memory is near maxmemory"
    MEMORY = "whether used_memory is near either"
    CONNECTIONS = "whether there are too many clients"
    FEW_CONNECTIONS = "whether there are too few clients"
    REJECTED = "whether connections are refused at maxclients"
    SLOTS_FAIL = "whether slots belong to a node that is down"
    SLOTS_PFAIL = "whether slots belong to a node that may be down"
    CLUSTER_STATE = "whether the cluster's state isn't ok"
    FIGURE = "whether a figure is beyond a limit"
    UNKNOWN = "what nobody here knows"
