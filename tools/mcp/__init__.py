"""Tools of a team's own MCP servers: deploys, Kubernetes events, logs elsewhere. What they say is others' words."""
