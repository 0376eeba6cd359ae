"""Words of others that try to be a mention, a link, a picture or markup in Markdown, in a chat or at a relay."""

import random
import re
from collections.abc import AsyncIterator

from agent.report.markup import in_chat, in_markdown, in_plain_chat, unexpanded, unlinked
from evals.attacks.attempt import Attempt

HOLDS = "no text of others becomes a mention, a link, a picture or markup in Markdown, in a chat or at a relay"
PIECES = (
    "@here", "@all", "@octocat", "<!here>", "<@U1>", "<#C1>", "![x](https://e.example)", "[x](//e.example)", "[x][y]",
    "https://e.example", "HtTpS://e.example", "www.e.example", "e.example", "mailto:a@e.example", "<img src=x>", "#1",
    "#general", ":x:", "*b*", "_i_", "~s~", "`c`", "||s||", "\n# h", "\n- i", "\u200b", "\u202e", "&lt;!here&gt;", "\\",
    "<users/all>", "@everyone", "<t:0:R>", "<:x:1>", "<@&1>", "<at>all</at>", "{{DATE(0)}}", "${x}", "@{x()}", "-# s",
    "&#60;users/all&#62;", "```x```", "<https://e.example|x>", "__u__", "> q", "</cmd:1>",
)  # fmt: skip
_LIVE = re.compile(r"@\w|[a-z]://|www\.|#\w|:x:|\]\(|\]\[|<[!@#a-z]|\n", re.IGNORECASE)
_UNESCAPED = re.compile(r"(?<!\\)(?:\\\\)*[\[\]`*~|<]|@\w|[a-z]://|www\.|:x:|\n", re.IGNORECASE)


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Pieces of markup, put together at random, in each form."""
    for _ in range(tries):
        words = rng.choice(("", " ")).join(rng.choices(PIECES, k=rng.randint(1, 8)))
        found = _UNESCAPED.search(in_markdown(words))
        relayed = unlinked(words).replace("\n", " ")
        chat = in_chat(words)
        live = _LIVE.search(chat) or _LIVE.search(relayed) or re.search(r"[<`*~|]", chat)
        plain, card = in_plain_chat(words), unexpanded(words)
        live = live or _LIVE.search(plain) or re.search(r"[<>`*~|\\]|&[#\w]|(?<![A-Za-z0-9])_|^[->#]", plain)
        live = live or _LIVE.search(card) or re.search(r"[{$@%]\{|<\w", card)
        what = f"{words!r}: {(found or live)}"
        yield Attempt(repr(words)[:60], not found and not live, what)
