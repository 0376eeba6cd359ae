"""What a model tells a person to do by hand: what nobody should do, and why; the rest is unverified advice."""

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

from tools.gate.policy import refusal_of_advice
from tools.patterns import deferred

_ACTS: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "advice.toml").read_text(encoding="utf-8"))
_NEGATED = deferred(
    r"\b(?:do\s+not|don'?t|must\s+not|should\s+not|shouldn'?t|cannot|can'?t|never|without|instead\s+of|rather\s+than|"
    r"no\s+need\s+(?:to|for)|avoid(?:ing)?)\s+(?:(?:a|an|any|the|to)\s+)?(?=\w)|"
    r"\b(?:(?<!you\s)(?<!nothing\s)may\s+not|(?:isn'?t|is\s+not|aren'?t|are\s+not)\s+(?:allowed|permitted)\s+to|"
    r"(?:lacks?|has\s+no)\s+(?:the\s+)?(?:right|permission)\s+to)\s+(?:run|use|send|call|execute)\s+(?=\w)"
)  # fmt: skip
"""What comes before an act that a text rejects, or says that somebody has no right to."""
_PATTERNS = {name: deferred(rf"(?<![a-z])(?:{'|'.join(act['words'])})", re.IGNORECASE) for name, act in _ACTS.items()}
_SPACED = deferred(r"(?<!\w)(?:\w[\s._*-]{1,2}){3,}\w(?!\w)")
_LOOKALIKES = str.maketrans("аеорсухіѕԁһӏκνορτι", "aeopcyxisdhlkvopti")
"""Letters of other alphabets that look like Latin ones."""
_DIGITS = dict(zip("013457$@", "oleastsa", strict=True))
_URGES = deferred(
    r"(?:^|[.;:,!?(]\s*|\b(?:please|just|then|now|first|next|finally|simply|should|must|can|could|would|may|might|you|"
    r"we|i'd|"
    r"i|let'?s|try|recommend|suggest|advise|consider|propose|need|needs|want|best|better|ahead|to|and|or|by|safe|fix|"
    r"solution|remedy|run|execute|apply|approved|bitte|jetzt|sofort)\s+(?:\w+\s+){0,2})$",
    re.IGNORECASE,
)
_URGED_AFTER = deferred(
    r"[^.!?;\n]{0,60}?\b(?:(?:is|are)\s+(?:approved|allowed|needed|required|recommended|safe|the\s+(?:answer|fix|remedy|"
    r"solution))|do\s+(?:it|that|so|this)|at\s+once)\b",
    re.IGNORECASE,
)
_CHECKED = ("LATIN", "CYRILLIC", "GREEK", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "MODIFIER")
"""Scripts in which some of the words are known, or that occur in units."""
UNREADABLE = ("advice in a script that can't be checked", "nobody knows here what it says; ask for it in English")
_COMMON = frozenset(
    re.findall(r"\w+", "only the a an to or of in on it its by as at with and that such all more just every from")
)


def act_of(text: str, *, urged: bool = False) -> tuple[str, str] | None:
    """The act in a text that nobody should be told to do, and why; null if there is none.

    `urged` is for prose, which may merely mention an act: then only what is urged counts.
    """
    if not all(map(_is_checked, unicodedata.normalize("NFKC", text))):
        return UNREADABLE
    for plain in _readable(text):
        negated = [match.end() for match in _NEGATED.finditer(plain)]
        for name, pattern in _PATTERNS.items():
            for match in pattern.finditer(plain):
                if match.start() not in negated and not (urged and not _is_urged(plain, match)):
                    return name, str(_ACTS[name]["why"])
    if not urged and (why := refusal_of_advice(text)):
        return "what policy forbids", why
    return None


def repeats(text: str, avoided: str) -> bool:
    """Whether a text advises what a runbook's `avoid` warns against: it has all the words of the warning."""
    head = re.split(r"[;,]|\bwhich\b|\bfor\b", avoided)[0]
    terms = {_stem(word) for word in re.findall(r"[A-Za-z0-9_@+-]{2,}", head)} - _COMMON
    held = {_stem(word) for plain in _readable(text) for word in re.findall(r"[A-Za-z0-9_@+-]{2,}", plain)}
    return bool(terms) and terms <= held


def _stem(word: str) -> str:
    return re.sub(r"(?:ing|ed|es|s|e)$", "", word.lower()) or word.lower()


def _readable(text: str) -> tuple[str, ...]:
    """The ways to read a text: without marks and invisible characters, with l e t t e r s joined, in one alphabet."""
    whole = _visible(unicodedata.normalize("NFKC", text)).casefold()
    plain = unicodedata.normalize("NFC", _visible(unicodedata.normalize("NFKD", text))).casefold()
    joined = _SPACED.sub(lambda match: re.sub(r"[\s._*-]", "", match[0]), plain)
    latin = joined.translate(_LOOKALIKES)
    bare = re.sub(r"(?<=\w)[`'\"*_~|^]+(?=\w)", "", latin)
    spelt = re.sub(r"(?<=[a-z0-9$@])[013457$@](?=[a-z013457$@])", lambda digit: _DIGITS[digit[0]], bare)
    return tuple(dict.fromkeys((whole, plain, joined, latin, bare, spelt)))


def _visible(text: str) -> str:
    hidden = ("Mn", "Cf", "Cc")
    return "".join(one for one in text if one in "\n\t" or unicodedata.category(one) not in hidden)


def _is_urged(text: str, match: re.Match[str]) -> bool:
    word = re.match(r"\w+", match[0])
    if word and word[0].endswith("ed"):
        return False
    # What urges is known in English only.
    foreign = any(letter > "\u024f" for letter in match[0])
    return foreign or bool(_URGES.search(text[: match.start()]) or _URGED_AFTER.match(text, match.end()))


def _is_checked(letter: str) -> bool:
    if letter.isascii() or not letter.isalpha():
        return True
    return unicodedata.name(letter, "").partition(" ")[0] in _CHECKED
