"""Mail by SendGrid, against a stand-in that keeps to its rules."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import sendgrid as fake
from tests.fakes.receiver import Answer
from tests.fakes.sendgrid import KEY, SendGrid
from tests.fakes.service import running
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core import clock
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers.email import Driver, compose
from tocsin.notify.drivers.email.config import Config
from tocsin.notify.drivers.email.sendgrid import posted


@pytest.fixture
def sendgrid() -> Iterator[SendGrid]:
    with running(SendGrid) as here:
        yield here


def _config(**given: Any) -> Config:
    base = {"sendgrid_api_key": KEY, "sender": "Tocsin <tocsin@example.com>", "to": "ops@example.com"}
    return Config.model_validate({**base, **given})


def _driver(sendgrid: SendGrid, **given: Any) -> Driver:
    return Driver(_config(sendgrid_url=sendgrid.url, **given))


async def test_a_mail_reaches_everybody_once_in_two_parts(sendgrid: SendGrid) -> None:
    told = "ops@example.com, Anna <anna@example.org>, OPS@example.com"
    assert await send(_driver(sendgrid, to=told)) == "accepted, 14c5d75ce93"
    [mail] = sendgrid.mails
    assert mail["from"] == {"email": "tocsin@example.com", "name": "Tocsin"}
    assert [each["email"] for each in mail["personalizations"][0]["to"]] == [
        "OPS@example.com",
        "anna@example.org",
    ]
    assert mail["subject"] == "[FIRING] HighCPU on web-1"
    for kind in ("text/plain", "text/html"):
        for part in ("CPU at 97 %", "web-1", "https://tocsin.example.com/incidents/12/", message().trace_id):
            assert part in sendgrid.part(kind)


async def test_mails_of_one_incident_make_a_thread_and_links_are_left_alone(sendgrid: SendGrid) -> None:
    await send(_driver(sendgrid))
    [mail] = sendgrid.mails
    assert mail["headers"] == {
        "In-Reply-To": "<incident-12@example.com>",
        "References": "<incident-12@example.com>",
        "X-Correlation-Id": message().trace_id,
    }
    assert mail["tracking_settings"]["click_tracking"] == {"enable": False, "enable_text": False}


@settings(max_examples=60)
@given(st.text(), st.text())
def test_any_text_makes_a_mail_that_sendgrid_takes(title: str, text: str) -> None:
    told = alert(name=title, labels={"instance": text}, annotations={"summary": text})
    mail = posted(compose(message(title=title, alerts=[told], findings=[HOSTILE]), _config()))
    fake.check(msgspec.json.decode(msgspec.json.encode(mail)))


async def test_a_wrong_key_is_final_and_is_not_shown(sendgrid: SendGrid) -> None:
    with pytest.raises(Rejected, match="authorization grant is invalid") as caught:
        await send(_driver(sendgrid, sendgrid_api_key="SG.wrong"))
    assert "SG.wrong" not in str(caught.value)


async def test_a_limit_is_waited_for_until_it_is_lifted(sendgrid: SendGrid) -> None:
    at = clock.now() + timedelta(seconds=90)
    sendgrid.answers.append(
        Answer(
            429,
            b'{"errors": [{"message": "too many requests"}]}',
            {"X-RateLimit-Reset": str(int(at.timestamp()))},
        )
    )
    with pytest.raises(Unavailable, match="too many requests") as caught:
        await send(_driver(sendgrid))
    assert caught.value.retry_after is not None
    assert 60 < caught.value.retry_after <= 90


async def test_sendgrids_own_trouble_passes(sendgrid: SendGrid) -> None:
    sendgrid.answers.append(Answer(503, b"busy"))
    with pytest.raises(Unavailable, match="busy"):
        await send(_driver(sendgrid))


@pytest.mark.parametrize("given", [{"smtp_host": "smtp.example.com"}, {"sendgrid_api_key": ""}], ids=str)
def test_it_is_one_way_or_the_other(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either smtp_host or sendgrid_api_key"):
        _config(**given)


async def test_the_outbound_guard_holds(sendgrid: SendGrid) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(sendgrid), http=Client(Allowed.read([])))
    assert sendgrid.requests == []
