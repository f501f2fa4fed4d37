"""PagerDuty's Events API v2. https://developer.pagerduty.com/docs/events-api-v2-overview

One incident is one alert there: all its messages carry the same ``dedup_key``. What becomes of it in
PagerDuty is taken in by the alert driver of the same name.
"""

from typing import Any, Final

import msgspec
from pydantic import BaseModel, Field, SecretStr

from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.notify.drivers import BaseDriver, Rate
from tocsin.notify.message import ACKNOWLEDGED, RESOLVED, TEST, Message
from tocsin.notify.wording import cut, lines, links

MAX_SUMMARY: Final = 1024
MAX_SOURCE: Final = 255
MAX_TEXT: Final = 8_000  # PagerDuty takes half a megabyte in all
_SEVERITIES: Final = {"critical", "error", "warning", "info"}
_ACTIONS: Final = {ACKNOWLEDGED: "acknowledge", RESOLVED: "resolve"}


class Config(BaseModel):
    routing_key: SecretStr = Field(description="Integration key of an Events API v2 integration")
    url: str = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        description="Where to post; https://events.eu.pagerduty.com/v2/enqueue in the EU",
        pattern=r"^https?://",
    )


class Driver(BaseDriver[Config]):
    """Triggers, acknowledges and resolves an alert in PagerDuty for each incident."""

    Config = Config
    concurrency = 4
    rate = Rate(per_second=2, burst=60)

    async def send(self, message: Message, http: Client) -> str:
        said = await self._enqueue(event(message), http)
        if message.kind == TEST:  # nobody need clean up after it
            await self._enqueue({"event_action": "resolve", "dedup_key": message.key}, http)
        return said

    async def _enqueue(self, event: dict[str, Any], http: Client) -> str:
        body = msgspec.json.encode({"routing_key": self.config.routing_key.get_secret_value(), **event})
        headers = {"Content-Type": "application/json"}
        response = await http.post(self.config.url, body, headers, self.timeout)
        response.require_success()
        answer = response.json()
        if not isinstance(answer.get("status"), str):  # one key is one alert, however often it is sent
            raise Unavailable(f"not PagerDuty's answer: {response.text()}")
        if answer["status"] != "success":
            raise Rejected(f"PagerDuty said: {response.text()}")
        return f"{event['event_action']} {event['dedup_key']}: {answer.get('message', '')}"


def event(message: Message) -> dict[str, Any]:
    """The message as an event, but for the key it goes to."""
    told: dict[str, Any] = {
        "event_action": _ACTIONS.get(message.kind, "trigger"),
        "dedup_key": message.key,
    }
    if told["event_action"] != "trigger":
        return told
    return told | {
        "payload": _payload(message),
        "client": "Tocsin",
        "client_url": message.url,
        "links": [{"href": url, "text": name} for name, url in links(message)],
    }


def _payload(message: Message) -> dict[str, Any]:
    about = message.alerts[0].labels if message.alerts else message.labels
    summary = message.subject.strip() or message.title.strip() or message.headline
    payload = {
        "summary": cut(summary, MAX_SUMMARY),
        "source": cut(about.get("instance", "").strip() or "Tocsin", MAX_SOURCE),
        "severity": message.severity if message.severity in _SEVERITIES else "warning",
        "timestamp": message.opened_at.isoformat() if message.opened_at else None,
        "class": cut(about.get("alertname", ""), MAX_SOURCE),
        "component": cut(about.get("job", ""), MAX_SOURCE),
        "custom_details": _details(message),
    }
    return {name: value for name, value in payload.items() if value}


def _details(message: Message) -> dict[str, Any]:
    """What stands in the alert's table of details."""
    return {
        "message": cut("\n\n".join(lines(message)), MAX_TEXT),
        "firing": message.firing,
        "labels": {name: cut(value, 255) for name, value in list(message.labels.items())[:50]},
        "trace_id": message.trace_id,
    }
