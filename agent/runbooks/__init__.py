"""The runbooks: read, and checked."""
