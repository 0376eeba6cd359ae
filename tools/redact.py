"""What never leaves `tools/`: secrets; and other people's text, which leaves as a handle only."""

import re
from collections.abc import Mapping

PLAIN = re.compile(r"[A-Za-z0-9_.:-]{1,32}")
"""Identifiers that pass as they are; everything else that others wrote becomes a handle."""
SECRET_PARAMETERS = frozenset(
    {"requirepass", "masterauth", "primaryauth", "tls-key-file-pass", "tls-client-key-file-pass", "masteruser",
     "primaryuser"}
)  # fmt: skip
HIDDEN = "***"
_URL_SECRET = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s/@]*@", re.IGNORECASE)
_KNOWN_ERRORS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), text)
    for pattern, text in (
        (r"^ERR max number of clients.*", "ERR max number of clients reached"),
        (r"^ERR unknown (sub)?command.*", r"ERR unknown \1command"),
        (r"^NOAUTH .*", "NOAUTH Authentication required"),
        (r"^ERR invalid password.*", "ERR invalid password"),
        (r"^WRONGPASS .*", "WRONGPASS invalid username-password pair or user is disabled"),
        (r"^NOPERM .*?'([a-z|-]{1,32})' command.*", r"NOPERM no permission to run '\1'"),
        (r"^NOPERM .*", "NOPERM no permission"),
        (r"^DENIED .*", "DENIED protected mode: a passwordless server takes connections from loopback only"),
        (r"^LOADING .*", "LOADING the dataset is being loaded into memory"),
        (r"^BUSY .*FUNCTION KILL.*", "BUSY a function is running; FUNCTION KILL would end it"),
        (r"^BUSY .*SCRIPT KILL.*", "BUSY a script is running; SCRIPT KILL would end it"),
        (r"^BUSY .*", "BUSY a script or function is running"),
        (r"^MISCONF .*", "MISCONF writes are refused because persistence fails"),
        (r"^UNKILLABLE .*", "UNKILLABLE the script already wrote"),
        (r"^NOTBUSY .*", "NOTBUSY no script is running"),
    )
)


class Handles:
    """Other people's text by handle. One text always has the same handle; only a person looks behind it."""

    def __init__(self) -> None:
        self._by_text: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def plain(self, what: str, text: str) -> str:
        """The text if it's a plain short identifier or empty, else its handle, as in `client#7`."""
        if not text or PLAIN.fullmatch(text):
            return text
        if (what, text) not in self._by_text:
            self._counts[what] = self._counts.get(what, 0) + 1
            self._by_text[what, text] = f"{what}#{self._counts[what]}"
        return self._by_text[what, text]

    def error(self, text: str) -> str:
        """An error of the server in our own words; one that isn't known keeps its first word only."""
        for pattern, known in _KNOWN_ERRORS:
            if match := pattern.match(text):
                return match.expand(known)
        head, _, rest = text.partition(" ")
        return f"{self.plain('error', head)} {self.plain('error', rest)}".strip()

    def revealed(self) -> Mapping[str, str]:
        """Handle to text, without the secrets that can be told."""
        return {handle: hide_secrets(text) for (_, text), handle in self._by_text.items()}


def hide_secrets(text: str) -> str:
    """The text with the credentials of URLs hidden."""
    return _URL_SECRET.sub(rf"\g<scheme>{HIDDEN}@", text)


def hide_parameters(values: Mapping[str, str]) -> dict[str, str]:
    """CONFIG GET's reply with the secret parameters hidden, by the names that came back."""
    return {name: HIDDEN if name.lower() in SECRET_PARAMETERS and value else value for name, value in values.items()}
