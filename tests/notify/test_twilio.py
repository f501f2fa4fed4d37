"""Twilio's texts and calls, against a stand-in that keeps to its limits."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import twilio as fake
from tests.fakes.receiver import Answer
from tests.fakes.service import json, running
from tests.fakes.twilio import SID, TOKEN, Twilio
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers.twilio import SEGMENTS, Config, Driver, segments, spoken, written

OURS, THEIRS = "+15005550006", "+4915112345678"


@pytest.fixture
def twilio() -> Iterator[Twilio]:
    with running(Twilio) as here:
        yield here


def _config(**given: Any) -> Config:
    base = {"account_sid": SID, "auth_token": TOKEN, "sender": OURS, "to": THEIRS}
    return Config.model_validate({**base, **given})


def _driver(twilio: Twilio, **given: Any) -> Driver:
    return Driver(_config(url=twilio.url, **given))


async def test_the_text_says_what_is_the_matter(twilio: Twilio) -> None:
    told = message(findings=["disk is full"], owner="Ada", note="third try")
    assert await send(_driver(twilio), told) == "SM1 queued"
    [text] = twilio.texts
    assert (text["From"], text["To"]) == (OURS, THEIRS)
    for part in (
        "[FIRING] HighCPU on web-1", "CPU at 97 %", "disk is full", "Ada is on it", "third try", told.url,
        told.trace_id,
    ):  # fmt: skip
        assert part in text["Body"]


async def test_a_messaging_service_sends_too(twilio: Twilio) -> None:
    await send(_driver(twilio, sender="MG" + "0" * 32), message(kind="resolved"))
    assert twilio.texts[0]["MessagingServiceSid"] == "MG" + "0" * 32
    assert twilio.texts[0]["Body"].startswith("[RESOLVED]")


def test_our_own_signs_cost_no_second_text() -> None:
    long = message(alerts=[alert(annotations={"summary": "x" * 900})] * 3)
    assert segments(written(long)) <= SEGMENTS
    assert len(written(long)) > 400, "nothing in it needs the wide alphabet"


@settings(max_examples=100)
@given(st.text(), st.text(max_size=2000))
def test_any_text_makes_a_text_that_twilio_takes(title: str, text: str) -> None:
    told = message(title=title, alerts=[alert(name=title, annotations={"summary": text})], findings=[text])
    body = written(told)
    fake.check_text({"Body": body, "From": OURS})
    assert segments(body) <= SEGMENTS
    assert body.endswith(f"{told.url}\ntrace {told.trace_id}")


async def test_a_call_says_the_headline_and_waits_for_a_key(twilio: Twilio) -> None:
    assert await send(_driver(twilio, by="call")) == "CA1 queued"
    [call] = twilio.calls
    assert call.to == THEIRS
    assert call.said == ["critical. HighCPU on web-1. CPU at 97 % for ten minutes. Press 1 to acknowledge."]
    assert call.action == "https://tocsin.example.com/api/twilio/incidents/12/"


async def test_where_a_path_stands_before_tocsins_the_key_goes_there_too(twilio: Twilio) -> None:
    await send(_driver(twilio, by="call"), message(url="https://example.com/ops/tocsin/incidents/12/"))
    assert twilio.calls[0].action == "https://example.com/ops/tocsin/api/twilio/incidents/12/"


@pytest.mark.parametrize("kind", ["acknowledged", "resolved"])
async def test_nobody_is_called_for_what_needs_nobody(twilio: Twilio, kind: str) -> None:
    await send(_driver(twilio, by="call"), message(kind=kind))
    assert twilio.calls == []
    assert len(twilio.texts) == 1


@pytest.mark.parametrize("kind", ["test", "digest"])
async def test_where_there_is_nothing_to_take_on_no_key_is_asked_for(twilio: Twilio, kind: str) -> None:
    await send(_driver(twilio, by="call"), message(kind=kind, incident_id=None))
    assert twilio.calls[0].action == ""
    assert "Press" not in twilio.calls[0].said[0]


@settings(max_examples=100)
@given(st.text(), st.text(max_size=2000))
def test_any_text_can_be_spoken(title: str, text: str) -> None:
    told = message(title=title, subject=text, alerts=[alert(annotations={"summary": text})])
    fake.check_call({"To": THEIRS, "From": OURS, "Twiml": spoken(told, "en-US")})


def test_alert_text_gives_no_orders_to_the_phone() -> None:
    evil = "</Say></Gather><Dial>+1900</Dial>" + HOSTILE
    call = fake.check_call({"To": THEIRS, "From": OURS, "Twiml": spoken(message(title=evil), "de-DE")})
    assert "<Dial>" in call.said[0]


async def test_a_wrong_token_is_final_and_is_not_shown(twilio: Twilio) -> None:
    with pytest.raises(Rejected, match="Authenticate") as caught:
        await send(_driver(twilio, auth_token="not-the-token"))
    assert "not-the-token" not in str(caught.value)


async def test_what_twilio_refuses_is_final_and_says_why(twilio: Twilio) -> None:
    twilio.answers.append(json(400, {"code": 21610, "message": "Attempt to send to unsubscribed recipient"}))
    with pytest.raises(Rejected, match="unsubscribed"):
        await send(_driver(twilio))


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_tried_again(twilio: Twilio, status: int) -> None:
    twilio.answers.append(Answer(status, b'{"code": 20429}', {"Retry-After": "3"}))
    with pytest.raises(Unavailable) as caught:
        await send(_driver(twilio))
    assert caught.value.retry_after == 3


@pytest.mark.parametrize(
    "given",
    [{"to": "0151 123456"}, {"sender": "ops"}, {"account_sid": "SK" + "0" * 32}, {"language": 'en"/><Dial'}],
)
def test_numbers_that_are_none_are_refused_with_the_config(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=next(iter(given))):
        _config(**given)


def test_a_messaging_service_cannot_call() -> None:
    with pytest.raises(ValidationError, match="give a number"):
        _config(sender="MG" + "0" * 32, by="call")


async def test_the_outbound_guard_holds(twilio: Twilio) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(twilio), http=Client(Allowed.read([])))
    assert twilio.requests == []
