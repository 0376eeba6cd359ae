"""Whether a server is somebody's managed service, and whose."""

from agent.evidence.view import View
from tools.connection.managed import SYSTEM, Service, of_host, of_info, services

SILENT = "itself said nothing"
"""What is said of a service whose own interface couldn't be asked."""
TOOL = "service"
"""The reading that says which service runs a target, where its settings or its address do."""


def service_of(view: View) -> Service | None:
    """The service that runs a node: as the settings have it, as its address says, or as INFO does; else None."""
    said = view.text(TOOL, "service")
    return (services().get(said) if said else None) or of_host(view.node) or of_info(view.get("info", SYSTEM))
