"""What Amazon SNS sends: signed with a certificate, of one topic only, and nothing in it is followed."""

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.intake.refused import Refusal, RefusedError
from agent.intake.signatures import Signed, check_time
from agent.tickets.ticket import text_of, time_of
from tools.files import read_regular

_WINDOW = 3600
"""Seconds for which SNS sends a message again that wasn't accepted."""
_HOST = r"sns\.[a-z0-9-]{4,32}\.amazonaws\.com(?:\.cn)?"
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_MOST_CERTIFICATES = 2**18


def certificates_in(file: Path) -> bytes:
    """The certificates that a person put into a file. Raises `RefusedError`."""
    try:
        return read_regular(file, _MOST_CERTIFICATES)
    except OSError as error:
        here = f"certificate_file {file}: {error.strerror or error}; make it readable"
        raise RefusedError(Refusal.UNAVAILABLE, "certificate_file can't be read here", here=here) from None


def is_amazons(url: str) -> bool:
    """Whether a URL leads to SNS over TLS."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = "@" not in parts.netloc and port in (None, 443)
    return parts.scheme == "https" and plain and re.fullmatch(_HOST, parts.hostname or "", re.ASCII) is not None


def of_sns(body: dict[str, Any], certificates: bytes, now: datetime) -> Signed:
    """The signature of a message. Raises `RefusedError` if none of the certificates made it, or it's too old.

    The URL that the message names is looked at and never opened: what signs is only what a person gave.
    """
    if not is_amazons(text_of(body.get("SigningCertURL"))):
        raise RefusedError(Refusal.FORBIDDEN, "the certificate that the message names isn't on sns.*.amazonaws.com")
    version = text_of(body.get("SignatureVersion"))
    if version != "2":
        remedy = "set the topic's attribute SignatureVersion to 2"
        raise RefusedError(Refusal.FORBIDDEN, f"the message isn't signed with SHA-256; {remedy}")
    try:
        signature = base64.b64decode(text_of(body.get("Signature")), validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if not signature or not _is_signed(_signed_text(body), signature, certificates, now):
        raise RefusedError(Refusal.FORBIDDEN, "no certificate in certificate_file signed the message")
    sent = time_of(body.get("Timestamp"))
    if sent is None:
        raise RefusedError(Refusal.FORBIDDEN, "the message has no Timestamp")
    check_time(sent.timestamp(), now, _WINDOW)
    return Signed(signature, delivery=text_of(body.get("MessageId")), repeats=True)


def check_topic(body: dict[str, Any], topic: str | None, *, raw: bool) -> None:
    """Raise `RefusedError` for another topic than this one, if one is given, and for whatever isn't a notification.

    With `raw` a message may lack what SNS wraps around it, since a password has proven its sender.
    """
    if "TopicArn" not in body and raw:
        return
    if topic and text_of(body.get("TopicArn")) != topic:
        raise RefusedError(Refusal.FORBIDDEN, "the message is from another topic than the one in rediagnose.toml")
    if text_of(body.get("Type")) == "SubscriptionConfirmation":
        url = text_of(body.get("SubscribeURL"))
        if not is_amazons(url):
            raise RefusedError(Refusal.FORBIDDEN, "the URL that would confirm the subscription isn't Amazon's")
        raise RefusedError(
            Refusal.UNUSABLE,
            f"the subscription to {topic} isn't confirmed; a person may do that by opening {url[:1000]}",
        )
    if text_of(body.get("Type")) not in ("Notification", ""):
        raise RefusedError(Refusal.UNUSABLE, "the message isn't a notification")


def _signed_text(body: dict[str, Any]) -> bytes:
    names = _NOTIFICATION if text_of(body.get("Type")) == "Notification" else _CONFIRMATION
    present = ((name, body[name]) for name in names if isinstance(body.get(name), str))
    return "".join(f"{name}\n{value}\n" for name, value in present).encode("utf-8", "replace")


def _is_signed(text: bytes, signature: bytes, certificates: bytes, now: datetime) -> bool:
    # Only SNS needs it, and it comes with the extra `serve`.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509 import Certificate, load_pem_x509_certificates

    try:
        known: Sequence[Certificate] = load_pem_x509_certificates(certificates)
    except ValueError:
        raise RefusedError(Refusal.UNAVAILABLE, "certificate_file has no certificate in PEM in it") from None
    for one in known:
        key = one.public_key()
        if isinstance(key, RSAPublicKey) and one.not_valid_before_utc <= now <= one.not_valid_after_utc:
            try:
                key.verify(signature, text, PKCS1v15(), SHA256())
            except InvalidSignature:
                continue
            return True
    return False
