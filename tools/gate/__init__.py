"""Policy, proposals, approval and apply: the only way to change a server."""
