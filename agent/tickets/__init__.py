"""Tickets and alerts: read, matched to a server, answered with a comment."""
