"""OpenTelemetry traces of what happens; nothing of its libraries is loaded unless an endpoint is configured."""
