"""A team's server made with the SDK: over its pipes, or over HTTP on the port that is given."""

import sys
from typing import Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

server = MCPServer("deploys", log_level="ERROR")
READS = ToolAnnotations(read_only_hint=True)


@server.tool(annotations=READS)
def list_deploys(service: str, limit: int = 5, since: Literal["hour", "day"] = "hour") -> str:
    """Deploys of a service, newest first."""
    lines = [f"12:0{number} {service} v{40 + number} by ann" for number in range(3, 0, -1)]
    return "\n".join([*lines[:limit], f"password=hunter2hunter2 {since}"])


@server.tool(annotations=READS)
def events(node: str, reasons: list[str] | None = None) -> dict[str, object]:
    """Kubernetes events of a node."""
    return {"node": node, "items": [{"reason": "OOMKilled", "count": 3}], "asked": reasons or []}


@server.tool(annotations=READS)
def fails(service: str) -> str:
    """Finds nothing."""
    raise ToolError(f"there is no service {service}")


@server.tool(annotations=READS)
def nested(filter: dict[str, str]) -> str:
    """Takes what a model can't be shown in little room."""
    return str(filter)


@server.tool(annotations=ToolAnnotations(read_only_hint=False))
def rollback(service: str) -> str:
    """Rolls a service back."""
    return f"rolled {service} back"


@server.tool(annotations=ToolAnnotations(destructive_hint=True))
def restart(service: str) -> str:
    """Restarts a service."""
    return f"restarted {service}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
