"""What to do about a slow command, by the kind of work that it is."""

import re
from enum import Enum

WHOLE = frozenset(
    ("KEYS", "SORT", "SORT_RO", "HGETALL", "HKEYS", "HVALS", "SMEMBERS", "LRANGE", "ZRANGE", "ZREVRANGE", "SUNION",
     "SUNIONSTORE", "SINTER", "SINTERSTORE", "SDIFF", "SDIFFSTORE", "ZUNIONSTORE", "ZINTERSTORE", "SCAN", "FLUSHALL",
     "FLUSHDB", "LREM", "LINDEX", "LINSERT", "LPOS", "LTRIM", "SINTERCARD", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE",
     "ZRANGEBYLEX", "ZREVRANGEBYLEX", "ZRANGESTORE", "ZREMRANGEBYSCORE", "ZREMRANGEBYRANK", "ZREMRANGEBYLEX", "ZUNION",
     "ZINTER", "ZINTERCARD", "ZDIFF", "ZDIFFSTORE", "XRANGE", "XREVRANGE", "BITCOUNT", "BITPOS", "BITOP", "DEBUG")
)  # fmt: skip
"""Commands whose time grows with the data they walk through."""
SCRIPTS = frozenset(("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"))
QUICK = frozenset(
    ("GET", "SET", "SETEX", "SETNX", "GETEX", "INCR", "INCRBY", "DECR", "EXISTS", "TTL", "PTTL", "TYPE", "HGET", "HLEN",
     "SISMEMBER", "SCARD", "LLEN", "ZSCORE", "ZCARD")
)  # fmt: skip
"""Commands that touch one value: if they are slow occasionally, the process was held up during them."""
CHEAP = QUICK | frozenset(
    ("APPEND", "PSETEX", "GETSET", "GETDEL", "DECRBY", "INCRBYFLOAT", "SETRANGE", "SETBIT", "GETBIT", "STRLEN", "MSET",
     "HSET", "HMSET", "HSETNX", "HDEL", "HEXISTS", "HINCRBY", "HINCRBYFLOAT", "LPUSH", "RPUSH", "LPUSHX", "RPUSHX",
     "LPOP", "RPOP", "LMOVE", "RPOPLPUSH", "SADD", "SREM", "SPOP", "SMOVE", "ZADD", "ZREM", "ZINCRBY", "ZPOPMIN",
     "ZPOPMAX", "ZRANK", "XADD", "XACK", "XLEN", "PFADD", "PERSIST", "RENAME", "PUBLISH", "EXPIREAT", "PEXPIREAT")
)  # fmt: skip
"""Commands that are cheap however large the value they touch; with many arguments, each argument counts."""
MANY = 500
"""Number of arguments that alone is costly."""
_UNWANTED = frozenset(("KEYS", "DEBUG"))
"""Commands that no application needs."""
_PARTS = {
    "HGETALL": "HSCAN, or HMGET of only the fields you need", "HKEYS": "HSCAN", "HVALS": "HSCAN",
    "SMEMBERS": "SSCAN, or SMISMEMBER of only the members you need", "LRANGE": "LRANGE of a page, not 0 -1",
    "ZRANGE": "ZRANGE with a LIMIT or a narrower range", "ZREVRANGE": "ZREVRANGE of a page",
    "ZRANGEBYSCORE": "ZRANGEBYSCORE with LIMIT, starting from the last score instead of a large offset",
    "XRANGE": "XRANGE with COUNT", "SORT": "a sorted set kept up to date",
    "SORT_RO": "a sorted set kept up to date", "LREM": "a set or a sorted set, which find a member without a scan",
    "LINDEX": "a hash keyed by number, or only the ends of the list", "LINSERT": "a sorted set",
    "BITCOUNT": "BITCOUNT over ranges", "FLUSHALL": "FLUSHALL ASYNC", "FLUSHDB": "FLUSHDB ASYNC",
}  # fmt: skip
"""What replaces a walk."""


class Work(Enum):
    """What kind of work a command is."""

    KEYSPACE = "goes through all keys"
    WALK = "goes through a large key"
    SCRIPT = "runs a script"
    SEARCH = "queries an index"
    JSON = "works on a document"
    VECTOR = "compares vectors"
    SERIES = "reads time series"
    MODULE = "is a module's"
    MANY = "has many arguments"
    CHEAP = "cheap"
    OTHER = "anything else"

    @classmethod
    def of(cls, command: str, arguments: int, *, module: bool) -> "Work":
        """The kind of a command in upper case, given the most arguments seen."""
        prefixes = {"FT.": cls.SEARCH, "JSON.": cls.JSON, "TS.": cls.SERIES}
        for prefix, work in prefixes.items():
            if command.startswith(prefix):
                return work
        if re.fullmatch(r"V(SIM|ADD|REM|LINKS|EMB|RANDMEMBER|RANGE)", command):
            return cls.VECTOR
        if module or "." in command:
            return cls.MODULE
        if command in SCRIPTS:
            return cls.SCRIPT
        if command in ("KEYS", "SCAN"):
            return cls.KEYSPACE
        if command in WHOLE:
            return cls.WALK
        if arguments >= MANY:
            return cls.MANY
        return cls.CHEAP if command in CHEAP else cls.OTHER


def remedy_of(command: str, work: Work, key: str, who: str) -> str:
    """What a person does about it; `key` may be empty, `who` sends it."""
    on, of = (f" on {key}" if key else ""), key or "its key"
    if command == "SAVE":
        return f"In {who} replace SAVE with BGSAVE, or with the schedule in `save`: SAVE writes it all while all wait."
    if command in ("MIGRATE", "DUMP", "RESTORE"):
        return (
            f"In {who} split {of} into smaller keys before it is moved: {command} serialises a whole key in one step."
        )
    match work:
        case Work.KEYSPACE if command == "SCAN":
            return f"In {who} give SCAN a COUNT of a few hundred: a large COUNT stalls the server as long as KEYS does."
        case Work.KEYSPACE:
            return f"In {who} replace KEYS with SCAN and a COUNT of a few hundred, or keep the names in a set."
        case Work.WALK:
            instead = _PARTS.get(command, "a smaller range, or a precomputed result")
            return f"In {who} replace {command}{on} with {instead}, and split {of} if it is huge."
        case Work.SCRIPT:
            return f"Limit the loop in the script that {who} runs with {command}, or do its work in parts of a few ms."
        case Work.SEARCH:
            index = key or "(FT._LIST names them)"
            query = "AGGREGATE" if command == "FT.AGGREGATE" else "SEARCH"
            how = "filter before GROUPBY and LOAD less" if query == "AGGREGATE" else "ask for fewer rows with LIMIT"
            return (
                f"Take the query that {who} sends with {command} to index {index}, and check with FT.PROFILE {index}"
                f" {query} where its time goes; then {how}, make sorted and grouped fields SORTABLE, and avoid * and"
                f" leading wildcards."
            )
        case Work.JSON if command in ("JSON.GET", "JSON.MGET"):
            return f"In {who} read only the paths you need from {of} (JSON.GET with a path), and split the document."
        case Work.JSON:
            return f"In {who} change only the relevant path of {of}, not the whole document, and split the document."
        case Work.VECTOR if command == "VSIM":
            return (
                f"In {who} give VSIM{on} a smaller EF and COUNT, without TRUTH and NOTHREAD; quantise the set"
                f" (Q8 or BIN), or split it."
            )
        case Work.VECTOR:
            return f"In {who} send {command}{on} at a steady rate: VADD with CAS prepares its work in a thread."
        case Work.SERIES:
            return (
                f"In {who} ask {command}{on} for a shorter range, or for one that "
                "is compacted by a rule (TS.CREATERULE)."
            )
        case Work.MANY:
            return f"In {who} send {command}{on} with a few hundred arguments at a time: each one counts."
        case Work.CHEAP:
            return (
                f"Look for what is behind {command} before you blame it: how large {of} is (MEMORY USAGE), whether what"
                f" {who} overwrites is a large key, and eviction, swap or the disk in LATENCY LATEST."
            )
        case _:
            name = command.lower()
            return (
                f"Check how the cost of {command}{on} grows with size (COMMAND DOCS "
                f"{name}), and have {who} ask for less at once."
            )


def unpatterned(patterns: float, who: str) -> str:
    """What to do about patterns, each of which is compared with every message; `who` subscribes to them."""
    return (
        f"In {who} SUBSCRIBE to channels by their full names instead of PSUBSCRIBE ({patterns:.0f} patterns now), or"
        " to one pattern per process and filter there: a channel name is looked up, but every pattern is compared."
    )


def unwanted_of(command: str) -> tuple[str, ...]:
    """The ACL rule that removes it, if no application needs it; none if one may depend on it."""
    return (f"-{command.lower()}",) if command in _UNWANTED else ()


def monitor_of(work: Work) -> tuple[str, ...]:
    """The latency monitor's threshold, if it's hidden what delayed a cheap command."""
    return ("100",) if work is Work.CHEAP else ()
