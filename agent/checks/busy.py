"""What a busy main thread does: which command takes most of its time, who sends it, and how large the replies are."""

from agent.checks.failover import WRITES
from agent.checks.senders import cited as sender_cited
from agent.checks.senders import sender
from agent.checks.types import Placeholder
from agent.evidence.view import Cited, View

DEAR_USEC = 1000
"""Microseconds per call at which a command is no longer cheap."""
LARGE_REPLY, MUCH_OUTPUT = 32_768, 20e6
"""Bytes per command, and bytes per second, at which sending is most of the work."""
FANNED_BYTES, LISTENERS = 400, 10
"""Bytes sent per command, most of them writes with a reply of a few, and clients that listen: from these on, telling
them is most of the work."""
PATTERNS, COMPARED_USEC = 500, 50
"""Patterns subscribed to, and microseconds for each PUBLISH, from which on comparing them is what it costs."""
POLLS = {
    "lpop": "BLPOP", "rpop": "BRPOP", "lmove": "BLMOVE", "rpoplpush": "BLMOVE", "lmpop": "BLMPOP", "llen": "BRPOP",
    "zpopmin": "BZPOPMIN", "zpopmax": "BZPOPMAX", "zmpop": "BZMPOP", "xread": "XREAD with BLOCK",
    "xreadgroup": "XREADGROUP with BLOCK",
}  # fmt: skip
"""Commands with which workers ask for work, and the one that waits until there is some."""


def _top(view: View) -> tuple[str, float]:
    """The command that takes most of the time, in lower case, and its microseconds per call over the window."""
    top = view.text("commandstats", "top")
    return top, (view.number("commandstats", f"{top}.usec_per_call.delta") or 0) if top else 0.0


def reply_bytes(view: View) -> float:
    """Bytes sent by the server per command, if sending them is much of its work; else 0."""
    sent = view.number("info", "total_net_output_bytes.rate") or 0
    # What replicas are sent isn't a reply to anybody.
    followed = view.number("replication", "connected_slaves") or 0
    sent -= followed * (view.number("replication", "master_repl_offset.rate") or 0)
    each = sent / max(1.0, view.number("info", "total_commands_processed.rate") or 0)
    return each if each >= LARGE_REPLY and sent >= MUCH_OUTPUT else 0.0


def _listeners(view: View) -> tuple[str, tuple[Cited, ...]]:
    """Whom each write is also told to, if that is much of the server's work, and what that was read from."""
    top, _ = _top(view)
    sent = view.number("info", "total_net_output_bytes.rate") or 0
    each = sent / max(1.0, view.number("info", "total_commands_processed.rate") or 0)
    if top not in (*WRITES, "publish") or sent < MUCH_OUTPUT or each < FANNED_BYTES or reply_bytes(view):
        return "", ()
    tracking, subscribers = view.number("info", "tracking_clients") or 0, view.number("clients", "subscribers") or 0
    if max(tracking, subscribers) < LISTENERS:
        return "", ()
    if tracking >= subscribers:
        return f"{tracking:.0f} clients with CLIENT TRACKING", (("info", "tracking_clients"),)
    return f"{subscribers:.0f} subscribers", (("clients", "subscribers"),)


def sends_much(view: View) -> bool:
    """Whether sending large replies is much of its work."""
    return reply_bytes(view) > 0


def with_what(view: View) -> str:
    """How cheap its commands are, which takes most of the time, and who sent it last, as the end of a sentence."""
    top, each = _top(view)
    share = view.number("commandstats", "top_share")
    if not top or share is None:
        return "each of them cheap."
    who = sender(view, top)
    most = f"{share:.0%} of the command time is spent in {top.upper()}{', sent by ' + who if who else ''}"
    if large := reply_bytes(view):
        sent = (view.number("info", "total_net_output_bytes.rate") or 0) / 1e6
        return (
            f"and sends {sent:.0f} MB a second, {large / 1000:.0f} kB per command: "
            f"its work is serving large values; {most}."
        )
    if told := _listeners(view)[0]:
        sent = (view.number("info", "total_net_output_bytes.rate") or 0) / 1e6
        return f"and sends {sent:.0f} MB a second: its work is telling {told} of each write; {most}."
    if compared := _patterns(view):
        return f"not all of them cheap: {most}, {each / 1000:.1f} ms a call, since each is compared with {compared[0]}."
    if each >= DEAR_USEC:
        return f"not all of them cheap: {most}, {each / 1000:.1f} ms a call."
    return f"each of them cheap; {most}."


def cited(view: View) -> tuple[Cited, ...]:
    """What that was read from."""
    top, each = _top(view)
    found: tuple[Cited, ...] = (("commandstats", "top_share"), *(sender_cited(view, top) if top else ()))
    if reply_bytes(view):
        return (
            *found,
            ("info", "total_net_output_bytes.rate"),
            *(("large_commands", f"reply.{field}") for field in ("key", "bytes")),
        )
    if _patterns(view):
        return (*found, ("info", "pubsub_patterns"), ("commandstats", "publish.usec_per_call.delta"))
    if listening := _listeners(view)[1]:
        return (*found, ("info", "total_net_output_bytes.rate"), *listening)
    return (*found, ("commandstats", f"{top}.usec_per_call.delta")) if each >= DEAR_USEC else found


def _large_values(view: View) -> tuple[str, ...]:
    """The command and key of the largest reply, if large replies are the work."""
    each = reply_bytes(view)
    if not each:
        return ()
    command, key = (view.text("large_commands", f"reply.{field}") for field in ("command", "key"))
    if key and (size := view.number("large_commands", "reply.bytes")):
        return (f"what {command} reads of {key} ({size / 1e6:.1f} MB)",)
    return (f"the large values that {_top(view)[0].upper()} reads ({each / 1000:.0f} kB each)",)


def _busiest(view: View) -> tuple[str, ...]:
    """Who sends the command that takes most of the time, if the number of commands is what costs."""
    top, each = _top(view)
    if reply_bytes(view) or each >= DEAR_USEC or _listeners(view)[0]:
        return ()
    return ((sender(view, top) if top else "") or "the application",)


def _polled(view: View) -> tuple[str, ...]:
    """The command that waits for work, to replace the one that polls for it and takes most of the time."""
    top, _ = _top(view)
    return (f"{POLLS[top]} instead of {top.upper()}",) if top in POLLS else ()


def _patterns(view: View) -> tuple[str, ...]:
    """The patterns with which each message is compared, if that is most of the work."""
    top, each = _top(view)
    count = view.number("info", "pubsub_patterns") or 0
    return (f"{count:,.0f} patterns",) if top == "publish" and count >= PATTERNS and each >= COMPARED_USEC else ()


def _told(view: View) -> tuple[str, ...]:
    told, _ = _listeners(view)
    return (told,) if told else ()


PLACEHOLDERS = (
    Placeholder(name="patterns", example="32,000 patterns", values=_patterns),
    Placeholder(name="listeners", example="150 subscribers", values=_told),
    Placeholder(name="large_values", example="what GET reads of flags:all (1.4 MB)", values=_large_values),
    Placeholder(name="busiest", example="order-intake", values=_busiest),
    Placeholder(name="waiting_command", example="BRPOP instead of RPOP", values=_polled),
)
