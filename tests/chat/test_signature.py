"""Nothing that Slack did not sign is read, and nothing that is signed is more than is allowed."""

import time
from collections.abc import Callable

import pytest
from django.test import Client

from tests.chat.workspace import SECRET, Workspace, signed
from tocsin.alerts.intake import throttle
from tocsin.alerts.models import Incident
from tocsin.chat.signature import MOST_SECONDS, sign
from tocsin.chat.views import MOST_BYTES

BODY = b"payload=%7B%7D"


def test_what_slack_signs_is_read(workspace: Workspace) -> None:
    for where in ("actions", "commands", "events"):
        assert workspace.post(where, b"nothing of Slack's").status_code == 400


WRONG: dict[str, Callable[[], dict[str, str]]] = {
    "no signature": lambda: {"X-Slack-Signature": ""},
    "zeros": lambda: {"X-Slack-Signature": "v0=" + "0" * 64},
    "not ASCII": lambda: {"X-Slack-Signature": "ü"},
    "no time": lambda: {"X-Slack-Request-Timestamp": ""},
    "no number": lambda: {"X-Slack-Request-Timestamp": "nonsense"},
    "a huge number": lambda: {"X-Slack-Request-Timestamp": "9" * 30},
    "other digits": lambda: {"X-Slack-Request-Timestamp": "٣"},
    "another time": lambda: {"X-Slack-Request-Timestamp": str(int(time.time()) - 1)},
    "too old": lambda: signed(BODY, at=time.time() - MOST_SECONDS - 60),
    "of the future": lambda: signed(BODY, at=time.time() + MOST_SECONDS + 60),
    "another secret": lambda: signed(BODY, secret="another app's"),
    "another body": lambda: signed(b"payload=another"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_it_did_not_sign_is_refused(wrong: str, workspace: Workspace) -> None:
    for where in ("actions", "commands", "events"):
        assert workspace.post(where, BODY, **WRONG[wrong]()).status_code == 403, where


def test_a_press_that_nobody_signed_does_nothing(workspace: Workspace) -> None:
    workspace.member("anna")
    workspace.world.fire()
    workspace.world.work()
    incident = Incident.objects.get()
    given = workspace.pressed("tocsin_acknowledge", str(incident.pk))
    workspace.client.post("/chat/slack/actions/", {"payload": str(given)})
    assert Incident.objects.get().status == "open"


def test_who_guesses_must_wait(workspace: Workspace) -> None:
    workspace.client = Client(REMOTE_ADDR="192.0.2.78")
    answers = [
        workspace.post("actions", BODY, **{"X-Slack-Signature": "x"}) for _ in range(throttle.TRIES + 2)
    ]
    assert {answer.status_code for answer in answers} == {403, 429}
    assert workspace.post("events", b'{"type": "url_verification", "challenge": "c"}').status_code == 200


def test_without_a_secret_there_is_no_way_in(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLACK_SIGNING_SECRET")
    assert workspace.post("events", b"{}").status_code == 404
    stamp = str(int(time.time()))
    empty = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": sign("", stamp, b"{}")}
    assert workspace.post("events", b"{}", **empty).status_code == 404


def test_a_body_has_a_size(workspace: Workspace) -> None:
    assert workspace.post("actions", b"x" * (MOST_BYTES + 1)).status_code == 413


@pytest.mark.parametrize("where", ["actions", "commands", "events"])
def test_it_is_posted(where: str, client: Client) -> None:
    assert client.get(f"/chat/slack/{where}/").status_code == 405


def test_slack_asks_whether_anybody_is_here(workspace: Workspace) -> None:
    answer = workspace.post("events", b'{"type": "url_verification", "challenge": "<3eZbrw1aB>"}')
    assert answer.json() == {"challenge": "<3eZbrw1aB>"}
    assert workspace.post("events", b'{"type": "event_callback", "event": {}}').content == b""


def test_what_makes_no_sense_is_refused(workspace: Workspace) -> None:
    for body in (
        b"", b"payload", b"payload=", b"payload=%7B", b"payload=[]", b"payload=%FF", b"a=1&" * 99,
        b"payload=%22%ED%A0%80%22", b"payload=" + b"[" * 5000, b'payload={"type":"block_actions"}',
        b'payload={"type":1,"user":{"id":"u"}}',
    ):  # fmt: skip
        assert workspace.post("actions", body).status_code == 400, body[:40]
        assert workspace.post("commands", body).status_code == 400, body[:40]


def test_bytes_that_are_no_text_are_refused(workspace: Workspace) -> None:
    stamp, body = str(int(time.time())), b"\xff\xfe"
    told = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": sign(SECRET, stamp, body)}
    for where in ("actions", "commands", "events"):
        answer = workspace.client.post(f"/chat/slack/{where}/", body, content_type="text/plain", headers=told)
        assert answer.status_code == 400


def test_what_is_of_another_kind_is_taken_and_left(workspace: Workspace) -> None:
    for kind in ("shortcut", "message_action", "view_closed", "view_submission", "nonsense"):
        assert workspace.interact({"type": kind, "user": {"id": "U"}}).status_code == 200
