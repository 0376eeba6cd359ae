"""Whether the service that runs a server is asked itself, and about which resource."""

from datetime import datetime

from tools.clock import Clock
from tools.connection.credentials import AwsIam
from tools.connection.managed import of_host, services
from tools.connection.target import Target
from tools.errors import UsageError
from tools.providers.choice import provider_of
from tools.providers.found import Place
from tools.providers.reading import Managed
from tools.settings.file import settings_for


def managed_of(wanted: bool | None, target: Target, clock: Clock, at: datetime | None) -> Managed | None:
    """Whoever runs the server, if its address or its settings say which resource it is, unless nobody is to be asked.

    `wanted` is what a person said of it; None for nothing. Raises `UsageError` where it's asked for in vain.
    """
    if wanted is False:
        return None
    settings = settings_for(target)
    named, identity, profile = settings.resource, settings.identity, None
    by_host = of_host(target.host)
    service = target.service or (by_host.id if by_host else None)
    if service is None or not (named or by_host or wanted):
        if wanted or named:
            why = "neither its address nor its settings say whose service it is"
            raise UsageError(f'--provider: {target.node}: {why}; give service = "elasticache" or the like for it')
        return None
    if isinstance(identity, AwsIam):
        named, profile = named or f"{identity.region}/{identity.cache}", identity.profile
    try:
        provider = provider_of(Place(service, target.host or "", named, profile))
    except UsageError as error:
        if wanted or named:
            raise UsageError(f"{target.node}: {error}") from None
        return None
    if provider is None:
        if wanted or settings.resource:
            raise UsageError(
                f"--provider: {services()[service].name} has no interface that is known here; leave it out"
            )
        return None
    return Managed(clock, provider, at)
