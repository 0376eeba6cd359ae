"""Commands whose time goes into freeing memory."""

from agent.evidence.view import View

DELETES = frozenset(("DEL", "UNLINK", "EXPIRE", "PEXPIRE", "FLUSHDB", "FLUSHALL"))
"""Commands whose time goes into freeing what they delete."""


def frees(view: View, command: str) -> bool:
    """Whether a command's time goes into freeing: RENAME has no other work than freeing what it overwrites.

    From 8.0 on, Valkey does that in another thread by default, so something else holds its RENAME up.
    """
    return command in DELETES or (command == "RENAME" and not view.text("info", "valkey_version"))
