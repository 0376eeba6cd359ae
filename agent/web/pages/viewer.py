"""Who looks at a page, as the access layer established it."""

from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request

from agent.service.records import Person


class Viewer(NamedTuple):
    """A person, and what their forms need."""

    person: Person
    csrf: str
    """The token that a form of this session carries."""
    root: str
    """What stands before every path if a proxy serves this under one of its own."""

    @property
    def may_approve(self) -> bool:
        """Whether changes, closing and new looks are offered."""
        return "approver" in self.person.roles


def viewer(request: Request) -> Viewer:
    """Whoever asks. Raises `HTTPException` for somebody that nobody established, or who may only submit."""
    person = getattr(request.state, "person", None)
    if not isinstance(person, Person):
        raise HTTPException(401, "Sign in first.")
    if not person.roles & {"reader", "approver"}:
        raise HTTPException(403, "This account may send alerts, but not read incidents.")
    return Viewer(person, str(getattr(request.state, "csrf", "")), str(request.scope.get("root_path", "")))


def approver(request: Request) -> Viewer:
    """Whoever asks, if they may approve. Raises `HTTPException`."""
    who = viewer(request)
    if not who.may_approve:
        raise HTTPException(403, "Only an approver may do that.")
    return who
