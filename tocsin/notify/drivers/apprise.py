"""Everything else, by Apprise. https://appriseit.com/services/

Apprise makes its connections by itself. The hosts that a URL names are checked before, and redirects are
not followed; it resolves their names once more, though, so that a name server that changes its answer in
between gets past the guard. Services whose URL names no host are at addresses that Apprise knows.
"""

import asyncio
import logging
import re
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any, Final
from urllib.parse import unquote

from pydantic import BaseModel, Field, SecretStr, field_validator

from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import allowed, resolve
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import ACKNOWLEDGED, RESOLVED, Message
from tocsin.notify.wording import cut, plain

MAX_TEXT: Final = 4_000
REMEMBERED: Final = 1_000
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_MENTION: Final = re.compile(r"@(?=everyone|here|all\b|channel)|<(?=[!@#])", re.I)
_TYPES: Final = {"critical": "failure", "error": "failure", "warning": "warning"}


class Config(BaseModel):
    urls: SecretStr = Field(description="Apprise URLs, separated by spaces, such as gotify://host/token")

    @field_validator("urls")
    @classmethod
    def _are_urls(cls, value: SecretStr) -> SecretStr:
        found = value.get_secret_value().split()
        if not found or not all(map(_URL.fullmatch, found)):
            raise ValueError("expected URLs such as gotify://host/token, separated by spaces")
        return value


class Driver(BaseDriver[Config]):
    """Sends by any service that Apprise knows."""

    Config = Config
    concurrency = 2
    timeout = 60.0
    folds = True

    @cached_property
    def _told(self) -> OrderedDict[str, set[str]]:
        """By message, the URLs that have it already: another try is for the others alone."""
        return OrderedDict()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        """Its own: a service that hangs must not take those that others resolve names with."""
        return ThreadPoolExecutor(self.concurrency, thread_name_prefix="apprise")

    async def send(self, message: Message, http: Client) -> str:
        told, failed = self._told.setdefault(message.id, set()), []
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        try:
            async with asyncio.timeout(self.timeout):
                for url in self.config.urls.get_secret_value().split():
                    if url not in told and (error := await self._tell(url, message)):
                        failed.append(error)
                    else:
                        told.add(url)
        except TimeoutError as error:
            raise Unavailable(f"no end within {self.timeout:g} s") from error
        if failed:
            raise Unavailable("; ".join(failed))
        self._told.pop(message.id, None)
        return f"sent to {len(told)}"

    async def _tell(self, url: str, message: Message) -> str:
        """Send to one; return what went wrong."""
        run = partial(asyncio.get_running_loop().run_in_executor, self._threads)
        service = await run(_service, url)
        for host in _hosts(service):
            await _check(host)
        return await run(_notify, service, url, message)


def _service(url: str) -> Any:
    """Apprise's object for a URL. Raises Rejected."""
    try:
        import apprise  # an extra that most do without
    except ImportError:
        raise Rejected("Apprise is not installed: pip install 'tocsin[apprise]'") from None
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)  # below, they log URLs with what is secret in them
    asset = apprise.AppriseAsset(http_redirects=False, storage_mode="memory")
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise Rejected(f"Apprise cannot read the URL that begins with {url.partition('://')[0]}://")
    service.redirects = False  # also where the URL asks for it
    return service


def _hosts(service: Any) -> set[str]:
    """The hosts that a URL names; for many services there is a token in that place."""
    names = [name for name in vars(service) if name.endswith("_host")]
    if "host" in service.template_tokens:
        names.append("host")
    return {host for name in names if isinstance(host := getattr(service, name), str) and host}


async def _check(host: str) -> None:
    """Raise Forbidden where a host may not be reached."""
    try:
        await resolve(host, 0, allowed())
    except Unavailable:
        return  # no such host: Apprise cannot reach it either, or it is none


def _notify(service: Any, url: str, message: Message) -> str:
    """Send in this thread; return what went wrong."""
    import apprise

    title, body = _words(service, message)
    one = apprise.Apprise(asset=service.asset)
    one.add(service)
    said = one.notify(
        title=title, body=body, notify_type=_type(message), body_format=apprise.NotifyFormat.TEXT
    )
    if said:
        return ""
    why = [entry.message for entry in said.logs()][-1:] or ["not sent"]
    return f"{service.service_name}: {_without_secrets(why[0], url, _hosts(service))}"


def _words(service: Any, message: Message) -> tuple[str, str]:
    """Title and text, as long as the service takes; they mention nobody, whatever a service reads so."""
    title, most = " ".join(message.headline.split()), min(MAX_TEXT, service.body_maxlen)
    if service.title_maxlen > 0:
        title = cut(title, service.title_maxlen)
    else:  # it goes into the text
        title = cut(title, most // 2)
        most -= len(title) + 2
    text = cut(plain(message, most, headline=False), most)
    return _MENTION.sub("\\g<0>\u200b", title), _MENTION.sub("\\g<0>\u200b", text)


def _type(message: Message) -> str:
    if message.kind == RESOLVED:
        return "success"
    return "info" if message.kind == ACKNOWLEDGED else _TYPES.get(message.severity, "info")


def _without_secrets(said: str, url: str, hosts: set[str]) -> str:
    """Apprise's words, without anything of the URL but its host."""
    for piece in re.split(r"[/:@?&=#,]+", unquote(url.partition("://")[2])):
        if len(piece) > 3 and piece not in hosts:
            said = said.replace(piece, "…")
    return cut(" ".join(said.split()), 300)
