"""Opsgenie's Alert API, which Jira Service Management has too. https://docs.opsgenie.com/docs/alert-api

One incident is one alert there, by its alias. Requests are taken in and carried out later: what Opsgenie
then cannot do, such as closing an alert that is gone, it tells nobody.
"""

from typing import Any, Final
from urllib.parse import quote

import msgspec
from pydantic import BaseModel, Field, SecretStr

from tocsin.core.errors import Unavailable
from tocsin.core.http import Client, Response
from tocsin.notify.answer import required
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import ACKNOWLEDGED, FIRING, RESOLVED, TEST, Message
from tocsin.notify.wording import cut, lines, links, plain

MAX_MESSAGE: Final = 130
MAX_DESCRIPTION: Final = 15_000
MAX_NOTE: Final = 25_000
MAX_TAGS: Final = 20
MAX_TAG: Final = 50
MAX_DETAILS: Final = 8_000  # names and values together
_PRIORITIES: Final = {"critical": "P1", "error": "P2", "warning": "P3", "info": "P5"}
_VERBS: Final = {ACKNOWLEDGED: "acknowledge", RESOLVED: "close"}


class Config(BaseModel):
    api_key: SecretStr = Field(description="Key of an API integration that may create and update alerts")
    url: str = Field(
        default="https://api.opsgenie.com",
        description="https://api.eu.opsgenie.com in the EU, "
        "https://api.atlassian.com/jsm/ops/integration for Jira Service Management",
        pattern=r"^https?://",
    )


class Driver(BaseDriver[Config]):
    """Creates, acknowledges and closes an alert in Opsgenie for each incident."""

    Config = Config
    concurrency = 4

    async def send(self, message: Message, http: Client) -> str:
        if message.kind in _VERBS:
            return await self._about(message, _VERBS[message.kind], http)
        said = await self._post("", created(message), http)
        if message.kind == TEST:  # nobody need clean up after it
            await self._about(message, "close", http)
        elif message.kind == FIRING and message.reason != "fired":  # to an alert that is open it adds nothing
            await self._about(message, "notes", http)
        return said

    async def _about(self, message: Message, what: str, http: Client) -> str:
        """Say something about an incident's alert: that it is over, a note."""
        return await self._post(
            f"/{quote(message.key, safe='')}/{what}?identifierType=alias", said(message), http
        )

    async def _post(self, path: str, body: dict[str, Any], http: Client) -> str:
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"GenieKey {self.config.api_key.get_secret_value()}",
        }
        url = f"{self.config.url.rstrip('/')}/v2/alerts{path}"
        response = await http.post(url, msgspec.json.encode(body), headers, self.timeout)
        response.require_success(_period(response))
        request_id = required(response, "requestId", Unavailable)
        return f"{response.json().get('result', '')} ({request_id})"


def _period(response: Response) -> float | None:
    """How long a limit that is reached lasts."""
    seconds = response.headers.get("x-ratelimit-period-in-sec", "")
    return float(seconds) if seconds.isdecimal() else None


def created(message: Message) -> dict[str, Any]:
    """The message as a new alert; while there is one of that alias, Opsgenie counts it up instead."""
    about = message.alerts[0].labels if message.alerts else message.labels
    return {
        "message": cut(message.subject.strip() or message.title.strip() or message.headline, MAX_MESSAGE),
        "alias": message.key,
        "description": plain(message, MAX_DESCRIPTION, headline=False),
        "priority": _PRIORITIES.get(message.severity, "P3"),
        "entity": cut(about.get("instance", ""), 512),
        "source": "Tocsin",
        "tags": _tags(message.labels),
        "details": _details(message),
    }


def said(message: Message) -> dict[str, Any]:
    """The message as something that is said of an alert."""
    note = "\n\n".join([message.headline, *lines(message), message.url])
    return {"user": cut(message.actor or "Tocsin", 100), "source": "Tocsin", "note": cut(note, MAX_NOTE)}


def _tags(labels: dict[str, str]) -> list[str]:
    """Labels as Opsgenie's own integrations write them; a comma would make two of one."""
    pairs = (f"{name}:{value}".replace(",", ";") for name, value in labels.items())
    return [cut(pair, MAX_TAG) for pair in pairs][:MAX_TAGS]


def _details(message: Message) -> dict[str, str]:
    """Links and labels, as many as there is room for."""
    kept, room = {}, MAX_DETAILS
    for name, value in [*links(message), ("Trace", message.trace_id), *message.labels.items()]:
        room -= len(name) + len(value)
        if room < 0:
            break
        kept[name] = value
    return kept
