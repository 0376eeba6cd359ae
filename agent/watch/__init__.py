"""What servers throw away, kept at a slow pace, so that a change can be dated."""
