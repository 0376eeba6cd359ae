"""The past of a server, from Prometheus."""
