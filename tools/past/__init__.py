"""The past of a server, as a Prometheus kept it."""
