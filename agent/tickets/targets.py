"""Which server a ticket means: decided by the rules in rediagnose.toml, never by a URL in the ticket."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from agent.tickets.ticket import Labels, Ticket, TicketError
from tools.errors import UsageError
from tools.settings.tables import Settings
from tools.settings.target_table import TargetSettings
from tools.text import printable

_EXPORTER = 9121
"""redis_exporter's port, which appears in `instance` instead of the server's."""
_SHOWN = 12
EXAMPLE = '[[targets]] name = "orders", url = "redis://HOST:6379" and match = { service = "orders" }'


class Fit(NamedTuple):
    """How well a target matches; larger is better."""

    rank: tuple[int, int]
    why: str


def target_of_ticket(ticket: Ticket, known: Settings) -> tuple[TargetSettings, str]:
    """The target that a ticket means, and why.

    Raises `UsageError` if there are no targets to choose from, `TicketError` if none match or several do.
    """
    if not known.targets:
        where = "rediagnose.toml (there is none here)" if known.file is None else str(known.file)
        raise UsageError(f"which server? Give --url (REDIS_URL isn't used here), or add to {where}: {EXAMPLE}")
    found: dict[int, Fit] = {}
    for labels in ticket.labels:
        found |= _best([(n, fit) for n, one in enumerate(known.targets) if (fit := _by_labels(one, labels))])
    if not found:
        words = f"{ticket.title}\n{ticket.text}"
        found = _best([(n, fit) for n, one in enumerate(known.targets) if (fit := _by_text(one, words))])
    if len(found) == 1:
        ((number, fit),) = found.items()
        return known.targets[number], fit.why
    if found:
        each = "; ".join(f"{_display_name(known.targets[n], n)} ({fit.why})" for n, fit in sorted(found.items()))
        raise TicketError(f"this {ticket.name} fits several targets: {each}; choose one with --target or --url")
    rule = 'match = { LABEL = "VALUE" }' if any(ticket.labels) else 'text = ["WORDS"]'
    raise TicketError(
        f"no target in {known.file} fits this {ticket.name}. It has {_labels_text(ticket)}; the targets are "
        f"{_targets(known.targets)}. Give the right one {rule}, or use --target or --url"
    )


def _best(fits: Sequence[tuple[int, Fit]]) -> dict[int, Fit]:
    top = max((fit.rank for _, fit in fits), default=None)
    return {number: fit for number, fit in fits if fit.rank == top}


def _by_labels(one: TargetSettings, labels: Labels) -> Fit | None:
    rules = [rule for rule in one.match if all(_matches_any(labels.get(name, ()), rule[name]) for name in rule)]
    if rules:
        rule = max(rules, key=len)
        return Fit((3, len(rule)), "match " + ", ".join(f"{name}={' or '.join(rule[name])}" for name in rule))
    fits = [
        Fit((2, how[0]), f"{how[1]} in label {printable(name[:40])}")
        for name, values in labels.items() for value in values if (how := _literally(one, value))
    ]  # fmt: skip
    return max(fits, default=None)


def _matches_any(values: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(value.lower(), pattern.lower()) for value in values for pattern in patterns)


def _literally(one: TargetSettings, value: str) -> tuple[int, str] | None:
    """Whether a label's value means this target: its address, its name, or its host if no port is given."""
    word = value.strip().lower()
    if one.target and one.target.path is None:
        for host, port in one.target.sentinels or ((one.target.host or "", one.target.port or 0),):
            if _contains_word(f"{host}:{port}".lower(), word) or _contains_word(f"[{host}]:{port}".lower(), word):
                return 3, f"{host}:{port}"
            if word in (host.lower(), f"{host.lower()}:{_EXPORTER}"):
                return 1, host
    if one.target and one.target.path and _contains_word(one.target.path.lower(), word):
        return 3, one.target.path
    if one.name and one.name.lower() in (word, *re.split(r"[\s:=/,]+", word)):
        return 2, repr(one.name)
    return None


def _by_text(one: TargetSettings, words: str) -> Fit | None:
    lower = words.lower()
    phrases = [
        phrase for phrase in one.text if _contains_word(" ".join(phrase.lower().split()), " ".join(lower.split()))
    ]
    if phrases:
        return Fit((1, 3), f"text {max(phrases, key=len)!r}")
    places = [one.target.node] if one.target else []
    if one.target and one.target.sentinels:
        places = [f"{host}:{port}" for host, port in one.target.sentinels]
    for rank, literal in ((2, places), (1, [one.name] if one.name else [])):
        for name in literal:
            if _contains_word(name.lower().removeprefix("unix:"), lower):
                return Fit((1, rank), f"{name} in its text")
    return None


def _contains_word(word: str, text: str) -> bool:
    """Whether a text contains a whole word, not continued by a letter, digit, dot, dash or underscore."""
    inside = r"[\w-]|\.\w"
    return re.search(rf"(?<![\w.-]){re.escape(word)}(?!{inside})", text) is not None


def _display_name(one: TargetSettings, number: int) -> str:
    return one.name or (one.target.node if one.target else f"the {number + 1}. target")


def _targets(targets: Sequence[TargetSettings]) -> str:
    shown = [_display_name(one, number) for number, one in enumerate(targets)]
    return ", ".join(shown[:_SHOWN]) + (f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "")


def _labels_text(ticket: Ticket) -> str:
    """Its labels, as written in a rule."""
    pairs = list(dict.fromkeys(pair for labels in ticket.labels for pair in _pairs(labels)))
    more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    return f"the labels {', '.join(pairs[:_SHOWN])}{more}" if pairs else "no labels, and no target's name in its text"


def _pairs(labels: Labels) -> Iterator[str]:
    for name, values in labels.items():
        for value in values:
            yield f"{printable(name[:40])}={printable(value[:60])}"
