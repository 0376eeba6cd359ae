"""Who sent a request: proven by what `[[webhook]]` says, before anything in the body is read."""

import base64
import binascii
import os
from collections.abc import Mapping
from datetime import datetime

from agent.intake import signatures
from agent.intake.refused import Refusal, RefusedError
from agent.intake.signatures import Signed, same
from tools.errors import UsageError
from tools.settings.webhook_table import WebhookTable


def verify(
    webhook: WebhookTable, headers: Mapping[str, str], body: bytes, now: datetime,
    environ: Mapping[str, str] = os.environ,
) -> Signed | None:  # fmt: skip
    """What is to be remembered of a signed request; null if a password or a token proves the sender.

    Header names are in lower case. Raises `RefusedError`. With `sns` nothing is proven here: that signature covers
    parts of the body, and `sns.of_sns` checks it.
    """
    if webhook.proof == "sns":
        return None
    try:
        source = webhook.secret
        secret = source.read(environ).get_secret_value()
    except UsageError as error:
        # The message names a variable or a path of this machine, which isn't the sender's concern.
        said = f"the secret of the webhook {webhook.name} can't be read here"
        raise RefusedError(Refusal.UNAVAILABLE, said, here=str(error)) from None
    try:
        return _proven(webhook, headers, body, secret, now)
    except RefusedError as error:
        refused = error.refused
        here = f"{refused.why} (here the secret is in {source.place})"
        raise RefusedError(refused.status, refused.why, refused.challenge, here=here) from None


def _proven(
    webhook: WebhookTable, headers: Mapping[str, str], body: bytes, secret: str, now: datetime
) -> Signed | None:
    match webhook.proof:
        case "bearer":
            scheme, _, given = headers.get("authorization", "").strip().partition(" ")
            _check(scheme.lower() == "bearer" and same(given.strip(), secret), "Bearer")
        case "basic":
            _check(same(_basic(headers), f"{webhook.user}:{secret}"), 'Basic realm="rediagnose", charset="UTF-8"')
        case "header":
            _check(same(headers.get(webhook.proof_header.lower(), "").strip(), secret), None)
        case "hmac":
            return signatures.of_body(headers, body, secret.encode(), webhook.proof_header)
        case "pagerduty":
            return signatures.of_pagerduty(headers, body, secret.encode())
        case "grafana":
            header, time = webhook.proof_header, webhook.timestamp_header
            return signatures.of_grafana(headers, body, secret.encode(), now, header, time)
        case "slack":
            return signatures.of_slack(headers, body, secret.encode(), now)
        case "standard":
            return signatures.of_standard(headers, body, secret, now)
    return None


def _check(proven: bool, challenge: str | None) -> None:
    if not proven:
        why = "the password or token is missing or wrong; give the sender the secret that rediagnose.toml names"
        raise RefusedError(Refusal.UNPROVEN, why, challenge)


def _basic(headers: Mapping[str, str]) -> str:
    """User and password, with a colon between them; empty if there are none."""
    scheme, _, given = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
