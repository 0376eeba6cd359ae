"""Which provider is asked about a managed server."""

from tools.providers.found import Place, Provider


def provider_of(place: Place) -> Provider | None:
    """Who is asked about a server; None for a service whose interface isn't known.

    Raises `UsageError` if neither the address nor the settings say which resource it is.
    """
    if place.service in ("elasticache", "memorydb"):
        from tools.providers.aws import Aws

        return Aws(place)
    if place.service in ("azure", "azure-managed"):
        from tools.providers.azure import Azure

        return Azure(place)
    if place.service in ("memorystore", "memorystore-cluster", "memorystore-valkey"):
        from tools.providers.google import Google

        return Google(place)
    return None
