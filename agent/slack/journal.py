"""What Slack's own library complains about, as lines of the journal."""

import logging
import re

from agent.service.journal import say

_SOCKET = re.compile(r"wss?://\S+")


class _Lines(logging.Handler):
    """Prints each complaint on one line; the address of a socket contains a secret."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"slack: {_SOCKET.sub('its socket', record.getMessage().partition(chr(10))[0])[:300]}")


def journal() -> logging.Logger:
    """The logger that Slack's library is given."""
    logger = logging.getLogger("rediagnose.slack")
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(_Lines())
    return logger
