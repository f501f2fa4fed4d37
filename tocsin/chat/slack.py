"""What is said to Slack besides the answers to its own requests."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tocsin.core import config
from tocsin.core.errors import Rejected
from tocsin.core.http import Client
from tocsin.notify import services as notify
from tocsin.notify.drivers.slack import Config
from tocsin.notify.models import NotificationChannel

TIMEOUT: Final = 5.0
_ANSWERED_AT: Final = ("hooks.slack.com", "hooks.slack-gov.com")
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}


class Bot(msgspec.Struct, frozen=True):
    """By what the app acts."""

    token: str
    api_url: str
    channel_id: str = ""


def answer(response_url: str, message: dict[str, Any]) -> None:
    """Say something where a button was pressed or a command written. Raises Unavailable or Rejected."""
    if not _is_slacks(response_url):
        raise Rejected("Slack gave no address of its own to answer at")
    asyncio.run(_post(response_url, message, ""))


def open_form(trigger_id: str, view: dict[str, Any], channel_id: str) -> None:
    """Open a form for whoever pressed a button in a channel, within three seconds of that. Raises Unavailable
    or Rejected."""
    bot = _bot(channel_id)
    said = asyncio.run(_post(method(bot.api_url, "views.open"), _opening(trigger_id, view), bot.token))
    require_ok(said)


def method(api_url: str, name: str) -> str:
    """The URL of one of the API's methods."""
    return f"{api_url.rstrip('/')}/{name}"


def require_ok(said: dict[str, Any]) -> None:
    """Raise Rejected where Slack did not do it: it answers 200 with an error inside."""
    if said.get("ok") is not True:
        raise Rejected(f"Slack said: {str(said.get('error', 'nothing'))[:100]}")


def bots() -> Iterator[Bot]:
    """Those of the channels, then the one that the environment has."""
    for channel in NotificationChannel.objects.filter(driver="slack", enabled=True).order_by("pk"):
        given = notify.sender(channel).config
        if isinstance(given, Config) and given.bot_token.get_secret_value():
            yield Bot(given.bot_token.get_secret_value(), given.api_url, given.channel_id)
    if token := config.text("SLACK_BOT_TOKEN"):
        yield Bot(token, config.text("SLACK_API_URL"))


def _bot(channel_id: str) -> Bot:
    found = list(bots())
    of_channel = [bot for bot in found if bot.channel_id == channel_id]
    for bot in of_channel or found:
        return bot
    raise Rejected("this needs a bot token: give one to a Slack channel here")


def _is_slacks(url: str) -> bool:
    """Whether a URL is of Slack's, or of the endpoint that stands in for it."""
    try:
        given, ours = urlsplit(url), urlsplit(config.text("SLACK_API_URL"))
    except ValueError:
        return False
    if given.scheme == "https" and given.hostname in _ANSWERED_AT and not given.port:
        return True
    return bool(given.netloc) and (given.scheme, given.netloc) == (ours.scheme, ours.netloc)


def _opening(trigger_id: str, view: dict[str, Any]) -> dict[str, Any]:
    return {"trigger_id": trigger_id, "view": view}


async def _post(url: str, content: dict[str, Any], token: str) -> dict[str, Any]:
    http = Client()
    try:
        headers = {**_JSON, "Authorization": f"Bearer {token}"} if token else _JSON
        response = await http.post(url, msgspec.json.encode(content), headers, TIMEOUT)
        response.require_success()
        return response.json()
    finally:
        http.close()
