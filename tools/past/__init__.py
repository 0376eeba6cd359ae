"""A server's history, from Prometheus."""
