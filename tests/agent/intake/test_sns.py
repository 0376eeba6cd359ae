"""Amazon SNS: certificates are those that a person gave, and no URL in a message is opened."""

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from agent.intake.receive import receive
from agent.intake.refused import Refusal, Refused
from agent.intake.sns import is_amazons
from agent.service.records import Submission
from tests.webhooks import NOW, TOPIC, Recent, sent, settings, ticket

SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
CONFIRMATION = {
    "Type": "SubscriptionConfirmation", "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b", "Token": "2336412f37",
    "TopicArn": TOPIC, "Message": "You have chosen to subscribe to the topic.", "SignatureVersion": "2",
    "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37",
    "Timestamp": "2026-05-04T12:05:07.181Z", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem",
}  # fmt: skip


class Amazon:
    """A key and a certificate like those that SNS signs with."""

    def __init__(self, days: int = 30) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
            .serial_number(1).not_valid_before(NOW - timedelta(days=60)).not_valid_after(NOW + timedelta(days=days))
            .sign(self._key, hashes.SHA256())
        )  # fmt: skip
        self.certificate = made.public_bytes(serialization.Encoding.PEM)

    def signed(self, message: dict[str, str]) -> dict[str, str]:
        """The message with its signature."""
        text = "".join(f"{name}\n{message[name]}\n" for name in SIGNED if name in message)
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return {**message, "Signature": base64.b64encode(signature).decode()}


@pytest.fixture(scope="module")
def amazon() -> Amazon:
    return Amazon()


class Desk:
    """A webhook that checks signatures of SNS."""

    def __init__(self, folder: Path, certificates: bytes) -> None:
        (folder / "sns.pem").write_bytes(certificates)
        self.known = settings(
            f'[[webhook]]\nname = "alarms"\nkind = "cloudwatch"\nauth = "sns"\ntopic = "{TOPIC}"\n'
            f'certificate_file = "{folder}/sns.pem"\n'
        )
        self.seen = Recent()

    def received(self, message: dict[str, str]) -> tuple[Submission, ...] | Refused:
        raw = json.dumps(message).encode()
        headers = {"Content-Type": "text/plain; charset=UTF-8"}
        result = receive("alarms", headers, raw, self.known, self.seen, NOW, {})
        if isinstance(result, Refused):
            return result
        self.seen.add(result.keys, NOW)
        return result.wanted

    def refused(self, message: dict[str, str]) -> Refused:
        result = self.received(message)
        assert isinstance(result, Refused), result
        return result


def test_a_signed_alarm_is_taken_in_once(tmp_path: Path, amazon: Amazon) -> None:
    desk, message = Desk(tmp_path, Amazon().certificate + amazon.certificate), amazon.signed(alarm())
    result = desk.received(message)
    assert not isinstance(result, Refused) and [one.ticket.title for one in result] == ["orders-curr-connections"]
    assert desk.received(message) == ()


def alarm(**changes: str) -> dict[str, str]:
    return {**ticket("cloudwatch_alarm.json"), **changes}


def test_what_is_not_signed_by_a_known_certificate(tmp_path: Path, amazon: Amazon) -> None:
    desk, good = Desk(tmp_path, amazon.certificate), amazon.signed(alarm())
    changed = [
        {**good, "Message": good["Message"].replace("ALARM", "OK")}, {**good, "Subject": "x"},
        {**good, "Signature": ""},
        {**good, "Signature": "!"}, Amazon().signed(alarm()), {**good, "SignatureVersion": "1"},
        {**good, "SigningCertURL": "https://sns.eu-west-1.amazonaws.com.example.net/x.pem"},
        amazon.signed(alarm(Timestamp="2026-05-04T10:05:07.181Z")), amazon.signed(alarm(Timestamp="never")),
        amazon.signed(alarm(TopicArn=TOPIC.replace("alarms", "other"))),
    ]  # fmt: skip
    for message in changed:
        assert desk.refused(message).status == Refusal.FORBIDDEN
    assert not isinstance(desk.received(good), Refused)


def test_a_certificate_that_expired_signs_nothing(tmp_path: Path) -> None:
    old = Amazon(days=-1)
    assert Desk(tmp_path, old.certificate).refused(old.signed(alarm())).status == Refusal.FORBIDDEN


def test_a_file_without_a_certificate(tmp_path: Path, amazon: Amazon) -> None:
    desk = Desk(tmp_path, b"nothing")
    assert desk.refused(amazon.signed(alarm())).status == Refusal.UNAVAILABLE
    (tmp_path / "sns.pem").unlink()
    assert desk.refused(amazon.signed(alarm())).status == Refusal.UNAVAILABLE


def test_a_subscription_is_confirmed_by_a_person(tmp_path: Path, amazon: Amazon) -> None:
    why = Desk(tmp_path, amazon.certificate).refused(amazon.signed(CONFIRMATION))
    assert why.status == Refusal.UNUSABLE and CONFIRMATION["SubscribeURL"] in why.why
    assert sent("cloudwatch", CONFIRMATION).refused() == why
    elsewhere = {**CONFIRMATION, "SubscribeURL": "https://169.254.169.254/latest"}
    assert sent("cloudwatch", elsewhere).refused().status == Refusal.FORBIDDEN
    assert "169" not in sent("cloudwatch", elsewhere).refused().why
    other = {**CONFIRMATION, "TopicArn": TOPIC.replace("alarms", "other")}
    assert sent("cloudwatch", other).refused().status == Refusal.FORBIDDEN
    gone = {**CONFIRMATION, "Type": "UnsubscribeConfirmation"}
    assert sent("cloudwatch", gone).refused().status == Refusal.UNUSABLE


def test_an_alarm_that_isnt_wrapped() -> None:
    raw = json.loads(ticket("cloudwatch_alarm.json")["Message"])
    (one,) = sent("cloudwatch", raw).accepted()
    (event,) = sent("cloudwatch", ticket("cloudwatch_event.json")).accepted()
    assert one.key == event.key and one.ticket.labels[0]["CacheClusterId"] == ("orders-001",)
    assert sent("cloudwatch", {**raw, "NewStateValue": "INSUFFICIENT_DATA"}).accepted() == ()


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://sns.eu-west-1.amazonaws.com/x.pem", True), ("https://sns.cn-north-1.amazonaws.com.cn/x.pem", True),
        ("http://sns.eu-west-1.amazonaws.com/x.pem", False), ("https://sns.eu-west-1.amazonaws.com:8443/x", False),
        ("https://user@sns.eu-west-1.amazonaws.com/x", False), ("https://sns.amazonaws.com/x", False),
        ("https://sns.eu-west-1.amazonaws.com@example.net/x", False), ("https://[::1/x", False), ("", False),
        ("https://s3.sns.eu-west-1.amazonaws.com/x", False), ("https://sns.example.net/x?.amazonaws.com", False),
        ("https://sns.eu-west-1.amazonaws.com:port/x", False),
    ],
)  # fmt: skip
def test_which_addresses_are_amazons(url: str, is_one: bool) -> None:
    assert is_amazons(url) == is_one
