"""Readings of the machine, where the server is local."""
