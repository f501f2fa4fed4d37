"""Another Alertmanager, by its API v2. https://prometheus.io/docs/alerting/latest/alerts_api/

It gets the alerts as their sources told them. As nobody sends them again, what fires is given an end far
ahead; its true end comes with a message of its own.
"""

import re
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from pydantic import BaseModel, Field, SecretStr

from tocsin.core import clock
from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client, authorization
from tocsin.notify.answer import require_no_page
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import DIGEST, RESOLVED, TEST, Message, MessageAlert

TEST_LASTS: Final = timedelta(minutes=5)
_PATH: Final = "/api/v2/alerts"
_NO_NAME: Final = re.compile(r"[^a-zA-Z0-9_]|^(?=[0-9])")  # what cannot stand in a label's name
_NO_URL: Final = re.compile(r"[^!-~]|%(?![0-9A-Fa-f]{2})|[\"<>\\^`{|}]")


class Config(BaseModel):
    url: str = Field(description="Its address, such as http://alertmanager:9093", pattern=r"^https?://")
    token: SecretStr = Field(default=SecretStr(""), description="Bearer token, where it asks for one")
    username: str = Field(default="", description="Sign in as, where there is no token")
    password: SecretStr = Field(default=SecretStr(""), description="Password of that user")
    keep_hours: int = Field(
        default=168, ge=1, description="Hours after which an alert ends there whose end never came"
    )


class Driver(BaseDriver[Config]):
    """Forwards alerts to another Alertmanager."""

    Config = Config

    async def send(self, message: Message, http: Client) -> str:
        if message.kind == DIGEST:
            raise Rejected("a digest holds no alerts: let this channel fold nothing")
        now = clock.now()
        lasts = TEST_LASTS if message.kind == TEST else timedelta(hours=self.config.keep_hours)
        told = [posted(alert, message, now, lasts) for alert in message.alerts]
        if not told:
            return "no alerts to forward"
        headers = {"Content-Type": "application/json", **self._proof()}
        url = self.config.url.rstrip("/").removesuffix(_PATH) + _PATH
        response = await http.post(url, msgspec.json.encode(told), headers, self.timeout)
        response.require_success()
        require_no_page(response, Unavailable)  # twice the same is once there
        more = f", {message.more_alerts} more were not in the message" if message.more_alerts else ""
        return f"HTTP {response.status}: {len(told)} forwarded{more}"

    def _proof(self) -> dict[str, str]:
        config = self.config
        token, password = config.token.get_secret_value(), config.password.get_secret_value()
        return authorization(token=token, username=config.username, password=password)


def posted(alert: MessageAlert, message: Message, now: datetime, lasts: timedelta) -> dict[str, Any]:
    """One alert as Alertmanager takes it; the names of labels as every version of it does."""
    ends = now + lasts
    if message.kind == RESOLVED or alert.status == RESOLVED:
        ends = max(alert.ended_at or now, alert.started_at)
    ours = {"tocsin_url": message.url, "tocsin_trace": message.trace_id, "tocsin_owner": message.owner}
    return {
        "labels": _named({"alertname": alert.name or "alert", **alert.labels}),
        "annotations": _named({**alert.annotations, **ours}),
        "startsAt": alert.started_at,
        "endsAt": ends,
        "generatorURL": alert.generator_url if _is_url(alert.generator_url) else message.url,
    }


def _named(given: dict[str, str]) -> dict[str, str]:
    """Without empty values, which stand for nothing. Of names that become the same, the first counts."""
    named: dict[str, str] = {}
    for name, value in given.items():
        if name and value:
            named.setdefault(_NO_NAME.sub("_", name), value)
    return named


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not _NO_URL.search(text)
    except ValueError:
        return False
