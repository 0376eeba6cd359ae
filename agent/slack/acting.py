"""Buttons and dialogs: what each asks for, by whom, and whether it was issued for that."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from agent.answer.taxonomy import CAUSES
from agent.service.journal import say
from agent.service.records import Feedback, Incident, Verb
from agent.service.seam import Full, NotSo
from agent.slack import views
from agent.slack.approving import allowed, change_of, issued
from agent.slack.desk import Desk, Refused, name_of
from agent.slack.progress import DECIDED, undecided
from agent.slack.sealed import Forged, Place, Sealed
from agent.slack.starting import chosen
from agent.slack.workspace import SlackError
from agent.tickets.ticket import object_of, objects_of, text_of
from tools.errors import RediagnoseError, UsageError
from tools.gate.apply import VALID_FOR
from tools.text import printable

STOLEN = "this button wasn't issued for this thread; nothing was done"
EXPIRED = "this dialog is older than {minutes:.0f} minutes, and the server has moved on; open it again"


class NotDone(NamedTuple):
    """What a dialog asked for wasn't done."""

    why: str
    place: Place | None
    """The thread that it's about; null if it isn't known."""
    user: str


async def click(desk: Desk, body: Mapping[str, Any]) -> None:
    """Do what a button is for, or say to whoever pressed it why not."""
    container, user = object_of(body.get("container")), text_of(object_of(body.get("user")).get("id"))
    message = text_of(container.get("message_ts"))
    thread = text_of(container.get("thread_ts")) or text_of(object_of(body.get("message")).get("thread_ts")) or message
    place = Place(
        team=text_of(object_of(body.get("team")).get("id")), channel=text_of(container.get("channel_id")), thread=thread
    )
    clicked = next(iter(objects_of(body.get("actions"))), {})
    try:
        await _clicked(desk, body, place, message, user, clicked)
    except SlackError as error:
        say(str(error))
    except (Refused, Forged, NotSo, Full, UsageError) as refused:
        if isinstance(refused, UsageError):
            say(f"slack: {refused}")
        why = "the settings can't be used here" if isinstance(refused, UsageError) else str(refused)
        try:
            await desk.tell(place, user, why)
        except SlackError as error:
            say(str(error))


async def _clicked(
    desk: Desk, body: Mapping[str, Any], place: Place, message: str, user: str, clicked: Mapping[str, Any]
) -> None:
    if place.team != desk.workspace.me.team or not user or not message:
        raise Refused(STOLEN)
    if clicked.get("action_id") == "target":
        picked = text_of(object_of(clicked.get("selected_option")).get("value"))
        await chosen(desk, place, user, picked, message)
        return
    sealed = desk.seals.opened(text_of(clicked.get("value")))
    if sealed.place != place or sealed.what != clicked.get("action_id"):
        raise Refused(STOLEN)
    thread, incident = await issued(desk, sealed)
    # Somebody may be quicker than we note which message it is.
    if thread.message not in (None, message):
        raise Refused("this button is of an earlier message; use the newest one")
    trigger = text_of(body.get("trigger_id"))
    match sealed.what:
        case "evidence" | "plan":
            if (answer := incident.diagnosis) is None:
                raise Refused("there is no answer yet")
            view = views.evidence(answer) if sealed.what == "evidence" else views.plan(answer)
            await desk.workspace.open(trigger, view)
        case "again":
            await desk.member(user)
            await desk.service.look_again(incident.id, name_of(user))
        case "wrong":
            await desk.member(user)
            await desk.workspace.open(trigger, views.wrong(_kept(desk, sealed, user)))
        case "decide" | "roll-back":
            await allowed(desk, incident, user)
            await _pending(desk, incident, sealed.step)
            made = await change_of(desk, sealed, incident)
            await desk.workspace.open(trigger, views.decision(made, _kept(desk, sealed, user)))


def _kept(desk: Desk, sealed: Sealed, user: str) -> str:
    """What a dialog brings back: the button's value, and for whom and when it was opened."""
    return desk.seals.seal(sealed.model_copy(update={"user": user, "at": desk.clock.now().timestamp()}))


async def _pending(desk: Desk, incident: Incident, step: str) -> None:
    """Raise `Refused` if a decision about this step is being carried out."""
    if about := undecided(await desk.service.history(incident.id, DECIDED)).get(step):
        raise Refused(f"{step}: {about.replace('<@', '@').replace('>', '')}; it counts once")


async def submit(desk: Desk, body: Mapping[str, Any]) -> NotDone | None:
    """Take what a dialog was sent with; null if that is done."""
    view, user = object_of(body.get("view")), text_of(object_of(body.get("user")).get("id"))
    sealed: Sealed | None = None
    try:
        sealed = desk.seals.opened(text_of(view.get("private_metadata")))
        team = text_of(object_of(body.get("team")).get("id"))
        name = {"decide": "decision", "roll-back": "decision", "wrong": "wrong"}.get(sealed.what)
        ours = sealed.user == user and sealed.place.team == team == desk.workspace.me.team
        if not (ours and user and name and view.get("callback_id") == name):
            raise Refused("this dialog wasn't opened for you; nothing was done")
        _, incident = await issued(desk, sealed)
        if sealed.what == "wrong":
            await desk.member(user)
            await desk.service.judge(incident.id, _feedback(view, user))
            return None
        if desk.clock.now().timestamp() > sealed.at + VALID_FOR.total_seconds():
            raise Refused(EXPIRED.format(minutes=VALID_FOR.total_seconds() / 60))
        await allowed(desk, incident, user)
        await _pending(desk, incident, sealed.step)
        made = await change_of(desk, sealed, incident)
        verb: Verb = "roll-back" if sealed.what == "roll-back" else "approve"
        await desk.service.decide(incident.id, made.decided(verb, name_of(user)))
    except RediagnoseError as error:
        why = str(error)
        if isinstance(error, UsageError):
            say(f"slack: {error}")
            why = "the settings can't be used here"
        return NotDone(f"{why[:1].upper()}{why[1:]}.", sealed.place if sealed else None, user)
    return None


def _feedback(view: Mapping[str, Any], user: str) -> Feedback:
    values = object_of(object_of(view.get("state")).get("values"))
    cause = object_of(object_of(object_of(values.get("cause")).get("cause")).get("selected_option")).get("value")
    note = text_of(object_of(object_of(values.get("note")).get("note")).get("value"))
    return Feedback(
        by=name_of(user), at=datetime.now(UTC), verdict="wrong",
        cause=cause if isinstance(cause, str) and cause in CAUSES else None,
        note=printable(note)[: views.NOTE_MOST].strip(),
    )  # fmt: skip
