"""Targets, the connection that is held to each node, and the readings of a server."""
