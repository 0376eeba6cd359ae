"""A webhook's request, from its bytes to submissions or a refusal: the one way in."""

import hashlib
import os
from collections.abc import Mapping
from datetime import datetime

from agent.intake.body import check_size, check_type, json_object
from agent.intake.refused import Refusal, Refused, RefusedError
from agent.intake.seen import Seen
from agent.intake.signatures import Signed
from agent.intake.sns import certificates_in, check_topic, of_sns
from agent.intake.submissions import submissions
from agent.intake.verify import verify
from agent.service.records import Submission
from tools.errors import UsageError
from tools.records import Record
from tools.settings.tables import Settings
from tools.settings.webhook_table import WebhookTable


class Accepted(Record):
    """A request that is proven and understood."""

    wanted: tuple[Submission, ...] = ()
    """What it asks for; nothing, if it's about neither the beginning nor the end of an incident, or came before."""
    keys: tuple[str, ...] = ()
    """What is to be remembered of it once what it asks for is kept; nothing, unless it was signed."""


def receive(
    name: str, headers: Mapping[str, str], body: bytes, settings: Settings, seen: Seen, now: datetime,
    environ: Mapping[str, str] = os.environ,
) -> Accepted | Refused:  # fmt: skip
    """What a request to the webhook of this name asks for, or why it is refused.

    It raises nothing of its own. `now` is aware of its time zone.
    """
    lower = {key.lower(): value for key, value in headers.items()}
    try:
        webhook = _webhook(name, settings)
        check_size(body)
        signed = verify(webhook, lower, body, now, environ)
        check_type(lower, webhook.kind)
        content = json_object(body)
        if webhook.proof == "sns" and webhook.certificate_file:
            signed = of_sns(content, certificates_in(webhook.certificate_file), now)
        if webhook.kind == "cloudwatch":
            check_topic(content, webhook.topic, raw=webhook.proof != "sns")
        targets = {one.name.lower(): one.name for one in settings.targets if one.name}
        wanted = submissions(webhook, lower, content, targets)
        if signed is None:
            return Accepted(wanted=wanted)
        return Accepted(wanted=wanted if _is_new(webhook, signed, seen, now) else (), keys=_keys(webhook, signed))
    except RefusedError as error:
        return error.refused


def _webhook(name: str, settings: Settings) -> WebhookTable:
    found = next((one for one in settings.webhook if one.name == name), None)
    if found is None:
        raise RefusedError(Refusal.UNKNOWN, "there is no [[webhook]] of this name")
    try:
        found.must_be_trusted()
    except UsageError as error:
        said = "the settings file of this webhook isn't trusted here"
        raise RefusedError(Refusal.UNAVAILABLE, said, here=str(error)) from None
    return found


def _is_new(webhook: WebhookTable, signed: Signed, seen: Seen, now: datetime) -> bool:
    """Whether a signed request is received for the first time.

    Raises `RefusedError` for one that is repeated bit for bit by a sender that doesn't do so. A sender that signs anew
    when it sends the same delivery again is trying to deliver it, and is thanked.
    """
    mac, *delivery = _keys(webhook, signed)
    if seen.known(mac, now):
        if signed.repeats:
            return False
        raise RefusedError(Refusal.FORBIDDEN, "exactly this request was received before")
    return not any(seen.known(key, now) for key in delivery)


def _keys(webhook: WebhookTable, signed: Signed) -> tuple[str, ...]:
    mac = hashlib.sha256(signed.mac).hexdigest()
    if not signed.delivery:
        return (f"{webhook.name} mac {mac}",)
    delivery = hashlib.sha256(signed.delivery.encode("utf-8", "replace")).hexdigest()
    return f"{webhook.name} mac {mac}", f"{webhook.name} id {delivery}"
