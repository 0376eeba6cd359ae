"""Credentials that are tokens of a cloud's identity service: for whom, and where they come from."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr

from tools.records import Record


class EntraId(Record):
    """Microsoft Entra ID, for Azure Managed Redis and Azure Cache for Redis. Needs the extra `azure`."""

    type: Literal["entra"]
    identity: Literal["default", "managed"] = "default"
    """`default` is what Azure's own tools use (the environment, a workload or managed identity, `az login`)."""
    client_id: str | None = None
    """Client id of a user-assigned managed identity."""
    user: str | None = None
    """The Redis user; null for the token's own object id."""
    scope: str = "https://redis.azure.com/.default"


class AwsIam(Record):
    """IAM authentication of Amazon ElastiCache or MemoryDB. Needs the extra `aws`."""

    type: Literal["aws-iam"]
    user: str
    """The Redis user, whose id and name are the same."""
    cache: str
    """Name of the replication group, the serverless cache or the MemoryDB cluster."""
    region: str
    service: Literal["elasticache", "memorydb"] = "elasticache"
    serverless: bool = False
    profile: str | None = None
    """Of the AWS configuration; null for its default chain of credentials."""


def _by_name(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


Credentials = Annotated[EntraId | AwsIam, Field(discriminator="type"), BeforeValidator(_by_name)]
"""As settings have them: `"entra"` alone, or a table with `type` and the rest."""


class Token(Record):
    """A token and its user."""

    username: str
    secret: SecretStr
    ends: float
    """When it expires: seconds since 1970."""
