"""Targets, the connection to each node, and what may be sent over it."""
