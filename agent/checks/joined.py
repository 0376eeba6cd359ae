"""A node of a cluster that no other node has joined."""

from agent.evidence.view import Cited, View

LONE: tuple[Cited, ...] = (
    ("cluster", "cluster_known_nodes"), ("cluster", "nodes"), ("cluster", "nodes.handshake"),
    ("cluster", "cluster_stats_messages_received"),
)  # fmt: skip


def is_alone(view: View) -> bool:
    """Whether it knows no node besides itself, except for those that never got past the greeting."""
    nodes, greeting = view.number("cluster", "nodes"), view.number("cluster", "nodes.handshake") or 0
    missing = view.number("cluster", "slots_unassigned") or 0
    return nodes is not None and nodes - greeting == 1 and missing > 0 and bool(view.number("cluster", "my_slots"))


def never_joined(view: View) -> str:
    """That nobody joined it, as a part of a sentence; else nothing."""
    if not is_alone(view):
        return ""
    greeting = view.number("cluster", "nodes.handshake") or 0
    met = (
        f"the {greeting:.0f} that it was to meet never got past the greeting"
        if greeting
        else "a CLUSTER MEET that isn't answered on the cluster bus is dropped without an error"
    )
    return f": it knows no other node, and {met}"


def lone_node(view: View) -> tuple[str, ...]:
    """This node, if nobody joined it."""
    return (str(view.node),) if is_alone(view) else ()
