"""Where the model is: an OpenAI-style endpoint, or a deployment on Azure."""

import contextlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent.model.errors import EndpointError
from agent.model.extras import Extras
from agent.model.request import ABILITIES
from agent.model.selection import at_azure
from tools.http import ACCEPTED, bounded

MOST_BYTES = 9 * 2**20
"""Limit of one answer on the wire, above what is accepted as one."""

if TYPE_CHECKING:
    from httpx2 import AsyncBaseTransport
    from openai import AsyncOpenAI


RESPONDING = "api.openai.com"
"""The host known to support the Responses API."""


def abilities_of(extras: Extras, base_url: str | None, environ: Mapping[str, str] = os.environ) -> set[str]:
    """What an endpoint is assumed to understand before it was asked."""
    named = base_url or environ.get("OPENAI_BASE_URL")
    host = None if at_azure(environ) else RESPONDING
    if named:
        # An invalid address is reported where the client is created from it.
        with contextlib.suppress(ValueError):
            host = None
            host = urlsplit(named).hostname
    form = extras.form or ("responses" if host == RESPONDING else "chat")
    return {*ABILITIES, *({"responses"} if form == "responses" else ())}


def api_key_of(given: str | None, base_url: str | None) -> str:
    """The key to send. Local endpoints need none, but the client insists on one."""
    name = "AZURE_OPENAI_API_KEY" if base_url is None and at_azure(os.environ) else "OPENAI_API_KEY"
    return (given or os.environ.get(name) or "none").strip()


def openai_client(
    key: str, base_url: str | None, timeout: float, transport: "AsyncBaseTransport | None" = None
) -> "AsyncOpenAI":
    """The client, without retries of its own.

    Raises `EndpointError` for an invalid address. `transport` carries its requests in place of the network.
    """
    # It takes most of a second to load, which the checks alone shouldn't have to pay.
    from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAsyncHttpxClient

    def unmoved(seconds: float) -> DefaultAsyncHttpxClient:
        # The library's own client would send the prompt wherever a redirect points. Answers are bounded below the
        # library, which reads an error's body in full by itself.
        return DefaultAsyncHttpxClient(
            follow_redirects=False, timeout=seconds, transport=transport, headers=ACCEPTED,
            event_hooks=bounded(MOST_BYTES),
        )  # fmt: skip

    azure = base_url is None and at_azure(os.environ)
    variable = "AZURE_OPENAI_ENDPOINT" if azure else "OPENAI_BASE_URL"
    try:
        if azure:
            # With a token of Entra ID (AZURE_OPENAI_AD_TOKEN) there is no key.
            given = None if key == "none" else key
            return AsyncAzureOpenAI(api_key=given, max_retries=0, timeout=timeout, http_client=unmoved(timeout))
        return AsyncOpenAI(
            api_key=key, base_url=base_url or None, max_retries=0, timeout=timeout, http_client=unmoved(timeout)
        )
    except Exception as error:
        example = "https://NAME.openai.azure.com" if azure else "http://HOST/v1"
        raise EndpointError(f"{variable} can't be used ({type(error).__name__}); give {example}") from None
