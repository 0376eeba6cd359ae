"""rediagnose in Slack: an incident that is led in the thread where the alert landed."""
