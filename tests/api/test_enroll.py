"""An agent's way to a key of its own."""

from typing import Any

import pytest
from django.test import Client

from tocsin.accounts.services import digest_of
from tocsin.alerts.intake import throttle
from tocsin.core import clock
from tocsin.fleet import enrolment

PATH = "/api/v1/enroll/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER_ENABLED", "1")


def _ask(client: Client, address: str = "192.0.2.1", **asked: Any) -> Any:
    return client.post(PATH, asked, "application/json", REMOTE_ADDR=address)


def test_a_token_is_traded_for_a_key(client: Client) -> None:
    token = enrolment.offer(now=clock.now())
    answer = _ask(client, token=token, instance_id="web-1", hostname="web-1.example", version="0.1")
    assert answer.status_code == 201
    assert answer.json()["instance_id"] == "web-1"
    assert enrolment.agents()[digest_of(answer.json()["key"])].name == "web-1"
    assert _ask(client, token=token, instance_id="web-2").status_code == 403
    again = enrolment.offer(now=clock.now())
    assert _ask(client, token=again, instance_id="web-1").status_code == 409


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token": 1, "instance_id": "x"}', b"\xff"])
def test_what_cannot_be_read_is_refused(client: Client, body: bytes) -> None:
    answer = client.post(PATH, body, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "payload")


def test_who_guesses_tokens_must_wait(client: Client) -> None:
    answers = [_ask(client, "192.0.2.99", token="x", instance_id="y") for _ in range(throttle.TRIES + 2)]
    assert {answer.status_code for answer in answers} == {403, 429}
    good = enrolment.offer(now=clock.now())
    assert _ask(client, "192.0.2.99", token=good, instance_id="y").status_code == 201


def test_elsewhere_than_on_a_hub_there_is_no_such_thing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTER_ENABLED", "0")
    assert _ask(client, token="x", instance_id="y").status_code == 404
