"""Checking many targets at once: which are faulty, and which are approaching a limit."""
