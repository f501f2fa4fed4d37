"""A key that is pressed on a phone takes an incident on, where Twilio signs that it was."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client, override_settings

from tests.fakes.service import running
from tests.fakes.twilio import SID, TOKEN, Call, Twilio
from tests.world import World
from tocsin.alerts.intake import throttle
from tocsin.alerts.models import Incident
from tocsin.notify.services import enable_channel

THEIRS = "+4915112345678"


@pytest.fixture
def call(world: World) -> Iterator[Call]:
    """What rang when an incident was opened."""
    with running(Twilio) as twilio, override_settings(PUBLIC_URL="https://tocsin.example.com"):
        world.channel(
            "phone", "twilio", url=twilio.url, account_sid=SID, auth_token=TOKEN, sender="+15005550006",
            to=THEIRS, by="call",
        )  # fmt: skip
        world.fire()
        world.work()
        yield twilio.calls[0]


def _press(call: Call, key: str = "1", client: Client | None = None, **changed: str) -> Any:
    url, form, signature = call.press(key)
    path = url.removeprefix("https://tocsin.example.com")
    headers = {"X-Twilio-Signature": changed.pop("signature", signature)}
    return (client or Client(enforce_csrf_checks=True)).post(
        changed.pop("path", path), {**form, **changed}, headers=headers
    )


def test_who_presses_1_takes_the_incident_on(call: Call) -> None:
    answer = _press(call)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml")
    assert b"Acknowledged" in answer.content
    incident = Incident.objects.get()
    assert (incident.status, incident.acknowledged_by) == ("acknowledged", f"phone ({THEIRS})")
    assert _press(call).status_code == 200, "Twilio asks again where an answer was lost"


@pytest.mark.parametrize("signed", ["https://tocsin.example.com", "https://tocsin.example.com:8443"])
def test_twilio_leaves_out_the_port_of_some_urls(call: Call, signed: str) -> None:
    call.action = signed + call.action.removeprefix("https://tocsin.example.com")
    with override_settings(PUBLIC_URL="https://tocsin.example.com:8443"):
        path = call.action.removeprefix(signed)
        assert _press(call, path=path).status_code == 200
    with override_settings(PUBLIC_URL="https://elsewhere.example.com:8443"):
        assert _press(call, path=path).status_code == 403


def test_another_key_changes_nothing(call: Call) -> None:
    assert b"Nothing" in _press(call, "5").content
    assert Incident.objects.get().status == "open"


def test_what_is_over_is_said(call: Call) -> None:
    Incident.objects.update(status="resolved")
    assert b"only an open one can be acknowledged" in _press(call).content


@pytest.mark.parametrize(
    "changed",
    [
        {"signature": ""}, {"signature": "AAAA"}, {"signature": "ü"}, {"Digits": "2"}, {"AccountSid": "AC0"},
        {"path": "/api/twilio/incidents/999/"},
    ],
    ids=str,
)  # fmt: skip
def test_what_twilio_did_not_sign_does_nothing(call: Call, changed: dict[str, str]) -> None:
    assert _press(call, **changed).status_code == 403
    assert Incident.objects.get().status == "open"


def test_a_channel_that_is_switched_off_answers_nobody(world: World, call: Call) -> None:
    enable_channel(name="phone", enabled=False)
    assert _press(call).status_code == 403


def test_who_guesses_must_wait(call: Call) -> None:
    client = Client(REMOTE_ADDR="192.0.2.77")
    answers = [_press(call, client=client, signature="x") for _ in range(throttle.TRIES + 2)]
    assert {answer.status_code for answer in answers} == {403, 429}
    assert _press(call, client=client).status_code == 200


def test_it_is_posted(call: Call) -> None:
    assert Client().get(call.action.removeprefix("https://tocsin.example.com")).status_code == 405
