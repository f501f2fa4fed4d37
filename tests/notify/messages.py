"""Messages to send in tests."""

from datetime import UTC, datetime
from typing import Any

from tocsin.notify.message import FIRING, Message, MessageAlert

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOSTILE = "<!channel> <b>&</b> \"q\" 'q' {{ 7*7 }} %s \u202e`*_~ https://evil.example/<x>|y"


def alert(**fields: Any) -> MessageAlert:
    """A firing alert."""
    given: dict[str, Any] = {
        "name": "HighCPU",
        "status": "firing",
        "severity": "critical",
        "fingerprint": "3fff2c2d7595e046",
        "labels": {"alertname": "HighCPU", "instance": "web-1", "job": "shop"},
        "annotations": {"summary": "CPU at 97 % for ten minutes"},
        "started_at": NOON,
    }
    return MessageAlert(**given | fields)


def message(**fields: Any) -> Message:
    """News of an incident that fires."""
    given: dict[str, Any] = {
        "id": "0199f0c2a1b27c3d8e4f5a6b7c8d9e0f",
        "kind": FIRING,
        "reason": "fired",
        "title": "HighCPU on web-1",
        "severity": "critical",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "url": "https://tocsin.example.com/incidents/12/",
        "incident_id": 12,
        "status": "open",
        "firing": 1,
        "total": 1,
        "opened_at": NOON,
        "alerts": [alert()],
    }
    return Message(**given | fields)
