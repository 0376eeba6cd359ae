"""Who calls a tool, what they may do, and how it is said that something can't be done."""

import functools
import sys
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError
from mcp.server.mcpserver.exceptions import ToolError as Failed
from mcp.shared.exceptions import MCPError

from agent.service.records import Person, Role
from tools.errors import RediagnoseError, ToolError, bug
from tools.gate.ledger import current_user
from tools.text import one_line

Given = ParamSpec("Given")
Result = TypeVar("Result")
CallerOf = Callable[[Context[Any, Any]], Person]
"""Who calls, as something other than the call itself proves."""
NAME_MOST = 60
"""Characters of a client's own name."""


def this_user() -> CallerOf:
    """Whoever started this process, who may do everything."""
    user = Person(name=current_user(), roles=frozenset({"reader", "approver", "sender"}))
    return lambda ctx: user


def of_request(ctx: Context[Any, Any]) -> Person:
    """The owner of the request's token, by the service's guard."""
    person = getattr(getattr(ctx.request_context.request, "state", None), "person", None)
    if not isinstance(person, Person):
        raise ToolError("send a token of the service: Authorization: Bearer")
    return person


def must_be(person: Person, *roles: Role) -> None:
    """Raise `ToolError` unless they have one of these roles."""
    if not person.roles & set(roles):
        raise ToolError(f"{person.name} may not do this; it takes a token whose role is {' or '.join(roles)}")


def client_of(ctx: Context[Any, Any]) -> str:
    """The client's program, as it says itself."""
    params = ctx.session.client_params
    if params is None:
        return "a client without a name"
    info = params.client_info
    return one_line(f"{info.name} {info.version}", NAME_MOST).strip() or "a client without a name"


def can_ask(ctx: Context[Any, Any]) -> bool:
    """Whether the client can put a question to a person."""
    declared = ctx.client_capabilities.elicitation if ctx.client_capabilities else None
    return declared is not None and (declared.form is not None or declared.url is None)


def spoken(tool: Callable[Given, Awaitable[Result]]) -> Callable[Given, Awaitable[Result]]:
    """The tool, so that whatever goes wrong is said in a line with its remedy, and never as a traceback."""

    @functools.wraps(tool)
    async def speaking(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return await tool(*args, **kwargs)
        except (Failed, MCPError):
            raise
        except RediagnoseError as error:
            raise Failed(one_line(str(error))) from None
        except Exception as error:
            if _is_outage(error):
                raise Failed("the service's database doesn't answer; try again") from None
            raise Failed(str(bug("the assistant's call", error))) from None

    # What an assistant gets as the tool's description.
    speaking.__doc__ = " ".join((tool.__doc__ or "").split())
    return speaking


def _is_outage(error: Exception) -> bool:
    # Only the service has a database, and its driver takes a while to load.
    if "sqlalchemy" not in sys.modules:
        return False
    from agent.service.outages import is_outage

    return is_outage(error)


def as_resource(read: Callable[Given, Awaitable[Result]]) -> Callable[Given, Awaitable[Result]]:
    """The same for what is read as a resource."""

    @functools.wraps(read)
    async def speaking(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return await spoken(read)(*args, **kwargs)
        except Failed as error:
            raise ResourceError(str(error)) from None

    return speaking
