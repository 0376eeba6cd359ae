"""What a server's data consists of and what fills it: the kinds of keys, the largest ones, the rate, and what is
refused."""

from collections.abc import Sequence

from agent.checks.filling import inside_keys, per_second, until_full, until_full_words
from agent.checks.limits_reached import FULL, over, refused
from agent.checks.senders import sender
from agent.checks.types import Placeholder
from agent.checks.words import MEMORY
from agent.evidence.report_words import mention
from agent.evidence.view import View
from tools.patterns import deferred
from tools.server.command_classes import known_class

COMMON = 0.1
"""Least share of a sample at which a kind of key is worth naming."""
LARGE_SHARE = 0.05
"""Least share of the data at which a single key is worth naming, if it has a megabyte."""
UNSEEN = 0.5
"""If keys like those measured account for less than this share of the data, a few large ones hold it."""
LEAST_DATA = 4 << 20
"""Bytes of data below which a sample of names says nothing about memory."""
_MIB = 1 << 20
TYPES = ("lists", "sets", "zsets", "hashes", "streams")
FILLS = {
    "list": ("lpush", "rpush"), "hash": ("hset", "hmset", "hincrby"), "set": ("sadd",), "zset": ("zadd", "zincrby"),
    "stream": ("xadd",),
}  # fmt: skip
BOUNDS = {
    "list": "LTRIM after each push, or a client that pops", "stream": "XADD with MAXLEN ~, or XTRIM MINID by age",
    "zset": "ZREMRANGEBYSCORE or ZREMRANGEBYRANK of old entries",
}  # fmt: skip
"""By type: what keeps a single key from growing; for other types nothing shows what is old."""
LONG = 10_000
"""Fewest elements for a key to be worth looking for."""
WORTH_MISSES, WORTH_KEYS = 0.8, 20.0
"""The hit ratio below which evictions cost something, and keys per second that stay: the checks' own bounds."""
LEAST_WRITES = 20.0
"""Calls of one command per second below which growth may be a table being resized."""
SHORTEN = "UNLINK, EXPIRE, LTRIM, LPOP, HDEL, SREM, ZREMRANGEBYRANK and XTRIM"
"""Commands that free memory, which a full server accepts."""


def longest(view: View) -> tuple[str, float] | None:
    """The type with the most elements in one key, as Redis 8.0 and newer report, and a lower bound of how many."""
    found = [(length, kind) for kind in TYPES if (length := view.number("keyspace", f"longest.{kind}"))]
    most = max(found, default=None)
    return None if most is None else (most[1], most[0])


def _bytes(held: float) -> str:
    return f"{held / _MIB:.3g} MiB" if held >= _MIB else f"{max(1, held / 1024):.0f} KiB"


def held(view: View) -> str:
    """Which keys hold the data, as a sentence without a full stop; empty if they weren't sampled."""
    sampled, db = view.number("prefixes", "sampled"), view.number("prefixes", "db")
    if sampled is None or db is None:
        return ""
    all_keys, keys = view.number("keyspace", "keys") or 0, view.number("keyspace", f"db{db:.0f}.keys") or 0
    if keys < all_keys / 2:
        return f"of {all_keys:.0f} keys only {keys:.0f} are in database {db:.0f}, the one that was checked"
    if not keys or not sampled:
        return ""
    data = view.number("memory", "used_memory_dataset") or 0
    common, first = _common(view, keys)
    single, second = _single(view, data)
    whole = view.get("prefixes", "complete") is True
    names = "all names" if whole else f"{sampled:.0f} names"
    parts = [f"of {keys:.0f} keys {', '.join(common)}, judged by {names}"] if common else []
    if single:
        parts.append(f"large on {'its' if len(single) == 1 else 'their'} own: {', '.join(single)}")
    if data >= LEAST_DATA and first + second < UNSEEN * data:
        rest = (
            f"the sampled keys account for {_bytes(first + second)} of {_bytes(data)}: a few large keys hold the rest"
        )
        if (most := longest(view)) is not None:
            rest += f" (the longest of the {most[0]} has {most[1]:.0f} elements or more)"
        largest = view.number("keyspace", "longest.strings") or 0
        if largest >= max(_MIB, LARGE_SHARE * data):
            rest += f" (a string has {_bytes(largest)} or more)"
        parts.append(f"{rest}, and redis-cli --memkeys -i 0.1 finds them")
    return "; ".join(parts)


def _common(view: View, keys: float) -> tuple[list[str], float]:
    """The kinds of keys worth naming, and the bytes that the measured ones account for."""
    parts: list[str] = []
    accounted = 0.0
    for at in ("p1", "p2", "p3"):
        share, each = view.number("prefixes", f"{at}.share"), view.number("prefixes", f"{at}.key_bytes")
        if share is None:
            continue
        mass = share * keys * each if each is not None else None
        accounted += mass or 0
        if share >= COMMON:
            ttl = view.number("prefixes", f"{at}.ttl_ms")
            told = [f"about {_bytes(mass)}"] if mass is not None else []
            told += ["without a TTL" if ttl == -1 else "with a TTL"] if ttl is not None and ttl >= -1 else []
            prefix = view.text("prefixes", f"{at}.prefix")
            name = f"{prefix}*" if prefix else "without a common prefix"
            parts.append(f"{share:.0%} {'are ' if not parts else ''}{name}{_in_brackets(told)}")
    return parts, accounted


def _single(view: View, data: float) -> tuple[list[str], float]:
    """The keys that are large by themselves, and their bytes."""
    parts, accounted = [], 0.0
    for at in ("k1", "k2", "k3"):
        key, size = view.text("prefixes", f"{at}.key"), view.number("prefixes", f"{at}.bytes")
        if key and size is not None and size >= max(_MIB, LARGE_SHARE * data):
            accounted += size
            kind = view.text("prefixes", f"{at}.type")
            parts.append(f"{kind + ' ' if kind else ''}{key} ({_bytes(size)})")
    return parts, accounted


def largest_key(view: View) -> str:
    """The largest measured key, with its size; empty if none is worth naming."""
    single, _ = _single(view, view.number("memory", "used_memory_dataset") or 0)
    return single[0] if single else ""


def _adds(view: View) -> tuple[str, float]:
    """The command that adds to keys most often over the window, and its calls."""
    adds = [name for names in FILLS.values() for name in names] + ["append", "setrange"]
    calls = {name: view.number("commandstats", f"{name}.calls.delta") or 0 for name in adds}
    most = max(calls, key=calls.__getitem__)
    return most, calls[most]


def bound_of(view: View) -> str:
    """How what is added is bounded where it's written, by the command that adds."""
    most, _ = _adds(view)
    kind = next((kind for kind, names in FILLS.items() if most in names), "")
    return f"limit it where it is written: {BOUNDS.get(kind, 'a new key for each day, with a TTL')}"


def main_writer(view: View) -> str:
    """The command that adds to keys most often over the window, its rate, and whose last command it was, if seen."""
    seconds = view.number("commandstats", "window_seconds")
    most, calls = _adds(view)
    if not seconds or calls < LEAST_WRITES * seconds:
        return ""
    sent = f"{most.upper()}, {calls / seconds:.0f} times a second"
    who = sender(view, most)
    return f"{sent} ({who})" if who else sent


def _in_brackets(told: Sequence[str]) -> str:
    return f" ({', '.join(told)})" if told else ""


def refused_commands(view: View) -> dict[str, float]:
    """Commands with refused calls over the window that are refused when memory is full, most first."""
    names = (match[1] for name in view.fields("commandstats") if (match := _REJECTED.fullmatch(name)))
    counted = {name: view.number("commandstats", f"{name}.rejected_calls.delta") or 0 for name in names}
    kept = {
        name: count
        for name, count in counted.items()
        if count and (one := known_class(name)) is not None and one.needs_memory
    }
    return dict(sorted(kept.items(), key=lambda item: -item[1]))


_REJECTED = deferred(r"(\S+)\.rejected_calls\.delta")


def _what_holds(view: View) -> tuple[str, ...]:
    return (held(view) or "it wasn't sampled, and redis-cli --memkeys -i 0.1 shows it",)


def _what_is_refused(view: View) -> tuple[str, ...]:
    names = [name.upper() for name in refused_commands(view)][:4]
    which = ", ".join(names) or "SET, LPUSH, HSET, XADD, LMOVE and everything else that adds data"
    return (f"{which} {'is' if len(names) == 1 else 'are'} refused; {SHORTEN} work",)


def _how_it_fills(view: View) -> tuple[str, ...]:
    """How fast it grows and until when there is room, with a leading space; empty if unknown."""
    rate = per_second(view)
    if rate is None or (over(view) or 0) >= FULL:
        # At the limit, the remaining room changes with every reply.
        return ("",)
    if rate <= 0:
        return (" Memory isn't growing right now.",)
    return (f" Memory grows by {_bytes(rate)} a second.{until_full_words(view)}",)


def worth_weighing(view: View) -> bool:
    """Whether this is about memory, so that a few commands to find which keys hold it are worthwhile."""
    share, seconds = over(view), view.number("keyspace", "window_seconds")
    stuck = share is not None and share >= FULL and not view.text("memory", "maxmemory_policy").startswith("allkeys")
    hits, lasting = view.number("keyspace", "hit_ratio"), 0.0
    if seconds:
        lasting = (
            (view.number("keyspace", "keys.delta") or 0) - (view.number("keyspace", "expires.delta") or 0)
        ) / seconds
    churns = bool(view.number("keyspace", "evicted_keys")) and hits is not None and hits <= WORTH_MISSES
    asked = mention(MEMORY, view.symptom) is not None
    much = (view.number("memory", "used_memory_dataset") or 0) >= LEAST_DATA or inside_keys(view) > 0
    return (
        refused(view) > 0
        or stuck
        or churns
        or lasting >= WORTH_KEYS
        or until_full(view) is not None
        or (asked and much)
    )


def kind_to_find(view: View) -> str | None:
    """The type of a likely large key, by the server's own figures or by what is written; None without one."""
    if (most := longest(view)) is not None:
        return most[0].removesuffix("es" if most[0] == "hashes" else "s") if most[1] >= LONG else None
    called = {
        kind: sum(view.number("commandstats", f"{name}.calls") or 0 for name in names) for kind, names in FILLS.items()
    }  # fmt: skip
    kind = max(called, key=called.__getitem__)
    return kind if called[kind] else None


PLACEHOLDERS = (
    Placeholder(name="what_holds", example="of 27532 keys 99% are order:* (about 54 MiB)", values=_what_holds),
    Placeholder(name="what_is_refused", example=f"SET and LPUSH are refused; {SHORTEN} work", values=_what_is_refused),
    Placeholder(
        name="how_it_fills",
        example=" Memory grows by 3 MiB a second. At this rate maxmemory is reached in 25 min.",
        values=_how_it_fills,
    ),
)
