"""What the buttons on a card do: once, by people who are known, and nothing else."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from tests.chat.workspace import TEAM, Workspace, until
from tests.fakes.receiver import Answer
from tests.fakes.slack import CHANNEL
from tocsin.alerts.models import AlertHistory, Incident, Silence
from tocsin.chat import deeds, presses, slack
from tocsin.chat.models import Press
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.notify import services as notify
from tocsin.notify.drivers.slack.card import (
    ACKNOWLEDGE,
    APPROVE,
    MORE,
    MORE_DEEDS,
    REFUSE,
    RESOLVE,
    SILENCE,
    SILENCES,
)
from tocsin.notify.models import NotificationChannel


@pytest.fixture
def incident(workspace: Workspace) -> Iterator[Incident]:
    """One that Slack was told of."""
    workspace.world.now = clock.now()
    workspace.world.fire()
    workspace.world.work()
    assert workspace.slack.heads
    yield Incident.objects.get()


def now(incident: Incident) -> Incident:
    incident.refresh_from_db()
    return incident


def buttons(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Every button on the card in the channel, and every option of its lists."""
    [head] = workspace.slack.heads.values()
    for block in head["attachments"][0]["blocks"]:
        for element in block.get("elements", []) if block["type"] == "actions" else []:
            for option in element.get("options", [element]):
                yield element["action_id"], option["value"]


def test_every_button_on_a_card_is_understood(workspace: Workspace, incident: Incident) -> None:
    found = list(buttons(workspace))
    assert len(found) == 2 + len(SILENCES) + len(MORE_DEEDS)
    for action, value in found:
        deed = deeds.read(action, value)
        assert deed is not None and deed.incident_id == incident.pk
        assert deed.verb in {*deeds._DEEDS, deeds.WHY, deeds.NOTE}
    assert deeds.SILENCED_FOR.keys() == SILENCES.keys()


def test_acknowledge_and_the_card_says_who(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    assert workspace.press(ACKNOWLEDGE, incident.pk).content == b""
    assert (now(incident).status, incident.acknowledged_by) == ("acknowledged", "anna")
    assert workspace.said() == [f"You are on incident #{incident.pk} now"]
    workspace.world.forward(seconds=10)
    [head] = workspace.slack.heads.values()
    assert "anna is on it" in str(head) and ACKNOWLEDGE not in str(head)


def test_who_comes_second_is_told_who_was_first(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    workspace.member("bob")
    workspace.press(ACKNOWLEDGE, incident.pk)
    workspace.said(1)
    workspace.press(ACKNOWLEDGE, incident.pk, by="bob")
    workspace.said(2)
    workspace.press(ACKNOWLEDGE, incident.pk)
    assert workspace.said(3)[1:] == [
        f"Anna has acknowledged incident #{incident.pk} already",
        f"You have acknowledged incident #{incident.pk} already",
    ]
    assert now(incident).acknowledged_by == "anna"
    assert AlertHistory.objects.filter(kind="acknowledged").count() == 1


def test_resolve_tells_the_channel(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    workspace.press(RESOLVE, incident.pk)
    assert workspace.said() == [f"Incident #{incident.pk} is resolved"]
    workspace.world.now = clock.now()
    workspace.world.forward(seconds=10)
    [head] = workspace.slack.heads.values()
    assert head["text"].startswith("[RESOLVED]")
    workspace.press(RESOLVE, incident.pk)
    assert workspace.said(2)[1] == f"Incident #{incident.pk} is resolved already"


@pytest.mark.parametrize("time", SILENCES)
def test_silence_for_a_time(time: str, workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    workspace.press(SILENCE, f"{incident.pk}:{time}")
    assert "Alerts with alertname=HighCPU, instance=web-1 are silenced for" in workspace.said()[0]
    silence = Silence.objects.get()
    assert silence.ends_at - silence.starts_at == deeds.SILENCED_FOR[time]
    assert {(m["name"], m["value"], m["isEqual"], m["isRegex"]) for m in silence.matchers} == {
        ("alertname", "HighCPU", True, False), ("instance", "web-1", True, False)
    }  # fmt: skip
    assert (silence.created_by, silence.comment) == ("anna", f"from Slack, for incident #{incident.pk}")
    workspace.press(SILENCE, f"{incident.pk}:{time}")
    assert "Anna has silenced this already" in workspace.said(2)[1]
    assert Silence.objects.count() == 1


def test_what_is_grouped_by_nothing_is_not_silenced(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    for number, labels in enumerate(({}, {"alertname": "", "instance": ""}), start=1):
        Incident.objects.update(labels=labels)
        workspace.press(SILENCE, f"{incident.pk}:1h")
        assert "grouped by no label" in workspace.said(number)[-1]
    assert not Silence.objects.exists()


def test_assign_to_me(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    workspace.press(MORE, f"{incident.pk}:assign")
    assert workspace.said() == [f"Incident #{incident.pk} is yours"]
    assert now(incident).assigned_to == "anna"


def test_escalate_says_that_there_is_nothing_to_escalate_to(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    workspace.press(MORE, f"{incident.pk}:escalate")
    assert "no escalation policy is set up" in workspace.said()[0]


def test_a_note_is_written_in_a_form(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    workspace.press(MORE, f"{incident.pk}:note")
    _until_a_form(workspace)
    [view] = workspace.slack.views
    assert view["title"]["text"] == f"Note on #{incident.pk}"
    sent = _sent_in(view, "Somebody <!here> pulled the plug")
    assert workspace.interact(sent).content == b""
    assert workspace.interact(sent).content == b"", "Slack tells of it again"
    note = AlertHistory.objects.get(kind="note")
    assert (note.reason, note.incident_id) == ("anna: Somebody <!here> pulled the plug", incident.pk)


@pytest.mark.parametrize("text", ["", "   ", "a\0b"])
def test_what_is_no_note_keeps_the_form_open(text: str, workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    workspace.press(MORE, f"{incident.pk}:note")
    _until_a_form(workspace)
    [view] = workspace.slack.views
    told = workspace.interact(_sent_in(view, text)).json()
    assert told["response_action"] == "errors" and "the note is empty" in told["errors"]["note"]


@pytest.mark.parametrize("about", ["", "x", "999999", "1 OR 1=1", "9" * 300, "-1", "٣"])
def test_a_form_for_another_incident_notes_nothing(
    about: str, workspace: Workspace, incident: Incident
) -> None:
    workspace.member("anna")
    view = {"id": "V1", "callback_id": "tocsin_note", "private_metadata": about}
    told = workspace.interact(_sent_in(view, "note")).json()
    assert told["response_action"] == "errors"
    assert workspace.interact(_sent_in({**view, "private_metadata": str(incident.pk)}, "n", by="eve")).json()
    assert not AlertHistory.objects.filter(kind="note").exists()


def test_without_a_bot_a_note_cannot_be_asked_for(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    NotificationChannel.objects.all().delete()
    workspace.press(MORE, f"{incident.pk}:note")
    assert "needs a bot token" in workspace.said()[0]


def test_a_form_that_comes_too_late_is_said(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    workspace.press(MORE, f"{incident.pk}:note", trigger_id="old")
    assert "expired_trigger_id" in workspace.said()[0]


def _until_a_form(workspace: Workspace) -> None:
    until(lambda: workspace.slack.views)


def _sent_in(view: dict[str, Any], text: str, by: str = "anna") -> dict[str, Any]:
    values = {"note": {"text": {"type": "plain_text_input", "value": text}}}
    return {
        "type": "view_submission",
        "user": {"id": by, "team_id": TEAM},
        "team": {"id": TEAM},
        "view": {"id": "V1", **view, "state": {"values": values}},
    }


# Why?


def test_why_tells_who_was_told_and_who_was_not(workspace: Workspace) -> None:
    workspace.world.channel("hook")
    NotificationChannel.objects.filter(name="hook").update(send_resolved=False)
    workspace.world.fire()
    workspace.world.work()
    workspace.world.resolve()
    workspace.world.work()
    incident = Incident.objects.get()
    workspace.press(MORE, f"{incident.pk}:why", by="a stranger")
    [said] = workspace.said()
    for part in (
        f"#{incident.pk} HighCPU on web-1", "fired HighCPU:", "as it was fired", "• slack: sent",
        "• hook: sent", "hook was left out: hook is not told when something is over",
        f"/incidents/{incident.pk}/|The whole story",
    ):  # fmt: skip
        assert part in said


def test_why_of_what_nobody_was_told(workspace: Workspace) -> None:
    NotificationChannel.objects.all().delete()
    workspace.world.fire()
    workspace.world.work()
    workspace.press(MORE, f"{Incident.objects.get().pk}:why")
    assert "there is no enabled channel" in workspace.said()[0]


def test_alert_text_calls_nobody(workspace: Workspace) -> None:
    workspace.world.fire("<!here> & <@U1>", instance="<https://evil.example|x>")
    workspace.world.work()
    workspace.press(MORE, f"{Incident.objects.get().pk}:why")
    [said] = workspace.said()
    assert "<!" not in said and "<@" not in said and "<https://evil" not in said
    assert "&lt;!here&gt;" in said


# Once.


def test_a_press_that_is_told_of_twice_is_one(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    given = workspace.pressed(SILENCE, f"{incident.pk}:1h")
    assert [workspace.interact(given).status_code for _ in range(3)] == [200] * 3
    assert len(workspace.said()) == 1
    Silence.objects.all().delete()
    workspace.interact(given)
    assert not Silence.objects.exists(), "it is known, whatever became of what it did"


def test_two_that_are_told_of_one_press_at_once(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    given, answers = workspace.pressed(MORE, f"{incident.pk}:assign"), []
    at_once = threading.Barrier(3)

    def tell() -> None:
        at_once.wait()
        answers.append(workspace.interact(given).status_code)
        connections.close_all()

    threads = [threading.Thread(target=tell) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 3
    assert AlertHistory.objects.filter(kind="assigned").count() == 1
    assert Press.objects.count() == 1


def test_two_people_at_once_are_two_presses(workspace: Workspace, incident: Incident) -> None:
    names = ["anna", "bob", "cleo"]
    for name in names:
        workspace.member(name)
    at_once = threading.Barrier(3)

    def tell(name: str) -> None:
        at_once.wait()
        workspace.press(ACKNOWLEDGE, incident.pk, by=name)
        connections.close_all()

    threads = [threading.Thread(target=tell, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = now(incident).acknowledged_by
    told = workspace.said(3)
    assert sorted(text.startswith(f"{first.capitalize()} has") for text in told) == [False, True, True]


def test_what_was_pressed_long_ago_is_forgotten(workspace: Workspace) -> None:
    at = clock.now()
    assert presses.is_new("a", at) and not presses.is_new("a", at)
    assert presses.is_new("b", at + presses.REMEMBERED_FOR + timedelta(seconds=1))
    assert [press.key for press in Press.objects.all()] == ["b"]


# What nobody of ours would send.


HOSTILE = (
    "", ":", "x", "0", "-1", "999999999", "9" * 5000, "1; DROP TABLE alerts_incident", "1 OR 1=1", "1:2h",
    "1:why:1", "٣", "1\0", "\0:\0", "'", "1:assign'--", "run:node\0", "run:" + "n" * 5000,
)  # fmt: skip


@pytest.mark.parametrize("action", [ACKNOWLEDGE, RESOLVE, SILENCE, MORE, APPROVE, REFUSE])
def test_a_value_that_is_none_of_ours_does_nothing(action: str, workspace: Workspace) -> None:
    workspace.member("anna")
    for number, value in enumerate(HOSTILE, start=1):
        assert workspace.press(action, value).status_code == 200, value[:20]
        assert workspace.said(number)[-1]
    assert not Silence.objects.exists() and not AlertHistory.objects.exists()


def test_buttons_of_others_and_links_are_passed_over(workspace: Workspace, incident: Incident) -> None:
    for action in ("tocsin_link", "somebody_elses", "", "x" * 5000):
        assert workspace.press(action, str(incident.pk)).status_code == 200
    assert workspace.interact(workspace.pressed(ACKNOWLEDGE, "1", actions=[])).status_code == 200
    assert not workspace.slack.said and now(incident).status == "open"


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "http://169.254.169.254/", "https://hooks.slack.com.evil.example/",
     "http://hooks.slack.com/x", "https://hooks.slack.com:22/", "https://evil.example/?hooks.slack.com",
     "http://[::1", "file:///etc/passwd", "https://hooks.slack.com@evil.example/"],
)  # fmt: skip
def test_answers_go_to_slack_alone(url: str) -> None:
    with pytest.raises(Rejected, match="no address of its own"):
        slack.answer(url, {"text": "x"})


def test_a_slack_that_does_not_listen_costs_nobody_the_deed(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    workspace.slack.answers.append(Answer(500, b"no"))
    workspace.press(ACKNOWLEDGE, incident.pk)
    assert now(incident).status == "acknowledged"
    workspace.press(RESOLVE, incident.pk)
    assert workspace.said() == [f"Incident #{incident.pk} is resolved"]


# People.


def test_who_is_not_known_is_asked_to_link_and_nothing_is_done(
    workspace: Workspace, incident: Incident
) -> None:
    for number, (action, value) in enumerate(
        [(ACKNOWLEDGE, "{}"), (RESOLVE, "{}"), (SILENCE, "{}:1h"), (MORE, "{}:assign"), (MORE, "{}:note")], 1
    ):
        workspace.press(action, value.format(incident.pk), by="eve")
        assert "does not know yet who you are" in workspace.said(number)[-1]
    assert now(incident).status == "open" and not incident.assigned_to
    assert not Silence.objects.exists() and not Press.objects.exists() and not workspace.slack.views


def test_the_same_name_in_another_workspace_is_somebody_else(
    workspace: Workspace, incident: Incident
) -> None:
    workspace.member("anna")
    workspace.press(ACKNOWLEDGE, incident.pk, user={"id": "anna", "team_id": "T0666"})
    assert "does not know yet" in workspace.said()[0]
    assert now(incident).status == "open"


def test_an_account_that_is_switched_off_does_nothing(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna", is_active=False)
    workspace.press(ACKNOWLEDGE, incident.pk)
    assert workspace.said() == ["Your account in Tocsin is switched off"]
    assert now(incident).status == "open"


def test_a_bot_of_the_pressed_channel_opens_the_form(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna")
    other = {**workspace.slack.config, "bot_token": "xoxb-other", "channel_id": "C0000000009"}
    notify.remove_channel(name="slack", now=workspace.world.now)
    for name, given in (("another", other), ("slack", workspace.slack.config)):
        notify.add_channel(name=name, driver="slack", given=given, now=workspace.world.now)
    workspace.press(MORE, f"{incident.pk}:note", channel={"id": CHANNEL})
    _until_a_form(workspace)


def test_people_are_told_by_their_names_here(workspace: Workspace, incident: Incident) -> None:
    workspace.member("anna.schmidt", member="U123")
    workspace.press(ACKNOWLEDGE, incident.pk, by="U123")
    workspace.said()
    assert now(incident).acknowledged_by == "anna.schmidt"
    assert get_user_model().objects.count() == 1
