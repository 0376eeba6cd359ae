"""What never leaves `tools/`: secrets; and other people's text, which leaves as a handle only."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

from tools.credentials import HIDDEN as HIDDEN
from tools.credentials import SECRET_NAMES
from tools.credentials import hide_secrets as hide_secrets
from tools.credentials import is_secret as is_secret
from tools.patterns import deferred

PLAIN = deferred(r"[A-Za-z0-9_.:-]{1,32}")
"""Identifiers that pass as they are; everything else that others wrote becomes a handle."""
SECRET_PARAMETERS = frozenset(SECRET_NAMES)
_HANDLE = deferred(r"\b([a-z_]{1,32})#(\d{1,6})\b")
_TRUNCATED = deferred(r"\.\.\. \(\d+ more bytes\)$")
_KNOWN_ERRORS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (deferred(pattern, re.IGNORECASE | re.DOTALL), text)
    for pattern, text in (
        (r"^ERR max number of clients.*", "ERR max number of clients reached"),
        (r"^ERR unknown (sub)?command.*", r"ERR unknown \1command"),
        (r"^NOAUTH .*", "NOAUTH Authentication required"),
        (r"^ERR invalid password.*", "ERR invalid password"),
        (r"^WRONGPASS .*", "WRONGPASS invalid username-password pair or user is disabled"),
        (r"^NOPERM .*?'([a-z|-]{1,32})' command.*", r"NOPERM no permission to run '\1'"),
        (r"^NOPERM .*", "NOPERM no permission"),
        (r"^DENIED .*", "DENIED protected mode: a server without a password accepts connections from loopback only"),
        (r"^LOADING .*", "LOADING the dataset is being loaded into memory"),
        (r"^BUSY .*FUNCTION KILL.*", "BUSY a function is running; FUNCTION KILL would end it"),
        (r"^BUSY .*SCRIPT KILL.*", "BUSY a script is running; SCRIPT KILL would end it"),
        (r"^BUSY .*", "BUSY a script or function is running"),
        (r"^MISCONF .*", "MISCONF writes are refused because persistence fails"),
        (r"^UNKILLABLE .*", "UNKILLABLE the script already wrote"),
        (r"^NOTBUSY .*", "NOTBUSY no script is running"),
        (r"^OOM .*", "OOM writes are refused: used memory is above maxmemory"),
        (r"^READONLY .*", "READONLY writes are refused: this is a read-only replica"),
        (r"^MASTERDOWN .*", "MASTERDOWN the link to the primary is down and stale data isn't served"),
        (r"^NOMASTERLINK .*", "NOMASTERLINK the link to the primary is down"),
        (r"^NOREPLICAS .*", "NOREPLICAS writes are refused: too few good replicas"),
        (r"^NOGOODSLAVE .*", "NOGOODSLAVE no replica is good enough to be promoted"),
        (r"^NOQUORUM .*", "NOQUORUM too few sentinels are reachable"),
        (r"^(MOVED|ASK) (\d{1,5}) .*", r"\1 \2 another node has this slot"),
        (r"^CLUSTERDOWN .*not served.*", "CLUSTERDOWN no node serves the slot"),
        (r"^CLUSTERDOWN .*read-?only.*", "CLUSTERDOWN the cluster is down and accepts only reads"),
        (r"^CLUSTERDOWN .*", "CLUSTERDOWN the cluster is down"),
        (r"^CROSSSLOT .*", "CROSSSLOT the keys of one command are in different slots"),
        (r"^TRYAGAIN .*", "TRYAGAIN the keys of one command are on two nodes while their slot moves"),
        (r"^WRONGTYPE .*", "WRONGTYPE the key holds another type"),
        (r"^NOGROUP .*", "NOGROUP no such stream or consumer group"),
        (r"^BUSYGROUP .*", "BUSYGROUP the consumer group exists already"),
        (r"^BUSYKEY .*", "BUSYKEY the target key exists already"),
        (r"^EXECABORT .*", "EXECABORT a transaction was dropped because of an error in it"),
        (r"^NOSCRIPT .*", "NOSCRIPT no script with that digest"),
        (r"^NOPROTO .*", "NOPROTO unsupported protocol version"),
        (r"^IOERR .*", "IOERR the other server couldn't be reached or failed"),
        (r"^INPROG .*", "INPROG a failover is in progress"),
        (r"^ERR wrong number of arguments.*", "ERR wrong number of arguments"),
        (r"^ERR syntax error.*", "ERR syntax error"),
        (r"^ERR no such key.*", "ERR no such key"),
        (r"^ERR DB index is out of range.*", "ERR DB index is out of range"),
        (r"^ERR value is not an integer.*", "ERR value is not an integer or out of range"),
        (r"^ERR operation not permitted.*", "ERR operation not permitted"),
        (r"^ERR Protocol error.*", "ERR Protocol error"),
        (r"^ERR This instance has cluster support disabled.*", "ERR this instance has cluster support disabled"),
        (r"^ERR (?:Unknown|Unsupported) (?:option|CONFIG parameter).*", "ERR unknown parameter"),
        (r"^ERR Error compiling script.*", "ERR a script doesn't compile"),
        (r"^ERR Error running script.*", "ERR a script failed"),
    )
)


class Pseudonyms:
    """Other people's text by handle. One text always has the same handle; only a person looks behind it.

    A text that contains a known secret never passes, and even a person sees it without that.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._by_text: dict[tuple[str, str], str] = {}
        self._texts: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._secrets: set[str] = set()
        for secret in secrets:
            self.add_secret(secret)

    def add_secret(self, text: str) -> None:
        """From now on nothing that contains this passes, as it is or in a URL's encoding."""
        if text:
            self._secrets |= {text, quote(text, safe=""), quote_plus(text)}

    def knows(self, text: str) -> bool:
        """Whether a text contains a known secret."""
        return any(secret in text for secret in self._secrets)

    def plain(self, what: str, text: str) -> str:
        """The text if it's a plain short identifier or empty, else its handle, as in `client#7`."""
        if not text or (PLAIN.fullmatch(text) and self._clean(text) == text):
            return text
        if (what, text) not in self._by_text:
            self._counts[what] = self._counts.get(what, 0) + 1
            handle = f"{what}#{self._counts[what]}"
            self._by_text[what, text] = handle
            self._texts[handle] = text
        return self._by_text[what, text]

    def skip(self, text: str) -> None:
        """Don't give out the handles in a text: they were given elsewhere, and mean something else there."""
        for what, number in _HANDLE.findall(text):
            self._counts[what] = max(self._counts.get(what, 0), int(number))

    def text(self, handle: str) -> str | None:
        """The text behind a handle, to be sent back to the server: it never leaves `tools/`. None for no handle."""
        return self._texts.get(handle)

    def error(self, text: str) -> str:
        """An error of the server in our own words; one that isn't known keeps its first word only."""
        for pattern, known in _KNOWN_ERRORS:
            if match := pattern.match(text):
                return match.expand(known)
        head, _, rest = text.partition(" ")
        return f"{self.plain('error', head)} {self.plain('error', rest)}".strip()

    def hide(self, text: str) -> str:
        """Free text without the known secrets, and without what is written like a credential."""
        return hide_secrets(self._clean(text))

    def revealed(self) -> Mapping[str, str]:
        """Handle to text, for a person: without secrets, known ones and those written like one."""
        return {handle: self.hide(text) for handle, text in self._texts.items()}

    def _clean(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        if match := _TRUNCATED.search(text):
            # The server cuts long arguments, and what it leaves of a secret is still a secret.
            head = text[: match.start()]
            for secret in self._secrets:
                cut = next((n for n in range(len(secret), 3, -1) if head.endswith(secret[:n])), 0)
                if cut:
                    return head[:-cut] + HIDDEN + match[0]
        return text


def hide_parameters(values: Mapping[str, str]) -> dict[str, str]:
    """CONFIG GET's reply with the secret parameters hidden, by the names that came back."""
    return {name: HIDDEN if value and is_secret(name) else value for name, value in values.items()}
