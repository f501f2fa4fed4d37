"""What Slack asks and what it is answered, whichever way it came: at once what takes a row or two, the rest
after the answer, for which Slack waits three seconds."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from django.contrib.auth.models import User

from tocsin.alerts.models import Incident
from tocsin.chat import deeds, linking, payloads, slack, slash
from tocsin.chat.afterwards import Work
from tocsin.chat.blocks import NOTE, asked_to_link, note_form, say, wrong_note
from tocsin.chat.deeds import Deed
from tocsin.chat.linking import Pressed
from tocsin.chat.payloads import Action, Interaction, Who
from tocsin.chat.why import why
from tocsin.core.errors import Rejected

MOST_ACTIONS: Final = 5
SWITCHED_OFF: Final = "your account in Tocsin is switched off"
LONGEST_VALUE: Final = 200


class Answer(msgspec.Struct):
    """What Slack gets at once, if anything, and what is done afterwards."""

    body: dict[str, Any] | None = None
    later: list[Work] = []


def interaction(given: bytes | str | dict[str, Any], now: datetime) -> Answer:
    """Somebody pressed a button, or sent a form in. Raises Rejected for what is none of Slack's."""
    told = payloads.interaction(given)
    if told.type == "block_actions":
        return Answer(
            later=[work for action in told.actions[:MOST_ACTIONS] for work in _pressed(told, action, now)]
        )
    if told.type == "view_submission" and told.view is not None and told.view.callback_id == NOTE:
        return _noted(told, now)
    return Answer()


def command(given: dict[str, Any], now: datetime) -> Answer:
    """Somebody wrote ``/tocsin …``. Raises Rejected for what is none of Slack's."""
    told = payloads.command(given)
    question, text = slash.read(told.text)
    if question.needs_link and (refused := _refused(told.who)):
        return Answer(refused)
    return Answer(later=[lambda: slack.answer(told.response_url, question.answer(text, now))])


def event(given: dict[str, Any]) -> Answer:
    """Slack tells of something, or asks whether anybody is here."""
    if given.get("type") == "url_verification":
        return Answer({"challenge": str(given.get("challenge", ""))[:1000]})
    return Answer()


def perform(pressed: Pressed, user: User, now: datetime) -> str:
    """Do what somebody pressed before it was known who they are; say what came of it. Nothing for what is no
    deed. Raises Rejected."""
    deed = deeds.read(pressed.action_id, pressed.value)
    if deed is None or deed.verb in (deeds.WHY, deeds.NOTE):
        return ""
    return deeds.once(pressed.key, deed, user.get_username(), now)


def _pressed(told: Interaction, action: Action, now: datetime) -> list[Work]:
    """Do it; return what is to be said of it."""
    pressed = _as_pressed(told.who, action)
    try:
        deed = deeds.read(pressed.action_id, pressed.value)
    except Rejected as error:
        wrong = say(str(error))
        return _said(told, lambda: wrong)
    if deed is None:
        return []
    if deed.verb == deeds.WHY:
        return _said(told, lambda: _why(deed))
    user = linking.person(told.who)
    if user is None or not user.is_active:
        refused = _refused(told.who, pressed)
        return _said(told, lambda: refused or {})
    if deed.verb == deeds.NOTE:
        return [lambda: _ask_for_note(told, deed)]
    said = deeds.once(pressed.key, deed, user.get_username(), now)
    return _said(told, lambda: say(said)) if said else []


def _as_pressed(who: Who, action: Action) -> Pressed:
    value = action.chosen[:LONGEST_VALUE]
    key = payloads.key(who.team, who.member, action.action_ts, action.action_id, value)
    return Pressed(action.action_id[:64], value, key)


def _said(told: Interaction, message: Callable[[], dict[str, Any]]) -> list[Work]:
    return [lambda: slack.answer(told.response_url, message())]


def _why(deed: Deed) -> dict[str, Any]:
    try:
        return why(deed.incident_id)
    except Rejected as error:
        return say(str(error))


def _refused(who: Who, pressed: Pressed | None = None) -> dict[str, Any] | None:
    """What somebody is told who may only look; None for who may act."""
    user = linking.person(who)
    if user is None:
        return asked_to_link(linking.url_for(who, pressed))
    return None if user.is_active else say(SWITCHED_OFF)


def _ask_for_note(told: Interaction, deed: Deed) -> None:
    incident = Incident.objects.filter(pk=deed.incident_id).first()
    try:
        if incident is None:
            raise Rejected(f"there is no incident #{deed.incident_id}")
        channel = told.channel.id if told.channel else ""
        slack.open_form(told.trigger_id, note_form(incident.pk, incident.title), channel)
    except Rejected as error:
        slack.answer(told.response_url, say(f"no note can be taken: {error}"))


def _noted(told: Interaction, now: datetime) -> Answer:
    """A note was sent in; Slack keeps the form open where it is told what is wrong."""
    assert told.view is not None
    user, view = linking.person(told.who), told.view
    if user is None or not user.is_active:
        return Answer(wrong_note("link your account first" if user is None else SWITCHED_OFF))
    key, about = payloads.key(told.who.team, told.who.member, view.id), view.private_metadata
    try:
        incident = deeds.number(about)
        deeds.note(key, incident, view.text("note"), user.get_username(), now)
    except Rejected as error:
        return Answer(wrong_note(str(error)))
    return Answer()
