"""This program as an agent of a live task: python -m evals.live_tasks.own URL TICKET [MODEL].

It approves its own plan, which nothing but a server of the lab may have done to it: step by step, through the gate,
until one is verified. It works on loopback only.
"""

import asyncio
import ipaddress
import sys
from urllib.parse import urlsplit

from agent.cli.inputs import TriageInputs
from agent.investigation.investigation import Investigation
from agent.investigation.pipeline import run as investigate
from agent.remediation.approval import ApprovalRequest, Decisions
from agent.remediation.site import site_of
from evals.lab.examine import ignore
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.redact import hide_secrets


class _Approver:
    """Says yes to one step after the other until one did what it was for, and then to others of its kind."""

    def __init__(self, case: Investigation) -> None:
        self._case = case

    async def approve(self, request: ApprovalRequest) -> bool:
        print(f"asked: {request.change.action}", flush=True)
        done = {_kind(step.action) for step in self._case.planned.steps if step.state == "verified"}
        return not done or _kind(request.change.action) in done


def _kind(action: str) -> str:
    """A command without what it's about: a second terminal is closed like the first."""
    words = action.split()
    return " ".join(words[:3] if words[:2] == ["CONFIG", "SET"] else words[:2])


async def act(url: str, ticket: str, model: str) -> None:
    """Investigate, and carry out what is proposed."""
    setup = TriageInputs(model=model).setup(parse_target(url, environ={}), hide_secrets(ticket), SystemClock())
    case = setup.investigation(SystemClock(), ignore)
    try:
        await investigate(case, setup.model)
        print(f"found: {', '.join(cause.id for cause in case.answer().causes) or case.answer().outcome}", flush=True)
        site = site_of(case, lambda entry: None)
        await Decisions(case, site, _Approver(case), lambda line: print(line, flush=True), "lab").all()
    finally:
        await case.close()


def main(arguments: list[str]) -> int:
    """Act on a server of this machine; 2 for any other."""
    url, ticket, model = (*arguments, "offline")[:3]
    host = urlsplit(url).hostname or ""
    if not ipaddress.ip_address(host).is_loopback:
        print(f"{host}: only a server on loopback, which the lab has started", file=sys.stderr)
        return 2
    asyncio.run(act(url, ticket, model))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
