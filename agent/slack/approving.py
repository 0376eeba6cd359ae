"""Who may approve, and whether what they were shown is still what would be done."""

import asyncio

from agent.service.history import data_of
from agent.service.proposal import Kind, Proposal
from agent.service.records import Incident
from agent.slack.desk import Desk, Refused, name_of
from agent.slack.progress import DECIDED, askers
from agent.slack.sealed import Sealed, mark_of, offered
from agent.slack.threads import Thread

VERBS = {"decide": "approved", "roll-back": "undone"}


async def allowed(desk: Desk, incident: Incident, user: str) -> None:
    """Raise `Refused` for somebody who may not approve changes of an incident's target."""
    await desk.member(user)
    rules = (await desk.table()).approval_of(incident.target)
    if not rules:
        raise Refused(f"the settings name nobody who may approve changes of {incident.target} in Slack")
    is_listed = any(user in one.users for one in rules)
    for group in dict.fromkeys(group for one in rules for group in one.groups):
        is_listed = is_listed or user in await desk.workspace.members(group)
    if not is_listed:
        raise Refused(f"you aren't among those who may approve changes of {incident.target}")
    if any(one.four_eyes for one in rules):
        asked = askers(await desk.service.history(incident.id, ("submitted",)))
        if name_of(user) in asked:
            raise Refused("you asked for this look, so somebody else has to approve what it proposes (four_eyes)")


async def issued(desk: Desk, sealed: Sealed) -> tuple[Thread, Incident]:
    """The thread and the incident that a button was issued for. Raises `Refused` if they are others by now."""
    thread = await asyncio.to_thread(desk.threads.at, sealed.place)
    if thread is None or thread.incident != sealed.incident:
        raise Refused("this button is of an earlier incident of this thread; use the newest message")
    if (found := await desk.service.incident(sealed.incident)) is None:
        raise Refused("this incident is no longer kept")
    return thread, found


async def change_of(desk: Desk, sealed: Sealed, incident: Incident) -> Proposal:
    """The change that a button was issued for. Raises `Refused` if it's no longer what would be done."""
    kind: Kind = "roll-back" if sealed.what == "roll-back" else "decide"
    if incident.state != "answered" or incident.diagnosis is None:
        raise Refused(f"this incident is {incident.state}; its steps aren't offered now")
    history = await desk.service.history(incident.id, DECIDED)
    about = [one for one in map(data_of, (event for event in history if event.kind == "decided"))
             if one.get("step") == sealed.step]  # fmt: skip
    step = next((one for one in incident.diagnosis.plan if one.id == sealed.step), None)
    made = None if step is None else offered(step, kind)
    if made is None or mark_of(made) != sealed.mark:
        by = f" Decided by {about[-1].get('by')}." if about else ""
        state = step.state.replace("-", " ") if step else "no longer in the plan"
        raise Refused(f"what this button was for is no longer what would be done: {sealed.step} is {state}.{by}")
    return made
