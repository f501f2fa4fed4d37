"""A stand-in for an Alertmanager's way in: takes alerts by its rules. ``tests/real`` has the real one.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Alertmanager(Service):
    """``alerts`` holds what it was sent, by labels; ``proof`` is the Authorization that it wants."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.alerts: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
        self.proof = ""

    def answer(self, received: Received) -> Answer:
        if self.proof and received.headers.get("authorization") != self.proof:
            return Answer(401, b"Unauthorized")
        if received.path != "/api/v2/alerts":
            return Answer(404, b"404 page not found")
        try:
            for alert in msgspec.json.decode(received.body, type=list[dict[str, Any]]):
                check(alert)
                self.alerts[tuple(sorted(alert["labels"].items()))] = alert
        except (Invalid, msgspec.DecodeError) as error:
            return json(400, str(error))
        return Answer(200, b"")

    def firing(self) -> list[str]:
        """The names of those that have not ended."""
        now = datetime.now(UTC)
        return [a["labels"]["alertname"] for a in self.alerts.values() if _time(a["endsAt"]) > now]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def check(alert: dict[str, Any]) -> None:
    """Raise Invalid unless Alertmanager would take it; older ones are the strictest about names."""
    if not alert["labels"]:
        raise Invalid("at least one label pair required")
    for name, value in [*alert["labels"].items(), *alert["annotations"].items()]:
        if not _LABEL.fullmatch(name) or not isinstance(value, str):
            raise Invalid(f"invalid name {name!r}")
    if _time(alert["endsAt"]) < _time(alert["startsAt"]):
        raise Invalid("start time must be before end time")
    if not re.fullmatch(r"https?://[!-~]+", alert["generatorURL"]):
        raise Invalid("generatorURL must be of type uri")
