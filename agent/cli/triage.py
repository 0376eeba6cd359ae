"""`rediagnose triage`: one command, one answer."""

import argparse

from rich.console import Console

from agent.cli.inputs import target_of
from agent.cli.investigate import _finish, investigate
from agent.cli.program import FAILED
from agent.investigation.investigation import Investigation
from agent.remediation.audit import ForbiddenLog


async def triage(args: argparse.Namespace) -> int:
    """Investigate and print the answer. Raises `UsageError` for input that can't be used."""
    target, symptom = target_of(args)
    if not args.notify:
        return await investigate(args, target, symptom)
    # They load on first use: most investigations notify nobody.
    from agent.tickets.notify import notified, webhooks

    told = webhooks(args.notify)

    async def finish(args: argparse.Namespace, incident: Investigation, heard: ForbiddenLog, out: Console) -> int:
        status = await _finish(args, incident, heard, out)
        return status if await notified(told, incident.answer()) else FAILED

    return await investigate(args, target, symptom, finish)
