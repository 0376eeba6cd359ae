"""Keys that come to stay."""

from agent.checks.filling import LEAST_BYTES, until_full_words
from agent.checks.limits_reached import HELD
from agent.checks.types import Family, Found, Limits
from agent.checks.versus_baseline import against
from agent.checks.words import LASTS, MEMORY
from agent.evidence.report_words import mention
from agent.evidence.view import View

HALF = 0.5
"""Share of the new keys: if more of them expire, those that stay may be there on purpose."""


@against("kept_keys_per_second", "keys", falls=("expires_share",))
def ttl_leak(view: View, limits: Limits) -> Found:
    """New keys come without a time to live, nothing makes room, and the share that expires falls."""
    keys, expires = view.number("keyspace", "keys.delta"), view.number("keyspace", "expires.delta")
    coverage, seconds = view.number("keyspace", "ttl_coverage"), view.number("keyspace", "window_seconds")
    if keys is None or expires is None or coverage is None or not seconds:
        return
    expired = view.number("keyspace", "expired_keys.delta") or 0
    # Keys that came with a TTL and went again aren't in either difference; what stays is keys minus those that expire.
    lasting, passing = keys - expires, max(0.0, expires) + expired
    share = passing / (lasting + passing) if lasting > 0 else 1.0
    grown = view.number("memory", "used_memory.delta") or 0
    cited = (
        ("keyspace", "keys.delta"), ("keyspace", "expires.delta"), ("keyspace", "ttl_coverage"),
        ("keyspace", "evicted_keys.delta"), ("memory", "used_memory.delta"), ("keyspace", "keys"), *HELD,
    )  # fmt: skip
    lasts = mention(LASTS, view.symptom) is not None
    reported = lasts or mention(MEMORY, view.symptom) is not None
    # Beside as many that do expire, only a report about memory means the others, and only if there are very many.
    many = reported and lasting / seconds >= 10 * limits["ttl_leak_keys_per_second"]
    most = max(limits["ttl_leak_share"], HALF) if many else limits["ttl_leak_share"]
    leaking = lasting / seconds >= limits["ttl_leak_keys_per_second"] and share <= most
    if not leaking or (view.number("keyspace", "evicted_keys.delta") or 0) > 0 or grown < -LEAST_BYTES:
        if reported:
            because = f"{keys:.0f} keys were added over the window, {expires:.0f} of them with a TTL."
            yield view.not_("ttl-leak", because, *cited[:3])
        return
    why = (
        f"{lasting:.0f} keys without a TTL and {passing:.0f} with one were "
        f"added over the window; {coverage:.0%} have one"
    )
    usual = coverage > max(share, limits["ttl_leak_share"])
    why += ": recently added keys are kept forever." if usual else "."
    if lasts and (removed := view.number("commandstats", "persist.calls.delta") or 0) >= lasting * HALF:
        why += f" PERSIST, which takes a key's TTL away, was called {removed:.0f} times."
        cited = (*cited, ("commandstats", "persist.calls.delta"))
    elif lasts:
        why += " SET without EX, PX or KEEPTTL takes away the TTL that a key had."
    why += until_full_words(view)
    probability = (0.9 if reported else 0.6) if usual else 0.8 if lasts else 0.6 if reported else 0.4
    if share > limits["ttl_leak_share"]:
        probability = 0.7
    yield view.cause("ttl-leak", probability, why, *cited)


FAMILY = Family(checks=(ttl_leak,), needs={"ttl-leak": ("keyspace",)})
