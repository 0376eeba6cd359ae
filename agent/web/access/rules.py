"""Which request needs what: the first rule that fits, and an approver where none does."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from agent.service.records import Person, Role

Need = Literal["nothing", "signature", "submit", "read", "approve"]
"""`signature`: the route itself checks who sent it, and nobody is signed in there."""
GRANTS: dict[Need, frozenset[Role]] = {
    "submit": frozenset({"sender", "approver"}),
    "read": frozenset({"reader", "approver"}),
    "approve": frozenset({"approver"}),
}
"""What each need is met by."""
HEALTH = ("/healthz", "/readyz")
SMALL, LARGE = 64 * 2**10, 2**20
"""Most bytes of a body: of a form or a decision; of an alert or a ticket."""


class Rule(NamedTuple):
    """What requests of a kind need, and how large they may be."""

    need: Need
    methods: tuple[str, ...]
    path: re.Pattern[str]
    most: int = SMALL

    @property
    def open(self) -> bool:
        """Whether anybody may ask."""
        return self.need in ("nothing", "signature")


_READING = ("GET", "HEAD")
RULES: Sequence[Rule] = (
    Rule("nothing", _READING, re.compile(r"/(healthz|readyz|favicon\.ico)")),
    Rule("nothing", _READING, re.compile(r"/static/.+")),
    Rule("signature", ("POST",), re.compile(r"/v1/webhooks/[^/]+"), LARGE),
    Rule("signature", ("POST",), re.compile(r"/slack/events"), LARGE),
    Rule("submit", ("POST",), re.compile(r"/v1/incidents"), LARGE),
    # Neither a judgement nor a question changes a server.
    Rule("read", ("POST",), re.compile(r"(/v1)?/incidents/[^/]+/(feedback|questions)")),
    # What needs an approver there, its tools check themselves.
    Rule("read", ("POST", "DELETE"), re.compile(r"/mcp"), LARGE),
    Rule("read", _READING, re.compile(r".*", re.DOTALL)),
)
_ELSE = Rule("approve", (), re.compile(r".*", re.DOTALL))


def rule_for(method: str, path: str) -> Rule:
    """The rule of a request."""
    return next((one for one in RULES if method in one.methods and one.path.fullmatch(path)), _ELSE)


def may(person: Person, need: Need) -> bool:
    """Whether somebody meets a need."""
    return bool(person.roles & GRANTS.get(need, frozenset()))
