"""Whose clients send a command, as far as the client list shows."""

from agent.evidence.view import Cited, View

JUST_NOW = 8
"""Seconds for which a connection is new."""


def sender_at(view: View, command: str) -> str:
    """The largest group of clients whose last command it was, such as `g2`; empty if none is shown.

    A primary's link (M) sends nothing of its own: it passes on what clients sent there.
    """
    for number in range(1, 21):
        here = view.text("clients", f"g{number}.cmd") == command
        if here and "M" not in view.text("clients", f"g{number}.flags"):
            return f"g{number}"
    return ""


def sender(view: View, command: str) -> str:
    """Who last sent a command (in lower case), by name or else by address; empty if unknown."""
    at = sender_at(view, command)
    address = view.text("clients", f"{at}.address") if at else ""
    return (view.text("clients", f"{at}.name") if at else "") or (f"the application at {address}" if address else "")


def cited(view: View, command: str) -> tuple[Cited, ...]:
    """What that was read from."""
    at = sender_at(view, command)
    if not at:
        return ()
    name = "name" if view.text("clients", f"{at}.name") else "address"
    return ("clients", f"{at}.cmd"), ("clients", f"{at}.{name}")


def killed(view: View) -> float:
    """How often CLIENT KILL was called over the window."""
    return view.number("commandstats", "client|kill.calls.delta") or 0


def may_kill(view: View) -> str:
    """Who may have ended all others' connections, such as `o2`, where CLIENT KILL isn't counted by itself (before 7.0).

    Its last command is CLIENT, and everybody else has come since, within seconds; empty if it isn't so.
    """
    if not view.number("commandstats", "client.calls.delta"):
        return ""
    rows = view.rows("clients", "o")
    sent = [number for number, row in rows.items() if row.get("cmds") == "client"]
    if len(sent) != 1 or len(rows) < 2:
        return ""
    since, idle = rows[sent[0]].get("age_min"), rows[sent[0]].get("idle_max")
    ages = [row.get("age_max") for number, row in rows.items() if number != sent[0]]
    young = all(isinstance(age, (int, float)) and age <= JUST_NOW for age in ages)
    came_first = isinstance(since, (int, float)) and since > JUST_NOW
    return f"o{sent[0]}" if young and came_first and isinstance(idle, (int, float)) and idle <= JUST_NOW else ""
