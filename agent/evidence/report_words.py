"""Words of a report, read as meant: what it says did not happen isn't reported."""

import re

from tools.patterns import deferred, possible

_CLAUSE = deferred(r"[.,;:!?\n]|\b(?:but|and|yet|although|though)\b", re.IGNORECASE)
"""Where a denial ends."""
_DENIED = deferred(
    r"\b(?:no|not|never|without|neither|nor|none|cannot|\w{1,8}n['\u2019]t|"
    r"(?:do|does|did|is|are|was|were|has|have|had|ca|could|wo|would|should|must)nt)\b"
    r"(?:\W+(?!(?:since|after|at|during|because|when|while|until|as|from|on|in|by|with|only|just|"
    r"surviv\w*|outlive\w*|outlast\w*|last|persist|stay|stick|hold|keep|remain)\b)\w{1,32}){0,2}\W{0,4}\Z",
    re.IGNORECASE,
)
"""A denial and at most two words after it: "did not restart", "no recent restart", "without any restart".

But where a setting "didn't survive a restart", the restart did happen.
"""
_BEFORE = 120
"""How many characters before a word are searched for a denial."""


def mention(words: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first of these words that a report uses without denying it."""
    if not possible(words, text):
        return None
    for match in words.finditer(text):
        if not denied(text[max(0, match.start() - _BEFORE) : match.start()]):
            return match
    return None


def denied(before: str) -> bool:
    """Whether what stands before some words denies them."""
    return _DENIED.search(_CLAUSE.split(before[-_BEFORE:])[-1]) is not None
