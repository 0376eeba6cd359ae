"""Access tokens for Azure Resource Manager by the usual chain of Azure's own tools, within bounds."""

from collections.abc import Callable

from azure.core.exceptions import AzureError

from tools.connection.entra import azure_chain
from tools.errors import Unanswered
from tools.redact import hide_secrets


def chained(manager: str) -> Callable[[], str]:
    """What gives a valid token for a cloud's Resource Manager. It blocks, and raises `Unanswered`."""
    chain = azure_chain()

    def token() -> str:
        try:
            return chain.get_token(f"https://{manager}/.default").token
        except (AzureError, OSError, ValueError) as error:
            why = hide_secrets(str(error).strip().partition("\n")[0])[:160].rstrip(".")
            remedy = "see which identity this machine has, or run az login"
            raise Unanswered("noauth", f"no token of Microsoft Entra ID: {why}; {remedy}") from None

    return token
