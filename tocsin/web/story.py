"""What a page shows of one incident: its story as ``tocsin trace`` tells it, newest first, and its alerts."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Any, Final

from tocsin.alerts.matched import Hushed, hushed
from tocsin.alerts.models import Alert
from tocsin.notify.models import Delivery
from tocsin.orchestration import story
from tocsin.orchestration.models import PipelineRun
from tocsin.web.pipeline_marks import questions

SHOWN: Final = 100
RUNS_SHOWN: Final = 20
SOONEST, LATEST = 2, 60  # seconds until a page looks again for what the live feed does not tell
_SENDING: Final = {
    Delivery.PENDING: "Waiting to be sent to",
    Delivery.RETRYING: "Not yet sent to",
    Delivery.SENT: "Sent to",
    Delivery.DEAD: "Could not be sent to",
    Delivery.FOLDED: "Told by another message to",
}


@dataclass(frozen=True)
class Moment:
    """One line of the timeline; ``mark`` is the class of its dot."""

    at: datetime
    mark: str
    title: str
    detail: str


class Story:
    """One incident. Raises Rejected where there is none of that number."""

    def __init__(self, incident_id: int, now: datetime) -> None:
        self._now = now
        self._told = story.tell(f"#{incident_id}")
        self.incident = self._told.incidents[0]
        self.runs = self._told.runs[: -RUNS_SHOWN - 1 : -1]
        self.deliveries = self._told.deliveries[::-1]

    @cached_property
    def alerts(self) -> list[Alert]:
        """Those that fire first, then the newest first."""
        rows = list(Alert.objects.filter(incident=self.incident.id).order_by("-pk")[: SHOWN + 1])
        return sorted(rows, key=lambda alert: alert.status != Alert.FIRING)

    @cached_property
    def silenced(self) -> dict[int, Hushed]:
        """By alert, the silence that keeps it from people."""
        return hushed((alert for alert in self.alerts if alert.status == Alert.FIRING), self._now)

    @property
    def shown(self) -> list[tuple[Alert, Hushed | None]]:
        """Each alert, with its silence."""
        return [(alert, self.silenced.get(alert.pk)) for alert in self.alerts]

    @cached_property
    def timeline(self) -> list[Moment]:
        """What happened, newest first."""
        moments = sorted(self._told.moments(), key=itemgetter(0))[-SHOWN:]
        return [_moment(at, what) for at, what in reversed(moments)]

    @property
    def cut(self) -> dict[str, bool]:
        """Of which lists only the newest rows are shown."""
        told, cut = self._told, self._told.cut
        events = len(told.entries) + len(told.runs) + len(told.deliveries)
        return {
            "timeline": bool(cut) or events > SHOWN,
            "alerts": len(self.alerts) > SHOWN,
            "runs": "runs" in cut or len(told.runs) > RUNS_SHOWN,
            "deliveries": "deliveries" in cut,
        }

    @property
    def questions(self) -> list[tuple[story.Run, story.Waiting]]:
        """What its runs ask people, each with its run; the newest first."""
        return [(run, asked) for run in reversed(self._told.runs) for asked in questions(run)]

    @property
    def looks_again_in(self) -> int:
        """Seconds until a run or a delivery under way may have moved on; 0 where there is none."""
        rows: list[story.Run | story.Delivery] = [*self._told.runs, *self._told.deliveries]
        waits = [
            # While it is being worked on, its due time is the end of a lease.
            (row.due_at - self._now).total_seconds() if row.state in _WAITING else 0.0
            for row in rows
            if row.due_at is not None
        ]
        return min(LATEST, max(SOONEST, math.ceil(min(waits)) + 1)) if waits else 0

    @property
    def sent(self) -> list[tuple[story.Delivery, str]]:
        """Each delivery, with the route that it took in words."""
        outputs = (stage.output for run in self._told.runs for stage in run.stages if stage.type == "notify")
        found = ways(outputs)
        return [(delivery, found.get(delivery.id, "")) for delivery in self.deliveries]

    @property
    def recommendations(self) -> list[dict[str, Any]]:
        """What the newest analysis came to."""
        stages = [stage for run in self._told.runs for stage in run.stages if stage.type == "intelligence"]
        newest = next((stage.output for stage in reversed(stages) if stage.output), {})
        found: list[dict[str, Any]] = newest.get("recommendations", [])
        return found


def ways(outputs: Iterable[Any]) -> dict[str, str]:
    """By delivery, the route that it took and why that held it back, out of what notify nodes gave."""
    given = [
        sent for output in outputs if isinstance(output, dict) for sent in output.get("deliveries") or []
    ]
    return {
        str(sent["id"]): ", ".join(filter(None, (_by(sent.get("route", "")), sent.get("muted", ""))))
        for sent in given
        if "id" in sent
    }


def _by(route: str) -> str:
    return f"by {route}" if route else ""


_WAITING: Final = (PipelineRun.RETRYING, Delivery.RETRYING)


def _moment(at: datetime, what: story.Entry | story.Run | story.Delivery) -> Moment:
    if isinstance(what, story.Run):
        return Moment(
            at, what.state.lower(), f"Pipeline run, {what.reason}: {what.state.lower()}", what.last_error
        )
    if isinstance(what, story.Delivery):
        title = f"{_SENDING[what.state]} {what.channel}: {what.kind}"
        return Moment(at, what.state, title, what.last_error or what.answer)
    if isinstance(what, story.Entry) and what.is_action:
        return Moment(at, what.kind, what.reason, "")
    detail = what.reason or what.decision or "Not decided yet: it waits for a worker"
    return Moment(at, what.kind, f"{what.name or what.fingerprint} {what.kind}", detail)
