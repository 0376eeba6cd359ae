"""What is true of all clients, and what only of those that were seen."""

from agent.evidence.view import View


def all_seen(view: View) -> bool:
    """Whether every client was looked at: what no client of a sample has isn't ruled out."""
    share = view.number("clients", "share_seen")
    return share is None or share >= 1
