"""Targets, the connection that is held to each node, and what may be sent over it."""
