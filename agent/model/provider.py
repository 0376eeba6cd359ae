"""Where the model is: an endpoint of OpenAI's form, or a deployment at Azure."""

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
"""Of one answer, more than what is taken for one."""

if TYPE_CHECKING:
    from httpx2 import AsyncBaseTransport
    from openai import AsyncOpenAI


RESPONDING = "api.openai.com"
"""The host that is known to have the Responses form."""


def abilities_of(extras: Extras, base_url: str | None, environ: Mapping[str, str] = os.environ) -> set[str]:
    """What an endpoint is taken to understand before it was asked."""
    named = base_url or environ.get("OPENAI_BASE_URL")
    host = None if at_azure(environ) else RESPONDING
    if named:
        # What is no address is reported where the client is made of it.
        with contextlib.suppress(ValueError):
            host = None
            host = urlsplit(named).hostname
    form = extras.form or ("responses" if host == RESPONDING else "chat")
    return {*ABILITIES, *({"responses"} if form == "responses" else ())}


def api_key_of(given: str | None, base_url: str | None) -> str:
    """The key to send. Local endpoints take none, and the client insists on one."""
    name = "AZURE_OPENAI_API_KEY" if base_url is None and at_azure(os.environ) else "OPENAI_API_KEY"
    return (given or os.environ.get(name) or "none").strip()


def openai_client(
    key: str, base_url: str | None, timeout: float, transport: "AsyncBaseTransport | None" = None
) -> "AsyncOpenAI":
    """The client, without retries of its own. Raises `EndpointError` for an address that can't be one.

    `transport` carries its requests in the network's place.
    """
    # It takes most of a second to load, which the checks alone shouldn't cost.
    from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAsyncHttpxClient

    def unmoved(seconds: float) -> DefaultAsyncHttpxClient:
        # The library's own would take the prompt to wherever a redirect points. Answers are bounded below the library,
        # which reads an error's body by itself and whole.
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
