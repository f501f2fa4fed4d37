"""Web Push, against a stand-in that checks the token and decrypts as a browser does."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import webpush as fake
from tests.fakes.receiver import Answer
from tests.fakes.service import running
from tests.fakes.webpush import PATH, PushService
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers.webpush import Config, Driver, encryption, notification
from tocsin.notify.drivers.webpush.encryption import MAX_PLAIN, encrypted


@pytest.fixture
def push() -> Iterator[PushService]:
    with running(PushService) as here:
        yield here


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _driver(push: PushService, **given: Any) -> Driver:
    base = {
        "subscription": json.dumps(push.subscription),
        "vapid_key": _pem(push.server_key),
        "contact": "mailto:ops@example.com",
    }
    return Driver(Config.model_validate({**base, **given}))


async def test_the_browser_can_read_what_is_the_matter(push: PushService) -> None:
    told = message(findings=["disk is full"], owner="Ada", note="third try")
    assert await send(_driver(push), told) == "HTTP 201"
    [shown] = push.shown
    assert shown["web_push"] == 8030
    seen = shown["notification"]
    assert (seen["title"], seen["navigate"]) == ("[FIRING] HighCPU on web-1", told.url)
    for part in ("CPU at 97 %", "disk is full", "Ada is on it", "third try", told.trace_id):
        assert part in seen["body"]
    assert seen["data"] == {"kind": "firing", "severity": "critical", "id": told.id}


async def test_the_push_service_cannot_read_it(push: PushService) -> None:
    await send(_driver(push))
    await send(_driver(push))
    bodies = [request.body for request in push.requests]
    assert all(b"HighCPU" not in body for body in bodies)
    assert bodies[0][:86] != bodies[1][:86], "salt and key are used once"


def test_the_example_of_the_standard_comes_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8291, Appendix A: with its salt and its sender's key, its very bytes."""
    ours = ec.derive_private_key(
        int.from_bytes(fake.raw("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"), ec.SECP256R1()
    )
    monkeypatch.setattr(encryption.ec, "generate_private_key", lambda _: ours)
    monkeypatch.setattr(encryption.os, "urandom", lambda _: fake.raw("DGv6ra1nlYgDCS1FRnbzlw"))
    theirs = fake.raw(
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    )
    auth = fake.raw("BTBZMqHH6r4Tts7J_aSIgg")
    made = encrypted(b"When I grow up, I want to be a watermelon", theirs, auth)
    assert fake.text(made) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8w"
        "EqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@pytest.mark.parametrize(
    ("kind", "severity", "urgency"),
    [("firing", "critical", "high"), ("firing", "info", "normal"), ("resolved", "critical", "normal")],
)
async def test_a_sleeping_phone_is_woken_for_what_is_urgent(
    push: PushService, kind: str, severity: str, urgency: str
) -> None:
    await send(_driver(push), message(kind=kind, severity=severity))
    assert push.requests[0].headers["urgency"] == urgency


async def test_news_of_one_incident_take_each_others_place(push: PushService) -> None:
    await send(_driver(push))
    await send(_driver(push), message(id="other", kind="resolved"))
    await send(_driver(push), message(incident_id=None))
    topics = [request.headers["topic"] for request in push.requests]
    assert topics[0] == topics[1] != topics[2]
    assert [shown["notification"]["tag"] for shown in push.shown] == topics


@pytest.mark.parametrize("text", [HOSTILE * 400, "\x01" * 20_000, "😀" * 5000])
async def test_the_largest_message_fits(push: PushService, text: str) -> None:
    large = alert(name=text, labels={"instance": text}, annotations={"summary": text})
    await send(_driver(push), message(title=text, alerts=[large] * 20, findings=[text] * 40))
    assert len(push.requests[0].body) <= fake.MAX_BODY


@settings(max_examples=100)
@given(st.text(), st.text())
def test_any_text_makes_a_notification(title: str, text: str) -> None:
    told = alert(name=title, labels={"instance": text}, annotations={"summary": text})
    made = notification(message(title=title, alerts=[told], findings=[text]))
    assert len(made) <= MAX_PLAIN
    assert json.loads(made)["notification"]["title"]


async def test_a_key_may_be_given_as_browsers_tools_print_it(push: PushService) -> None:
    number = push.server_key.private_numbers().private_value
    assert await send(_driver(push, vapid_key=fake.text(number.to_bytes(32, "big")))) == "HTTP 201"


async def test_a_form_may_make_one_line_of_a_key(push: PushService) -> None:
    one_line = _pem(push.server_key).replace("\n", "")
    assert await send(_driver(push, vapid_key=one_line)) == "HTTP 201"


async def test_another_servers_key_is_refused(push: PushService) -> None:
    with pytest.raises(Rejected, match="not the key of the subscription"):
        await send(_driver(push, vapid_key=_pem(ec.generate_private_key(ec.SECP256R1()))))


async def test_a_subscription_that_has_ended_says_so_and_not_where_it_was(push: PushService) -> None:
    ended = push.subscription | {"endpoint": push.url + PATH + "-secret"}
    with pytest.raises(Rejected, match="must be made anew") as caught:
        await send(_driver(push, subscription=json.dumps(ended)))
    assert "secret" not in str(caught.value)


async def test_too_many_messages_wait(push: PushService) -> None:
    push.answers += [Answer(429, b"slow down", {"Retry-After": "11"}), Answer(503, b"busy")]
    with pytest.raises(Unavailable) as caught:
        await send(_driver(push))
    assert caught.value.retry_after == 11
    with pytest.raises(Unavailable, match="busy"):
        await send(_driver(push))


WRONG: list[dict[str, str]] = [
    {"subscription": ""},
    {"subscription": "{}"},
    {"subscription": '{"endpoint": "https://x", "keys": {"p256dh": "AAAA", "auth": "AAAA"}}'},
    {"vapid_key": "AAAA-not"},
    {"vapid_key": "-----BEGIN PRIVATE KEY-----"},
    {"contact": "ops"},
]


@pytest.mark.parametrize("given", WRONG, ids=str)
def test_what_is_none_is_refused_with_the_config(push: PushService, given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=next(iter(given))):
        _driver(push, **given)


async def test_the_outbound_guard_holds(push: PushService) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(push), http=Client(Allowed.read([])))
    assert push.requests == []
