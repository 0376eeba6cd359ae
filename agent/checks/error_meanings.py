"""What an error says about the call that got it: by the error, by the command, and by the state of its connection."""

import re
from collections.abc import Mapping

from agent.evidence.view import Cited, View

MEANINGS: Mapping[str, str] = {
    "WRONGTYPE": "the key holds a different type from the one the command needs",
    "NOGROUP": "the stream or its consumer group doesn't exist",
    "ERR": "wrong arguments, a malformed value, or a command that this server doesn't know",
    "EXECABORT": "a command of the transaction was refused when it was queued",
}
"""What errors say about what was sent."""
SCRIPTS = ("eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro")
COUNTERS = ("incr", "incrby", "decr", "decrby", "incrbyfloat", "hincrby", "hincrbyfloat")
NO_NUMBER = (
    "the value isn't a number that it can add to, such as one that a client's serializer wrote, or the result would be"
    " too large"
)
NO_DATABASE = "a database that this server doesn't have: `databases` is lower, or it is a cluster, which has only one"
IN_SCRIPT = (
    "the script itself fails, and the client's log has its message: too many elements for one unpack (some 8,000),"
    " a missing value, a command that fails in it"
)
IN_CLUSTER = (
    "the script itself fails, and the client's log has its message; in a cluster a script may only use keys that it was"
    " given as KEYS, all of one slot"
)
LISTENS = "its connection is subscribed to a channel, and in RESP2 such a connection can't send anything else"


def meaning_of(view: View, error: str, command: str) -> tuple[str, tuple[Cited, ...]]:
    """What an error of this command means, as part of a sentence (empty if unknown), and what that was read from."""
    if error == "ERR" and (at := _subscribed(view, command)):
        return LISTENS, (("clients", f"{at}.cmd"), ("clients", f"{at}.flags"), ("clients", f"{at}.count"))
    if command == "select":
        return NO_DATABASE, ()
    if error == "ERR" and command in COUNTERS:
        return NO_NUMBER, ()
    if error == "ERR" and command in SCRIPTS:
        cluster = "cluster" in (view.text("info", "redis_mode"), view.text("info", "server_mode"))
        return (IN_CLUSTER, (("info", "redis_mode"), ("info", "server_mode"))) if cluster else (IN_SCRIPT, ())
    return MEANINGS.get(error, ""), ()


def _subscribed(view: View, command: str) -> str:
    """The clients that subscribe and sent this command last, such as `g2`; empty if none is seen."""
    for number in range(1, 21):
        at = f"g{number}"
        if view.text("clients", f"{at}.cmd") == command and "P" in view.text("clients", f"{at}.flags"):
            return at
    return ""


def fails_on_replica(view: View, error: str, command: str) -> bool:
    """Whether scripts fail on a replica of a version that counts their READONLY as ERR."""
    version = re.match(r"(\d{1,4})\.", view.text("info", "redis_version"))
    old = version is not None and int(version[1]) < 7
    return old and error == "ERR" and command in SCRIPTS and view.text("replication", "role") == "slave"
