"""How people say things in a report: one list of words per meaning, whichever check asks.

What is denied isn't meant (`mention`), unless the denial is itself the expression: "jobs never run".
"""

import re

from tools.patterns import deferred

_PAST = r"(?:run|ran|arriv\w*|process\w*|handled|executed|deliver\w*|sent|done|started|picked up|consumed|work\w*)"
GONE = deferred(
    r"\b(?:keys?|data|sessions?|carts?|entries|users|everything|all|cache|database|db|redis|records?|jobs?|orders?|it|"
    r"tokens?|counters?|baskets?|everyone|everybody|customers?)\b"
    r"(?:(?!\b(?:no|not|never|n't|connections?|links?|contact|connectivity)\b)[^.,;!?\n]){0,60}"
    r"\b(?:gone|vanish\w*|disappear\w*|missing|wiped|empty|emptied|deleted|erased|cleared|flushed|purged|lost|"
    r"(?:logged|signed|kicked|thrown|booted) (?:out|off)|reset to (?:0|zero|nothing)|"
    r"no longer (?:there|exist\w*|found))\b"
    r"|\b(?:forced to|had to|have to|must|need to|asked to) (?:log|sign) ?(?:in|on) (?:again|anew|once more)\b"
    r"|\b(?:mass|sudden|random|spurious) (?:logouts?|log-outs?|sign-?outs?)\b"
    r"|\bdata loss\b|\blost (?:all |our |the )?(?:data|keys|sessions|carts|everything)\b|\bdbsize\b[^.\n]{0,20}\b0\b"
    r"|\bempty (?:redis|cache|database|carts?|baskets?)\b|\bno (?:keys|data) (?:left|any ?more|in it)\b"
    r"|\b(?:lookups?|reads?|gets?)\b[^.\n]{0,30}\b(?:miss|nil|null|nothing|none)\b"
    r"|\b(?:session|key|cart|token)s? (?:is |are |was |were )?not found\b"
    r"|\bcache miss(?:es)?\b|\bhit rate\b|\bfinds? nothing\b|\bstarts? from (?:scratch|zero|nothing)\b",
    re.IGNORECASE,
)
"""Data that is gone, and what users see of that."""
JOBS_LOST = deferred(
    r"\b(?:jobs?|tasks?|queues?|messages?|mails?|workers?|schedules?|notifications?|events?|orders?)\b[^.;!?\n]{0,80}"
    r"(?:\b(?:lost|los\w+|vanish\w*|gone|disappear\w*|missing|drop\w*|skipped|unprocessed|swallowed|silently|"
    rf"fall(?:s|ing)? through)|(?:\bnever|\bnot|n['\u2019]t) (?:be |been |being |get |got )?{_PAST})\b",
    re.IGNORECASE,
)
"""Work that was put into Redis but nobody did."""
CONNECTIONS_CLIMB = deferred(
    r"\b(connections?|clients?|connected_clients)\b[^.?!;]{0,40}\b(climb(s|ed|ing)?|grow(s|n|ing)?|grew|"
    r"ris(es|ing|en)|leak(s|ed|ing)?|pile(s|d)? up|never goes down)\b|"
    r"\bleak(s|ed|ing)?\b[^.?!;]{0,20}\b(connections?|clients?)\b",
    re.IGNORECASE,
)
"""What people say whose connections become more and more."""
MEMORY = deferred(
    r"\b(memory|ram|rss|oom|out.?of.?memory\w*|used_memory|maxmemory|swap\w*|grow(s|n|ing|th)?|grew|climb(s|ed|ing)?|"
    r"fill(s|ed|ing)?|leak(s|ed|ing)?|bloat\w*|balloon\w*)\b",
    re.IGNORECASE,
)
"""Memory: how much, and that it grows."""
TLS_IN_VAIN = deferred(
    r"\bwrong[ _]version[ _]number\b|first record does not look like a TLS handshake|plaintext connection\?|"
    r"NotSslRecordException|\brecord layer\b|\bnot an SSL/TLS record\b|ERR_SSL_WRONG_VERSION|packet length too long",
    re.IGNORECASE,
)
"""What a client that speaks TLS says of a server that doesn't."""
LASTS = deferred(
    r"\b(?:never|not|no longer|(?:does|do|did|is|are)n['\u2019]?t|without)\b[^.;!?\n]{0,40}"
    r"\b(?:expir\w*|time out|ttls?|go away|removed?|reset)\b"
    r"|\b(?:stay|stays|kept|remain|remains|live|lives) (?:for ?ever|around)\b"
    r"|\bttls?\b[^.;!?\n]{0,30}\b(?:ignored|lost|gone|missing|-1|disappear\w*|removed)",
    re.IGNORECASE,
)
"""Keys that should be gone after a time and aren't."""
OUT_OF_MEMORY = deferred(
    r"\bOOM command\b|\bOOM\b(?=.{0,40}\b(error|command|writ|refus|repl))|OutOfMemory(?:Error|Exception)|"
    r"used memory > 'maxmemory'|\bcommand not allowed when used memory\b|"
    r"\b(?:maxmemory|memory limit) (?:is |was |has been |got )?(?:reached|hit|exceeded|exhausted)\b",
    re.IGNORECASE,
)
"""What clients quote of a write refused because memory is full."""
TIMED_OUT = deferred(
    r"\btim(?:e|es|ed|ing)[- ]?outs?\b|\bdeadline exceeded\b|\bno (?:answer|response|reply)\b", re.IGNORECASE
)
"""What people and clients say if they waited in vain."""
SLOW = deferred(
    r"\bslow(er|ly|ness|ed|s)?\b|\blatenc\w+|\bspik\w+|\bfreez\w+|\bfroze\b|\bstall\w*|\bhiccup\w*|\bjitter\w*|\bp9+\b|"
    r"\bsluggish\b|\blaggy\b|\bcrawl\w*|\bunresponsive\b|"
    r"\btak(?:es?|ing) (?:\w+ ){0,3}?(?:seconds|minutes|ages|for ?ever|(?:too |so |very )?long|\d+(?:\.\d+)? ?m?s)\b",
    re.IGNORECASE,
)
"""Answers that come late."""
STALE = deferred(
    r"\b(replica\w*|slaves?|connected_slaves|stale|old data|outdated|out of date|not up[ -]to[ -]date|behind|in step|"
    r"in sync|out of sync|syncs?|resyncs?|"
    r"(?:old|previous|yesterday's) (?:values?|prices?|state|versions?|data|stock))\b|"
    r"\b(?:don't|doesn't|can't|not) (?:see|read) (?:its|their|our|the|my) (?:own )?(?:writes?|changes?|updates?)\b",
    re.IGNORECASE,
)
"""A replica that doesn't follow, and what readers see of that."""
DISCONNECTED = deferred(
    r"\b(idle|reset\w*|econnreset|epipe|broken pipe|closed|drop(s|ped|ping)?|stale|eof|disconnect\w*|overnight|"
    r"inactiv\w*|quiet|first (request|command|call|query)|after a (while|pause|break|weekend)|hang(s|ing)? up|hung up|"
    r"gone away|kicked (off|out)|cut off|(los(es|t|ing)|breaks?|broke) (its|their|the|our|my)? ?connections?|"
    r"connections? (is |are |was |were |gets? |got )?(lost|broken|killed|terminated|aborted|cut))\b",
    re.IGNORECASE,
)
"""Connections that died, mostly while nobody used them."""
SPLIT = deferred(
    r"\bsplit[- ]?brain\w*|\b(?:two|both|2|several) (?:masters|primaries|servers|nodes|sides|redis)\b|\bdiverg\w*|"
    r"\bhalf of (?:the|our|all)\b[^.\n]{0,60}\b(?:half|other|one)\b|\backnowledged writes?\b",
    re.IGNORECASE,
)
"""Data that goes to two servers which both consider themselves the primary."""
READONLY = deferred(
    r"\bREADONLY\b|read.?only (replica|slave)|can'?t write against|\bwrite against a read\b", re.IGNORECASE
)
"""What clients quote of a write that a replica refused."""
RESTARTS = deferred(
    r"\bre-?(?:start|boot)(?:s|ed|ing)?\b|\bcrash\w*|\bCrashLoopBackOff\b|\bgoes (?:down|away)\b|"
    r"\bcomes? and go(?:es)?\b|\b(?:los(?:es|t|ing)|drops?|dropped) (?:its|their|the|our|all)? ?connections?\b|"
    r"\bdies\b|\bterminat\w+\b",
    re.IGNORECASE,
)
"""A server that ends and comes back."""
REFUSED = deferred(
    r"\brefus\w+|\beconnrefused\b|\berrno (?:111|61)\b|\berror (?:111|61|10061)\b|\bactively refused\b|"
    r"\bnothing (?:is )?listen(?:s|ing)\b",
    re.IGNORECASE,
)
"""A port at which nothing listens."""
