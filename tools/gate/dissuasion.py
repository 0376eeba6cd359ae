"""What a text rejects: an act that it tells people not to do isn't one it advises."""

import re

from tools.patterns import deferred

_ACT = (
    r"[`'\"*]{0,3}(?:(?:redis|valkey)-cli[ \t]+)?(?:FLUSHALL|FLUSHDB|SCRIPT[ \t]+FLUSH|SHUTDOWN|SWAPDB|"
    r"CONFIG[ \t]+(?:RESETSTAT|REWRITE)|DEBUG[ \t]+\w+|KEYS[ \t]+\*|CLIENT[ \t]+KILL(?:[ \t]+TYPE[ \t]+\w+)?|"
    r"(?:REPLICAOF|SLAVEOF)(?:[ \t]+NO[ \t]+ONE)?|MONITOR|(?:a[ \t]+)?restart(?:ing|s)?|reboot(?:ing)?|flush(?:ing)?|"
    r"kill(?:ing)?|(?:a[ \t]+)?fail(?:ing)?[ -]?over|promot(?:e|ing)|delet(?:e|ing)|wip(?:e|ing))\b"
    r"(?:[ \t]+(?:ASYNC|SYNC|NOW|NOSAVE|SAVE)\b)?[`'\"*]{0,3}"
)
_ALSO = rf"(?:,?[ \t]+(?:or|nor)[ \t]+(?:to[ \t]+)?{_ACT})*"
_BEFORE = deferred(
    r"\b(?:do[ ]not|don['\u2019]?t|must[ ]not|mustn['\u2019]?t|should[ ]not|shouldn['\u2019]?t|"
    r"never|would[ ]not|wouldn['\u2019]?t|"
    r"will[ ]not|won['\u2019]?t|cannot|can['\u2019]?t|not[ ]going[ ]to|no[ ](?:need|reason)[ ]to|refuse[ ]to|"
    r"avoid|against|instead[ ]of|rather[ ]than|(?:not[ ]safe|unsafe|dangerous)[ ]to)"
    r"(?:[ \t]+(?:ever|run|running|execut(?:e|ing)|us(?:e|ing)|call|calling|issu(?:e|ing)|send|sending|try|trying|"
    rf"recommend|advise|suggest|propose|type|apply|perform(?:ing)?|to|an?|the|any))*[ \t]+{_ACT}{_ALSO}",
    re.IGNORECASE,
)
"""A refusal, with nothing between it and the act except connecting words."""
_AFTER = deferred(
    rf"{_ACT}{_ALSO}[ \t]+(?:(?:is|are|would[ ]be)[ ](?:not|never)[ ](?:safe|"
    r"an?[ ](?:option|answer|fix|remedy|solution)|"
    r"the[ ](?:answer|fix|remedy|solution)|advised|recommended|needed|necessary)|isn['\u2019]t[ ](?:safe|"
    r"an[ ](?:option|answer)|"
    r"the[ ](?:answer|fix|remedy|solution)|advised|needed|necessary)|(?:is|are|would[ ]be)[ ](?:unsafe|dangerous|"
    r"forbidden|destructive|wrong|the[ ]wrong[ ]\w+|out[ ]of[ ]the[ ]question)|deletes|destroys|wipes|loses|throws|"
    r"would[ ](?:delete|destroy|wipe|lose|empty|drop|remove|erase|throw))\b",
    re.IGNORECASE,
)
"""An act whose harm is stated by a sentence that begins with it."""
_LACKS = deferred(
    r"(?P<who>\b(?:its|the|this|that|their)[ ](?:user|account|login|role|client)[ ](?:may[ ]not|"
    r"(?:is|are)(?:[ ]not|n['\u2019]?t)[ ](?:allowed|permitted)[ ]to|lacks[ ]the[ ]right[ ]to)"
    rf"[ ](?:run|use|send|call|execute)[ ]){_ACT}",
    re.IGNORECASE,
)
"""What somebody else has no right to, which tells nobody to do it."""
_TURNS = deferred(
    r"\b(?:until|unless|except|before|without|only|yet|later|twice|enough|but|however|(?:al)?though|still|anyway|right|"
    r"fine|ok(?:ay)?|safe|good|best|fix\w*|solv\w*|help\w*|needed|want\w*)\b|\?\s*$",
    re.IGNORECASE,
)
"""What, after a refusal, may revoke it or make it conditional."""
_DOUBLED = deferred(
    r"\b(?:not|\w+n['\u2019]t|dont|never|no|nothing|without|stop|ignor\w*|forget|disregard\w*|wrong|myth|why)\b",
    re.IGNORECASE,
)
"""What, before a refusal, may reverse it."""
_TAKEN_BACK = deferred(
    r"(?<!n['\u2019]t )(?<!not )(?<!never )\b(?:(?:do|run|execute|apply|use|send|type)[ ](?:it|that|this|them|so)|"
    r"go[ ]ahead|"
    r"anyway|second[ ]thought|actually|kidding|in[ ]fact|opposite|nevertheless|nonetheless|ignore|disregard)\b",
    re.IGNORECASE,
)
_SENTENCES = deferred(r"[^.!?;\n]*[.!?;\n]*")
_OPENING = deferred(r"\s*(?:no|sorry)?[,:.]?\s*", re.IGNORECASE)
SAID = "…"
"""Replaces what was refused."""


def without_refused(text: str) -> str:
    """The text without the acts that it clearly rejects; all of it if anything may revoke a refusal."""
    if _TAKEN_BACK.search(text):
        return text
    return _SENTENCES.sub(lambda found: _unspoken(found[0]), _LACKS.sub(rf"\g<who>{SAID}", text))


def _unspoken(sentence: str) -> str:
    opening = _OPENING.match(sentence)
    begun = opening.end() if opening else 0
    found = [(one, False) for one in _BEFORE.finditer(sentence)] + [(one, True) for one in _AFTER.finditer(sentence)]
    kept, at = "", 0
    for one, has_to_begin in sorted(found, key=lambda each: each[0].start()):
        before = sentence[begun : one.start()].strip()
        turned = before if has_to_begin else _DOUBLED.search(before)
        if one.start() >= at and not turned and not _TURNS.search(sentence[one.end() :]):
            kept, at = f"{kept}{sentence[at : one.start()]}{SAID}", one.end()
    return kept + sentence[at:]
