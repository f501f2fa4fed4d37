"""Amazon's messages are believed when Amazon signed them and the topic is ours."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from tocsin.alerts.document import Part
from tocsin.alerts.intake.sns import Topics
from tocsin.core.errors import Rejected, Unavailable

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OURS = "arn:aws:sns:eu-west-1:123456789012:alarms"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
FOREIGN = "SigningCertURL is not an address of Amazon"
SUBSCRIBE = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=y"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem() -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder(name, name, KEY.public_key(), x509.random_serial_number())
    return (
        made.not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(KEY, SHA256())
        .public_bytes(Encoding.PEM)
    )


class Amazon:
    """Serves the certificate and takes confirmations, as SNS does."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.documents = {CERTIFICATE: _pem(), SUBSCRIBE: b"<ConfirmSubscriptionResponse/>"}

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.documents:
            raise Unavailable("HTTP 503")
        return self.documents[url]


@pytest.fixture
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture
def topics(amazon: Amazon) -> Topics:
    return Topics(frozenset({OURS}), amazon.fetch)


def signed(version: str = "2", **changed: Any) -> Part:
    """A message as Amazon signs it; ``changed`` overrides or adds fields before that."""
    message = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": OURS,
        "Subject": "ALARM: high CPU",
        "Message": '{"AlarmName": "high CPU", "NewStateValue": "ALARM"}',
        "Timestamp": "2026-11-21T11:59:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        **changed,
    }
    kind = message["Type"] == "Notification"
    names = ["Message", "MessageId"]
    names += ["Subject"] if kind else ["SubscribeURL"]
    names += ["Timestamp"] if kind else ["Timestamp", "Token"]
    names += ["TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if message.get(name) is not None)
    signature = KEY.sign(text.encode(), padding.PKCS1v15(), SHA1() if version == "1" else SHA256())
    return Part(message | {"Signature": base64.b64encode(signature).decode()})


def altered(**fields: Any) -> Part:
    """A message that somebody changed after it was signed."""
    return Part(signed().value | fields)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_message_of_amazons_is_let_in(topics: Topics, amazon: Amazon, version: str) -> None:
    await topics.admit(signed(version), NOW)
    await topics.admit(signed(version, Subject=None), NOW)
    assert amazon.asked == [CERTIFICATE]  # once for both


async def test_a_subscription_is_confirmed(topics: Topics, amazon: Amazon) -> None:
    await topics.admit(signed(Type="SubscriptionConfirmation", Token="t", SubscribeURL=SUBSCRIBE), NOW)
    assert amazon.asked == [CERTIFICATE, SUBSCRIBE]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (signed(TopicArn=OURS.replace("alarms", "theirs")), "name it in TOCSIN_SNS_TOPICS"),
        (altered(Message="{}"), "the signature does not fit"),
        (altered(Subject="other"), "the signature does not fit"),
        (altered(Signature="!"), "the signature does not fit"),
        (altered(Signature=""), "the signature does not fit"),
        (altered(SignatureVersion="3"), "SignatureVersion '3' is not known"),
        (altered(SigningCertURL="https://sns.evil.example/x.pem"), FOREIGN),
        (altered(SigningCertURL="https://sns.eu-west-1.amazonaws.com.evil.example/x"), FOREIGN),
        (altered(SigningCertURL="https://sns.eu-west-1.amazonaws.com@evil.example/x"), FOREIGN),
        (altered(SigningCertURL="http://sns.eu-west-1.amazonaws.com/x.pem"), FOREIGN),
        (signed(Timestamp="2026-11-21T10:59:59Z"), "older than an hour"),
        (signed(Timestamp="soon"), "Timestamp: "),
        (
            signed(Type="SubscriptionConfirmation", Token="t", SubscribeURL="https://evil.example/"),
            "SubscribeURL is not an address of Amazon",
        ),
        (Part({}), "is not listened to"),
    ],
)  # fmt: skip
async def test_what_is_not_is_refused(topics: Topics, message: Part, said: str) -> None:
    with pytest.raises(Rejected, match=said):
        await topics.admit(message, NOW)


async def test_without_the_certificate_it_is_to_come_again(topics: Topics, amazon: Amazon) -> None:
    amazon.documents.clear()
    with pytest.raises(Unavailable):
        await topics.admit(signed(), NOW)
    amazon.documents[CERTIFICATE] = b"no certificate"
    with pytest.raises(Rejected, match="leads to no certificate"):
        await topics.admit(signed(), NOW)
