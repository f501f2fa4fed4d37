"""What the buttons do, by the services that the pages use."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
from django.db import transaction

from tocsin.alerts import services as alerts
from tocsin.alerts import silences
from tocsin.alerts.models import Incident, Silence
from tocsin.chat import presses
from tocsin.core import doorbell
from tocsin.core.durations import lasting
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id
from tocsin.core.matchers import EQUAL, Matcher, to_json
from tocsin.notify.drivers.slack.card import ACKNOWLEDGE, APPROVE, MORE, MORE_DEEDS, REFUSE, RESOLVE, SILENCE
from tocsin.orchestration import services

SILENCED_FOR: Final = {
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
}
WHY, NOTE = "why", "note"
ANSWER: Final = "answer"


class Deed(msgspec.Struct, frozen=True):
    """What a press asks for: a verb, what it is about, and what else is to be known."""

    verb: str
    incident_id: int = 0
    run_id: str = ""
    more: str = ""


def read(action_id: str, value: str) -> Deed | None:
    """What a button of ours asks for; None for one that asks nothing. Raises Rejected where no button of ours
    has that value."""
    about, _, more = value.partition(":")
    if action_id in (ACKNOWLEDGE, RESOLVE):
        return Deed(_VERBS[action_id], number(value))
    if action_id == SILENCE and more in SILENCED_FOR:
        return Deed("silence", number(about), more=more)
    if action_id == MORE and more in MORE_DEEDS:
        return Deed(more, number(about))
    if action_id in (APPROVE, REFUSE) and about and more and "\0" not in value:
        return Deed(ANSWER, run_id=about, more=f"{_VERBS[action_id]}:{more}")
    if action_id in (SILENCE, MORE, APPROVE, REFUSE):
        raise Rejected("this button is none of this version's")
    return None


_VERBS: Final = {
    ACKNOWLEDGE: "acknowledge", RESOLVE: "resolve", APPROVE: "yes", REFUSE: "no",
}  # fmt: skip


def number(text: str) -> int:
    """Which incident a button or a form is about. Raises Rejected."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Rejected("this button names no incident")
    return int(text)


def once(key: str, deed: Deed, actor: str, now: datetime) -> str:
    """Do it, unless this very press was acted on before; say what came of it in a sentence, and nothing where
    it was."""
    with transaction.atomic():
        if not presses.is_new(key, now):
            return ""
        try:
            said = _DEEDS[deed.verb](deed, actor, now)
        except Rejected as error:
            said = str(error)
    doorbell.ring()  # once more: a worker that heard the service's own came before the commit
    return said


def note(key: str, incident_id: int, text: str, actor: str, now: datetime) -> None:
    """Put a note on an incident's record, once. Raises Rejected."""
    with transaction.atomic():
        if presses.is_new(key, now):
            alerts.note(incident_id=incident_id, text=text, actor=actor, now=now, trace_id=new_id())


def _acknowledge(deed: Deed, actor: str, now: datetime) -> str:
    incident = services.acknowledge(incident_id=deed.incident_id, actor=actor, now=now)
    if incident.acknowledged_at != now:
        by = "you have" if incident.acknowledged_by == actor else f"{incident.acknowledged_by} has"
        return f"{by} acknowledged incident #{incident.pk} already"
    return f"you are on incident #{incident.pk} now"


def _resolve(deed: Deed, actor: str, now: datetime) -> str:
    services.resolve(incident_id=deed.incident_id, actor=actor, now=now)
    return f"incident #{deed.incident_id} is resolved"


def _silence(deed: Deed, actor: str, now: datetime) -> str:
    """For all alerts that would come into this incident. One that lasts as long is not made twice."""
    incident = _locked(deed.incident_id)
    if not any(incident.labels.values()):
        raise Rejected(f"incident #{incident.pk} is grouped by no label: make a silence on its page")
    length = SILENCED_FOR[deed.more]
    matchers = [Matcher(name, EQUAL, value) for name, value in incident.labels.items()]
    if in_force := _in_force(matchers, now + length, now):
        return f"{in_force.created_by} has silenced this already, until {_moment(in_force.ends_at)}"
    wanted = silences.Wanted(
        matchers, now, now + length, created_by=actor, comment=f"from Slack, for incident #{incident.pk}"
    )
    silences.put(wanted=wanted, now=now)
    shown = ", ".join(f"{name}={value}" for name, value in incident.labels.items() if value)
    return f"alerts with {shown} are silenced for {lasting(int(length.total_seconds()))}"


def _in_force(matchers: list[Matcher], until: datetime, now: datetime) -> Silence | None:
    """A silence of just these alerts that lasts as long, but for the time that people need to press."""
    shapes = [to_json(matcher) for matcher in matchers]
    found = Silence.objects.filter(starts_at__lte=now, ends_at__gte=until - timedelta(minutes=1))
    return next((silence for silence in found.order_by("-ends_at") if silence.matchers == shapes), None)


def _assign(deed: Deed, actor: str, now: datetime) -> str:
    alerts.assign(incident_id=deed.incident_id, to=actor, actor=actor, now=now, trace_id=new_id())
    return f"incident #{deed.incident_id} is yours"


def _escalate(deed: Deed, actor: str, now: datetime) -> str:
    _locked(deed.incident_id)
    return "nobody was told: no escalation policy is set up here, so there is no next step to go to"


def _answer(deed: Deed, actor: str, now: datetime) -> str:
    said, _, node = deed.more.partition(":")
    services.approve(run_id=deed.run_id, node=node, approved=said == "yes", actor=actor, now=now)
    return f"you said {said}"


def _locked(incident_id: int) -> Incident:
    """The row, so that of two who press at once the second sees what the first did."""
    incident = Incident.objects.select_for_update().filter(pk=incident_id).first()
    if incident is None:
        raise Rejected(f"there is no incident #{incident_id}")
    return incident


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


_DEEDS: Final[dict[str, Callable[[Deed, str, datetime], str]]] = {
    "acknowledge": _acknowledge,
    "resolve": _resolve,
    "silence": _silence,
    "assign": _assign,
    "escalate": _escalate,
    ANSWER: _answer,
}
