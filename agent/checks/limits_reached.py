"""Memory that is at its limit with nothing that could give way: writes are refused, whether or not anybody tries."""

from agent.checks.types import Found, Limits
from agent.checks.words import OUT_OF_MEMORY
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View

FULL = 0.95
"""Share of maxmemory from which on it counts as reached."""
HELD: tuple[Cited, ...] = (
    ("prefixes", "p1.prefix"), ("prefixes", "p1.share"), ("prefixes", "p1.key_bytes"), ("prefixes", "k1.key"),
    ("prefixes", "k1.bytes"),
)  # fmt: skip
"""What shows which keys hold the memory."""
CITED: tuple[Cited, ...] = (
    ("info", "errorstat_OOM.count.delta"), ("memory", "maxmemory_policy"), ("memory", "maxmemory_used_share"),
    ("keyspace", "evicted_keys.delta"), ("memory", "maxmemory"), ("info", "errorstat_OOM.count"), *HELD,
)  # fmt: skip
TTLS: tuple[Cited, ...] = ("keyspace", "expires"), ("keyspace", "keys"), ("keyspace", "ttl_coverage")


def refused(view: View) -> float:
    """Commands refused over the window because memory was full."""
    return view.number("info", "errorstat_OOM.count.delta") or 0


def hardly_written(view: View) -> bool:
    """Whether what lookups miss isn't written back: then it isn't evicted again."""
    writes, misses = view.number("commandstats", "writes.calls.delta"), view.number("keyspace", "keyspace_misses.delta")
    return writes is not None and writes < (misses or 0) / 10


def over(view: View) -> float | None:
    """The share of maxmemory in use where the server minds it: a replica leaves that to its primary."""
    follows = "slave" in (view.text("info", "role"), view.text("replication", "role"))
    return None if follows else view.number("memory", "maxmemory_used_share")


def _refuses(view: View) -> tuple[float, str] | None:
    """How likely it is that writes are refused now, with what says so; None where nothing does."""
    share = over(view)
    if errors := refused(view):
        return 0.95, f"{errors:.0f} commands were refused over the window because memory is full; reads still work."
    if share is None or share < FULL:
        return None
    at = f"{share:.0%} of maxmemory is in use"
    if share >= 1:
        # From one sample nothing is known of what came meanwhile.
        quiet = ", though there was none within the window" if view.number("info", "window_seconds") else ""
        return 0.94, f"{at}: a write that needs memory is refused{quiet}; reads still work."
    if view.number("info", "errorstat_OOM.count") or mention(OUT_OF_MEMORY, view.symptom):
        return 0.8, f"{at}, and writes were refused before: the next large one will be refused again."
    return None


def out_of_memory(view: View, limits: Limits) -> Found:
    """Writes are refused, and nothing can be evicted: by policy, or because no key expires."""
    policy, evicted = view.text("memory", "maxmemory_policy"), view.number("keyspace", "evicted_keys.delta")
    refuses, share = _refuses(view), over(view)
    if refuses is None:
        if view.number("info", "errorstat_OOM.count") and share is not None and share < FULL:
            because = f"Writes were refused because memory was full; now {share:.0%} of maxmemory is in use."
            yield view.not_("oom-noeviction", because, CITED[2], CITED[5])
        return
    likely, why = refuses
    if policy == "noeviction":
        yield view.cause("oom-noeviction", likely, f"{why} The policy is noeviction, so nothing makes room.", *CITED)
        yield view.not_("oom-volatile-no-ttl", "The policy is noeviction.", CITED[1])
    elif policy.startswith("volatile-"):
        yield from _few_expire(view, limits, likely, why, policy)
    elif refused(view):
        # Where every key may go, a refusal means that there is none left, or that eviction is too slow.
        yield view.cause("oom-noeviction", 0.4, f"{why} {policy or 'Its policy'} doesn't make room.", *CITED)
        if evicted:
            yield view.not_("oom-volatile-no-ttl", f"The policy is {policy}.", CITED[1], CITED[3])


def _few_expire(view: View, limits: Limits, likely: float, why: str, policy: str) -> Found:
    keys = view.number("keyspace", "keys")
    # Without keys there is no share of them; without the reading it isn't known.
    share = 0.0 if keys == 0 else view.number("keyspace", "ttl_coverage")
    cited, tried = (*CITED, *TTLS), refused(view) > 0
    if share is None or keys is None:
        why += f" {policy} may evict only keys with a TTL; it wasn't read how many have one."
        yield view.cause("oom-volatile-no-ttl", 0.6 if tried else 0.45, why, *cited)
    elif share <= limits["volatile_ttl_share"]:
        # A few that expire still make room for the next write, so only a refusal shows that they don't.
        few = not tried and bool(view.number("keyspace", "expires"))
        why += f" {policy} may evict only keys with a TTL, and {share:.1%} of {keys:.0f} have one."
        yield view.cause("oom-volatile-no-ttl", min(likely, 0.6) if few else likely, why, *cited)
        yield view.not_("oom-noeviction", f"The policy is {policy}; it finds nothing to evict.", CITED[1], TTLS[0])
    elif tried:
        yield view.cause("oom-volatile-no-ttl", 0.6, f"{why} {policy} doesn't make room fast enough.", *cited)
