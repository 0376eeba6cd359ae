"""The position of a command's first key, for commands without anything secret before it."""

import re
from collections.abc import Sequence

from tools.patterns import deferred

_FIRST = deferred(
    r"APPEND|BIT(COUNT|FIELD|FIELD_RO|POS)|BLMOVE|B?[LR]POP|B?RPOPLPUSH|BZPOP(MAX|MIN)|COPY|DECR(BY)?|DEL|DELIFEQ|DUMP|"
    r"EXISTS|P?EXPIRE(AT|TIME)?|GEO(ADD|DIST|HASH|POS|RADIUS|RADIUSBYMEMBER|SEARCH|SEARCHSTORE)(_RO)?|"
    r"GET(BIT|DEL|EX|RANGE|SET)?|H(P?EXPIRE(AT|TIME)?|P?TTL|PERSIST|DEL|EXISTS|GET|GETALL|GETDEL|GETEX|INCRBY|"
    r"INCRBYFLOAT|KEYS|LEN|MGET|MSET|RANDFIELD|SCAN|SET|SETEX|SETNX|STRLEN|VALS)|INCR(BY|BYFLOAT)?|LCS|"
    r"L(INDEX|INSERT|LEN|MOVE|POS|PUSH|PUSHX|RANGE|REM|SET|TRIM)|MGET|MOVE|MSET(NX)?|PERSIST|PF(ADD|COUNT|MERGE)|"
    r"P?SETEX|P?TTL|RENAME(NX)?|RESTORE(-ASKING)?|RPUSHX?|S(ADD|CARD|DIFF|DIFFSTORE|INTER|INTERSTORE|ISMEMBER|MEMBERS|"
    r"MISMEMBER|MOVE|POP|RANDMEMBER|REM|SCAN|UNION|UNIONSTORE)|SET(BIT|NX|RANGE)?|SORT(_RO)?|STRLEN|SUBSTR|TOUCH|TYPE|"
    r"UNLINK|WATCH|X(ACK|ADD|AUTOCLAIM|CLAIM|DEL|LEN|PENDING|RANGE|REVRANGE|SETID|TRIM)|"
    r"Z(ADD|CARD|COUNT|DIFFSTORE|INCRBY|INTERSTORE|LEXCOUNT|MSCORE|POPMAX|POPMIN|RANDMEMBER|RANGE|RANGESTORE|"
    r"RANGEBYLEX|RANGEBYSCORE|RANK|REM|REMRANGEBYLEX|REMRANGEBYRANK|REMRANGEBYSCORE|REVRANGE|REVRANGEBYLEX|"
    r"REVRANGEBYSCORE|REVRANK|SCAN|SCORE|UNIONSTORE)|"
    r"JSON\.(GET|SET|MGET|MERGE|MSET|DEL|FORGET|CLEAR|TYPE|TOGGLE|RESP|NUM(INCRBY|MULTBY|POWBY)|STR(APPEND|LEN)|"
    r"ARR(APPEND|INDEX|INSERT|LEN|POP|TRIM)|OBJ(KEYS|LEN))|FT\.(SEARCH|AGGREGATE|PROFILE|EXPLAIN|HYBRID|INFO|TAGVALS)|"
    r"V(ADD|SIM|REM|CARD|DIM|EMB|LINKS|INFO|ISMEMBER|GETATTR|SETATTR|RANDMEMBER|RANGE)|"
    r"TS\.(ADD|CREATE|ALTER|DEL|GET|RANGE|REVRANGE|INCRBY|DECRBY|INFO)|(BF|CF|CMS|TOPK|TDIGEST)\.[A-Z]{2,16}"
)
"""Commands whose first argument is a key, or an index. Not PUBLISH and its kin: a channel isn't one."""
_AT: dict[str, int] = {
    "BITOP": 2, "OBJECT": 2, "XGROUP": 2, "XINFO": 2, "ZDIFF": 2, "ZINTER": 2, "ZINTERCARD": 2, "ZUNION": 2,
    "SINTERCARD": 2, "LMPOP": 2, "ZMPOP": 2, "BLMPOP": 3, "BZMPOP": 3,
}  # fmt: skip
_SCRIPTS = frozenset(("EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO"))
_READS = frozenset(("XREAD", "XREADGROUP"))
CONTAINERS = frozenset(
    ("ACL", "CLIENT", "CLUSTER", "COMMAND", "COMMANDLOG", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY", "MODULE",
     "OBJECT", "PUBSUB", "SCRIPT", "SENTINEL", "SLOWLOG", "XGROUP", "XINFO")
)  # fmt: skip
"""Commands whose first argument is a subcommand."""


def first_key(args: Sequence[str]) -> str | None:
    """The first key of a command as sent; None if there is none or its position is unknown."""
    command = args[0].upper()
    if command in _READS:
        # STREAMS may also be a group's or consumer's name, which come first.
        begin = 4 if command == "XREADGROUP" else 1
        at = next((n + 1 for n, word in enumerate(args) if n >= begin and word.upper() == "STREAMS"), 0)
    elif command in _SCRIPTS:
        at = 3 if len(args) > 3 and re.fullmatch("0*[1-9][0-9]{0,8}", args[2]) else 0
    elif command == "MEMORY":
        at = 2 if len(args) > 2 and args[1].upper() == "USAGE" else 0
    else:
        at = 1 if _FIRST.fullmatch(command) else _AT.get(command, 0)
    return args[at] if 0 < at < len(args) else None
