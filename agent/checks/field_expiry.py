"""Hash fields that expire: HEXPIRE of Redis (7.4 and later) and Valkey (9.0 and later)."""

from agent.checks.types import Found, Limits
from agent.checks.words import SLOW
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View

COUNTERS = ("expired_subkeys", "expired_fields")
"""The counters: Redis' name and Valkey's."""
WAVE = 10
"""Multiple of the bound for keys per second that makes a wave of fields: in trials on Redis 8.2 and Valkey 9.1 9,000
fields a second, evenly spread, went unnoticed, and 300,000 at once made PINGs take 26 to 230 ms."""
SMALL_WAVE = 3
"""Multiple of the same bound at which a report of slowness is believed: chosen below the 50,000 a second in waves that
made single PINGs take 10 ms, and above what went unnoticed."""


def mostly_fields(view: View) -> tuple[Cited, ...]:
    """The counter of fields expired since the start, if it exceeds that of whole keys."""
    keys = view.number("info", "expired_keys") or 0
    return tuple(("info", name) for name in COUNTERS if (view.number("info", name) or 0) > keys)


def _between(view: View, limits: Limits) -> Found:
    """A quiet window between two waves, according to the counters of this run."""
    name = max(COUNTERS, key=lambda one: view.number("info", one) or 0)
    gone, up = view.number("info", name) or 0, view.number("info", "uptime_in_seconds") or 0
    capped = view.number("info", "expired_time_cap_reached_count") or 0
    often = up > 0 and gone / up >= limits["expired_keys_per_second"]
    if often and capped >= 2 and mention(SLOW, view.symptom):
        why = f"There was no wave within the window, but {gone:.0f} hash fields have expired in the {up:.0f} s since"
        why += f" startup, and the expiry cycle ran out of time {capped:.0f} times: they expire in waves."
        yield view.cause("mass-expiry", 0.6, why, ("info", name), ("info", "expired_time_cap_reached_count"),
                         ("info", "uptime_in_seconds"))  # fmt: skip


def fields_expire(view: View, limits: Limits) -> Found:
    """So many fields expire at once that the expiry cycle holds clients up.

    Valkey counts cycles that ran out of time for them; Redis, which limits their number per cycle, doesn't.
    """
    counts = {name: count for name in COUNTERS if (count := view.number("info", f"{name}.delta")) is not None}
    window = view.number("info", "window_seconds") or 2
    name, expired = max(counts.items(), key=lambda one: one[1], default=("", 0.0))
    spent = view.number("keyspace", "expire_cycle_cpu_milliseconds.delta")
    if spent is None or expired / window < limits["expired_keys_per_second"]:
        yield from _between(view, limits)
        return
    cited: tuple[Cited, ...] = (
        ("info", f"{name}.delta"), ("keyspace", "expire_cycle_cpu_milliseconds.delta"),
        ("info", "expired_time_cap_reached_count.delta"), ("info", "expired_keys_with_volatile_items_stale_perc"),
        ("latency_events", "expire-cycle.max_60s_ms"),
    )  # fmt: skip
    capped = view.number("info", "expired_time_cap_reached_count.delta") or 0
    long = (view.number("latency_events", "expire-cycle.max_60s_ms") or 0) >= limits["expiry_event_ms"]
    wave = expired / window >= WAVE * limits["expired_keys_per_second"]
    felt = expired / window >= SMALL_WAVE * limits["expired_keys_per_second"] and mention(SLOW, view.symptom)
    # If slowness is reported, half of the usual amount is worth naming.
    least = limits["expiry_ms_per_second"] / (2 if felt else 1)
    if spent / window < least or not (capped >= 2 or long or wave or felt):
        because = f"{expired:.0f} hash fields expired over the window, and the expiry cycle kept up with them."
        yield view.not_("mass-expiry", because, *cited[:2])
        return
    why = f"{expired:.0f} hash fields expired over the window, which took the expiry cycle {spent / window:.0f} ms"
    why += " of each second: all clients wait while it catches up."
    yield view.cause("mass-expiry", 0.92 if capped >= 2 or long else 0.75 if wave else 0.6, why, *cited)
