"""`rediagnose mcp`: answers an assistant over the standard streams."""

from importlib.util import find_spec

from agent.cli.mcp_inputs import McpInputs, means_of
from agent.cli.program import ANSWERED
from tools.errors import UsageError


async def mcp(inputs: McpInputs) -> int:
    """Answer until the assistant ends. Raises `UsageError` for options that can't be used."""
    if find_spec("mcp") is None:
        raise UsageError("mcp isn't installed; pip install 'rediagnose[mcp]'")
    means = means_of(inputs, urls=inputs.allow_urls)
    # They are read again for each incident, but what is wrong is said at the start.
    means.targets()
    # Not with the command: the SDK needs a package that commands are loaded without.
    from agent.mcp.stdio import serve

    await serve(means)
    return ANSWERED
