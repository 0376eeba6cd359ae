"""Credentials in free text (symptoms, tickets, errors): found by the form in which people and programs write them.

A form with a marker of its own (a URL, `name=value`, a quoted command, a prompt) hides everything in it. A bare command
word in a sentence, as in "AUTH fails with WRONGPASS", hides what follows unless that is a word of prose.
"""

import re
from collections.abc import Callable
from pathlib import Path

from tools.patterns import deferred

HIDDEN = "***"
SECRET_NAMES = (
    "requirepass", "masterauth", "primaryauth", "masteruser", "primaryuser", "tls-key-file-pass",
    "tls-client-key-file-pass", "sentinel-pass", "sentinel-user",
)  # fmt: skip
"""Parameters that are secret, or half of one."""
SECRET_LOOKING = deferred(r"pass(?!ive)|secret|auth-?token|access-?token|api-?key|credential", re.IGNORECASE)
"""Names of parameters, for instance of modules, whose values count as secrets."""
KNOWN_PARAMETER = deferred(
    r"maxmemory(-\w+)*|maxclients|timeout|tcp-(keepalive|backlog)|save|appendonly|appendfsync|hz|dynamic-hz|databases|"
    r"(auto-)?aof-[\w-]+|no-appendfsync-on-rewrite|(slowlog|commandlog|latency|client|repl|replica|slave|cluster|rdb|"
    r"lazyfree|active|lfu|lua|busy|stop-writes|min-(replicas|slaves)|acllog|hash|list|set|zset|stream|io-threads)"
    r"(-[a-z]+)*|activedefrag|activerehashing|notify-keyspace-events|loglevel|protected-mode|dir|dbfilename|bind|port|"
    r"oom-score-adj|disable-thp|tracking-table-max-keys|proto-max-bulk-len|shutdown-[\w-]+",
    re.IGNORECASE,
)
"""Parameters whose values aren't secret; anything not listed could be a module's password."""
MOST_TEXT = 2**20
"""Most characters of one text that are kept."""
NEARBY = 512
"""Characters after a command within which a rule shows that what follows isn't prose."""
_LONG_WORD = deferred(r"\S{2048,}")
"""Longer than any word of prose, and as long as some tokens: hidden in full."""
_LONG_SPACE = deferred(r"(\s{256})\s+")
PROSE = frozenset(Path(__file__).with_name("prose.txt").read_text(encoding="utf-8").split())
"""Words that follow a command's name in a sentence."""
_NL = r"(?:\r\n|\\r\\n)"
_GAP = r"[ \t\u00a0\u2000-\u200b\u202f\u205f\u3000\ufeff]"
"""A space, or what one becomes on a web page, in a chat or in a word processor."""
_SPACE = rf"(?:{_GAP}+|{_GAP}*,{_GAP}*|[^\S\n]{{0,256}}\n\s{{0,256}}(?:\d{{1,9}}\)\s{{0,256}})+|{_NL}\$\d+{_NL})"
"""Between the words of a command: also a list's comma, redis-cli's numbered lines, the protocol's lengths."""
_QUOTED = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"""
_BARE = rf"(?:(?!{_NL})\S)+?(?=[.,;:!?)\]}}\"'`]{{0,6}}(?:\s|{_NL}|$))"
_WORD = rf"(?:{_QUOTED}|{_BARE})"
_VALUE = rf"(?:{_QUOTED}|(?:(?![&,;]\s*[\w.-]+=|[,;.)\]}}\"'`]{{0,6}}(?:\s|{_NL}|$))\S)+)"
_PASSWORD = r"(?:passw(?:or)?d|passphrase|pwd)"
_CLAUSE = (
    r"(?-i:an?|and|because|but|every|he|it|its|no|nobody|one|she|so|some|that|the|there|these|they|this|those|we|which|"
    r"you)[ \t]+(?-i:[a-z])"
)
"""How a sentence goes on after a colon."""
_FIRST_RULE = r"(?:on|off|reset\w*|nopass|(?:skip-)?sanitize-payload)\b"
_RULE = deferred(r"""(?:^|[\s"'])[><#!](?!\d+[a-z%]{0,2}\b)[^\s"']""")
"""A rule with a password or its digest; ">500ms" is none."""
_SECRET = "|".join(map(re.escape, SECRET_NAMES))
_KEY = r"(?:(?:api|access|account|primary|secondary|encryption)[_-]?key)"
_NAMED = rf"(?:pass(?:w(?:or)?d|phrase)?|pwd|secret|token|{_KEY}|auth|credentials?|{_SECRET})"
_BECAME = r"(?:(?:is|was|has\s+been)\s+)?(?:changed|reset|rotated|set|updated)\s+"
_TOKEN = (
    r"\b(?:(?:gh[pousr]_|github_pat_|glpat-|sk-|ya29\.)[\w-]{20,1024}|(?:xox[a-z]|xapp)-[\w-]{10,1024}"
    r"|eyJ[\w-]{8,1024}\.eyJ[\w-]{2,1024}\.[\w-]{0,1024})"
)
"""Tokens that are known by how they begin."""


def _compile(pattern: str) -> re.Pattern[str]:
    return deferred(pattern, re.IGNORECASE | re.MULTILINE)


def _hidden_word(word: str) -> str:
    """A word hidden, its quotes left in place."""
    return f"{word[0]}{HIDDEN}{word[0]}" if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else HIDDEN


Replacement = tuple[str, int]
"""What replaces a match, and where to continue in the text: what was examined and left isn't examined again."""


def _hide_all(match: re.Match[str]) -> Replacement:
    """Hides what follows `head` word by word."""
    return match["head"] + _words_hidden(match["rest"]), match.end()


def _words_hidden(rest: str) -> str:
    return _EACH_WORD.sub(lambda one: one[1] or _hidden_word(one[0]), rest)


def _unless_prose(words: int) -> Callable[[re.Match[str]], Replacement]:
    """Hides this many words after `head`, as long as they aren't words of prose."""

    def hide(match: re.Match[str]) -> Replacement:
        text, out, at = match.string, match["head"], match.end("head")
        for _ in range(words):
            if _UNLIKELY.match(text, at) or not (found := _NEXT_WORD.match(text, at)):
                break
            word = found["word"]
            if word[0] not in "\"'" and word.lower().strip(".,;:!?)") in PROSE:
                break
            out, at = out + found["space"] + _hidden_word(word), found.end()
        return out, at

    return hide


def _hide_config_values(match: re.Match[str]) -> Replacement:
    """CONFIG SET's pairs: a value stays only if its parameter is known and not secret."""
    text, out, at = match.string, match["head"], match.end("head")
    while (named := _NEXT_WORD.match(text, at)) and _PARAMETER.fullmatch(named["word"]):
        name = named["word"].strip("\"'").lower()
        found = None if name in PROSE else _NEXT_WORD.match(text, named.end())
        if not found or found["word"].lower() in PROSE:
            break
        known = KNOWN_PARAMETER.fullmatch(name) and not is_secret(name)
        # A known one's value may be of several words; what follows another's first word is a pair, or prose.
        value = found["word"] if known else _hidden_word(found["word"])
        out += named[0] + found["space"] + value
        at = found.end()
    return out, at


def _hide_acl_rules(match: re.Match[str]) -> Replacement:
    """ACL SETUSER's whole list of rules, unless a sentence continues there."""
    text, at = match.string, match.end()
    first = _NEXT_WORD.match(text, at)
    word = first["word"].strip("\"'").lower() if first else ""
    if not first or (word in PROSE - {"on", "off"} and not _RULE.search(text[at : at + NEARBY].partition("\n")[0])):
        return match[0], at
    rules = _RULES.match(text, at)
    assert rules is not None
    return (match[0] + (_words_hidden(rules[0]) if "\n" in rules[0] else f" {HIDDEN}")), rules.end()


def _hide_acl_line(match: re.Match[str]) -> Replacement:
    """A user's line of an ACL file or of ACL LIST, if it has a password in it."""
    return (f"{match['head']} {HIDDEN}" if _RULE.search(match["rest"]) else match[0]), match.end()


def _hide_block(match: re.Match[str]) -> Replacement:
    """The lines between two marks."""
    lines = match["rest"].splitlines()
    return f"{match['head']}\n{HIDDEN}\n" if len(lines) > 1 else f"{match['head']}{HIDDEN}", match.end()


def _hide_in_command_line(match: re.Match[str]) -> Replacement:
    """A command line of redis-cli and similar tools: -a, and AUTH in any case."""
    return _replace_matches(_AUTH_WORD, _hide_all, _replace_matches(_OPTION_A, _hide_all, match[0])), match.end()


def _hide_userinfo(match: re.Match[str]) -> Replacement:
    """The part before the @."""
    return f"{match['scheme']}{HIDDEN}@", match.end()


def _replace_matches(pattern: re.Pattern[str], how: Callable[[re.Match[str]], Replacement], text: str) -> str:
    out: list[str] = []
    at = 0
    while match := pattern.search(text, at):
        done, end = how(match)
        out += (text[at : match.start()], done)
        at = max(end, match.start() + 1)
    return "".join((*out, text[at:]))


_EACH_WORD = deferred(rf"({_SPACE})|{_WORD}")
_NEXT_WORD = deferred(rf"(?P<space>{_SPACE})(?P<word>{_WORD})")
_UNLIKELY = deferred(rf"{_SPACE}[-(\[]")
"""What a password after a bare word never begins with."""
_PARAMETER = deferred(r"[\"']?[A-Za-z][^\s]{0,127}")
_RULES = deferred(rf"(?:{_SPACE}[^\n]+)+")
_OPTION_A = deferred(rf"(?P<head>\s-a\s+)(?P<rest>{_WORD})")
_AUTH_WORD = deferred(rf"(?i)(?P<head>\sauth(?=\s))(?P<rest>(?:[ \t]+{_WORD}){{1,2}})")
_AFTER = rf"(?:{_SPACE}{_WORD})"
_B = r"(?:\b|(?<=\\n))"
"""Where a command's name begins: also after an escaped line break."""
_Q = r"[\"'`]?"
_MARKS = deferred(
    r"://|@|pass|pwd|secret|token|api|auth|credential|bearer|user|config|(?:redis|valkey|keydb)-|[0-9a-f]{64}|"
    r"(?:access|account|primary|secondary|encryption)[_-]?key|private key|beginning with|gh[pousr]_|github_|glpat-|"
    r"sk-|ya29|xox|xapp|eyj",
    re.IGNORECASE,
)
"""Without any of these none of the forms below occurs: most texts have none."""
_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Replacement]], ...] = (
    # Redis URLs up to their last @, for passwords that weren't encoded; others up to the first, within the authority.
    (_compile(r"(?P<scheme>(?:rediss?|valkeys?|unix|redis\+\w+)://)(?:(?!://)\S)*@"), _hide_userinfo),
    (_compile(r"(?P<scheme>[a-z][a-z0-9+.-]{0,30}://)[^\s/?#]*@"), _hide_userinfo),
    (_compile(rf"(?P<head>{_NAMED}[\"']?\]?\s*(?:=>|:?=)\s*)(?P<rest>{_VALUE})"), _hide_all),
    (_compile(rf"(?P<head>{_NAMED}[\"']\s*:\s*)(?P<rest>{_QUOTED}|[^\s,}}]+)"), _hide_all),
    # INFO's own line of AUTH's calls is none.
    (_compile(rf"(?P<head>(?:{_PASSWORD}|secret|_auth(?!:calls=\d)|{_KEY}|(?:auth|access)[_-]?token|"
              rf"{_SECRET}):[ \t]*)(?!{_CLAUSE})(?P<rest>{_VALUE})"), _hide_all),
    (_compile(rf"(?P<head>\bpass:[ \t]*)(?P<rest>(?=\S{{0,64}}[a-z])(?=\S{{0,64}}[\d!@#$%^&*]){_VALUE})"), _hide_all),
    (_compile(rf"(?P<head>(?:\b|set_?|with_?){_PASSWORD}\(\s*)(?P<rest>{_QUOTED})"), _hide_all),
    (_compile(rf"(?P<head>name:\s*[\"']?[\w.-]{{0,64}}?{_NAMED}[\"']?\s*,?\s*value:\s*)(?P<rest>{_VALUE})"), _hide_all),
    # From a name's first character: a path's is behind its slash only where it's a mark.
    (
        _compile(r"(?P<scheme>(?:(?<![\w.+@/*-])|(?<=[@/*])(?=[.+-])))[\w.+-]*:(?!//)\S{1,1024}@(?=[\w\[])"),
        _hide_userinfo,
    ),
    (_compile(rf"(?P<head>\bauthorization:\s*(?:\w+\s+)?|\bbearer\s+)(?P<rest>{_WORD})"), _hide_all),
    (
        _compile(rf"(?P<head>\b{_PASSWORD}\s+(?:{_BECAME}to|is|was|to)\s+)"
                 rf"(?P<rest>(?=[^\s\d!@#$%^&*]*[\d!@#$%^&*]){_WORD})"),
        _hide_all,
    ),
    (_compile(rf"(?P<head>with args beginning with:[ \t]*)(?P<rest>{_WORD}(?:{_GAP}+{_WORD}){{0,255}})"), _hide_all),
    (_compile(r"(?P<head>-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)(?P<rest>(?:(?!-----END)[\s\S])*)"), _hide_block),
    (deferred(_TOKEN), lambda match: (HIDDEN, match.end())),
    (_compile(rf"(?P<head>--[\w-]{{0,64}}?{_NAMED}(?:\s+|=))(?P<rest>{_WORD})"), _hide_all),
    (_compile(r"\b(?:redis|valkey|keydb)(?:-\w+)+[^\n]*"), _hide_in_command_line),
    # Commands. HELLO and MIGRATE say how many arguments their AUTH has, so they come before AUTH alone.
    (_compile(rf"(?P<head>{_B}HELLO{_Q}{_SPACE}{_Q}\d{_Q}{_SPACE}{_Q}AUTH{_Q})(?P<rest>{_AFTER}{{1,2}})"), _hide_all),
    (_compile(rf"(?P<head>{_B}AUTH2{_Q})(?P<rest>{_AFTER}{{1,2}})"), _hide_all),
    (_compile(rf"(?P<head>{_B}MIGRATE{_Q}{_AFTER}{{5,7}}?{_SPACE}{_Q}AUTH{_Q})(?P<rest>{_AFTER})"), _hide_all),
    (_compile(rf"(?P<head>{_B}ACL{_Q}{_SPACE}{_Q}SETUSER{_Q}{_AFTER})(?={_SPACE}\S)"), _hide_acl_rules),
    (_compile(rf"(?P<head>\buser\s+\S+)(?P<rest>[ \t]+{_FIRST_RULE}[^\n\"']*)"), _hide_acl_line),
    (_compile(r"(?P<head>^[ \t]*user\s+\S+)(?P<rest>[ \t]+[><#!]\S[^\n]*)"), _hide_acl_line),
    (_compile(rf"(?P<head>{_B}CONFIG{_Q}{_SPACE}{_Q}SET{_Q})(?={_SPACE}\S)"), _hide_config_values),
    (_compile(rf"(?P<head>\bauth[-_](?:pass|user){_Q})(?={_SPACE}\S)"), _unless_prose(2)),
    (_compile(rf"(?P<head>{_B}(?:{_SECRET}){_Q})(?={_SPACE}\S)"), _unless_prose(1)),
    (_compile(r"(?P<head>\bAUTH\(\s*)(?P<rest>[^)\n]+)"), _hide_all),
    (_compile(rf"(?P<head>[\"'>`$#]\s*AUTH{_Q})(?P<rest>{_AFTER}{{1,2}})"), _hide_all),
    (_compile(rf"(?P<head>^[ \t]*AUTH)(?={_AFTER}{{1,2}}[ \t]*$)"), _unless_prose(2)),
    (deferred(rf"(?P<head>{_B}AUTH)(?={_SPACE}\S)"), _unless_prose(2)),
    (_compile(rf"(?P<head>\bauth)(?={_SPACE}[a-z]*[^\sa-z.,;:)'\"-])"), _unless_prose(1)),
    (_compile(r"(?<!sha256:)(?<![0-9a-f])#?[0-9a-f]{64}(?![0-9a-f])"), lambda match: (HIDDEN, match.end())),
)  # fmt: skip


def hide_secrets(text: str) -> str:
    """The text with its credentials hidden, in whatever form they were written; the rest stays readable."""
    if len(text) > MOST_TEXT:
        text = f"{text[:MOST_TEXT]}… ({len(text) - MOST_TEXT} characters more)"
    text = _LONG_SPACE.sub(r"\1", _LONG_WORD.sub(HIDDEN, text))
    if not _MARKS.search(text):
        return text
    for pattern, how in _FORMS:
        text = _replace_matches(pattern, how, text)
    return text


def is_secret(parameter: str) -> bool:
    """Whether a parameter's value is a secret, or looks like one."""
    return parameter.lower() in SECRET_NAMES or SECRET_LOOKING.search(parameter) is not None
