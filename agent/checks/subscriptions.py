"""Subscriptions that take the memory: channels of clients that subscribe to ever more of them and never leave one."""

from agent.checks.filling import until_full_words
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.words import MEMORY, SLOW
from agent.evidence.report_words import mention
from agent.evidence.view import View

EACH = 200
"""Bytes of a channel with one subscriber and a name of usual length."""
_MIB = 1 << 20
_COUNTED = ("pubsub_channels", "pubsub_patterns", "pubsubshard_channels")


def crowded(view: View, limits: Limits) -> float:
    """Channels and patterns that are subscribed to, if their names take much of the memory; else 0."""
    channels = sum(view.number("info", name) or 0 for name in _COUNTED)
    used = view.number("info", "used_memory") or 0
    many = channels >= limits["subscribed_channels"] and channels * EACH >= limits["subscribed_share"] * used
    return channels if many else 0.0


def subscriptions(view: View, limits: Limits) -> Found:
    """Tens of thousands of channels that few clients listen to, and their names take much of the memory."""
    channels = crowded(view, limits)
    more = view.number("info", "pubsub_channels.delta") or 0
    used, most = view.number("info", "used_memory") or 0, view.number("clients", "sub_max") or 0
    if not channels or most < limits["subscribed_by_one"]:
        # So many clients that each listen to a few are an application's users.
        return
    who, address = view.text("clients", "sub_max.name"), view.text("clients", "sub_max.address")
    why = (
        f"{channels:,.0f} channels and patterns are subscribed to, {min(most, channels):,.0f} of them by one client"
        f" ({f'{who} at {address}' if who else address}): their names take some {channels * EACH / _MIB:.0f} MiB of the"
        f" {used / _MIB:.0f} MiB in use"
    )
    why += f", and {more:,.0f} were added over the window.{until_full_words(view)}" if more > 0 else "."
    asked = mention(MEMORY, view.symptom) is not None
    likely = (0.92 if more > 0 else 0.75) if asked else 0.6 if more > 0 or mention(SLOW, view.symptom) else 0.45
    yield view.cause(
        "nonkey-memory", likely, why, *(("info", name) for name in _COUNTED if view.number("info", name)),
        ("info", "pubsub_channels.delta"), ("clients", "sub_max"), ("clients", "sub_max.name"),
        ("clients", "sub_max.address"), ("info", "used_memory"), ("keyspace", "keys.delta"),
    )  # fmt: skip


def _subscriber(view: View) -> tuple[str, ...]:
    """The client with most subscriptions, with its id."""
    most = view.number("clients", "sub_max")
    if not most:
        return ()
    name, address = view.text("clients", "sub_max.name"), view.text("clients", "sub_max.address")
    id = view.text("clients", "sub_max.id")
    return (f"{name or 'the application'} at {address} (client {id}, {most:,.0f} subscriptions)",)


FAMILY = Family(
    checks=(subscriptions,),
    needs={},
    placeholders=(
        Placeholder(
            name="subscriber", example="celery-web at 10.0.0.7 (client 7, 300,000 subscriptions)", values=_subscriber
        ),
    ),
)
