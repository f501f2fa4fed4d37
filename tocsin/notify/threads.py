"""One thread per problem: by which of a driver's deeds a message is told, given what was posted before."""

from typing import Any, Final

import msgspec

from tocsin.core.errors import TocsinError
from tocsin.core.http import Client
from tocsin.notify.drivers import EDIT, EDIT_THREAD, NEW, THREAD, BaseDriver, Gone, Handle, ThreadedDriver
from tocsin.notify.message import FIRING, Message

BEFORE: Final = "What happened before"


class Told(msgspec.Struct):
    """What the receiver said; a ``handle`` where a message was posted that later ones belong to."""

    answer: str
    handle: Handle | None = None


async def tell(
    driver: BaseDriver[Any],
    mode: str,
    message: Message,
    http: Client,
    handle: Handle | None = None,
    head: Message | None = None,
) -> Told:
    """Tell it in the channel's mode; ``handle`` finds what was posted of the same incident before, and
    ``head`` is what that should say now. Raises as the driver does."""
    if mode == NEW or message.incident_id is None or not isinstance(driver, ThreadedDriver):
        return Told(await driver.send(message, http))
    if handle:
        try:
            return await _follow(driver, mode, message, head or message, handle, http)
        except Gone:
            pass  # somebody removed it: the incident gets a new one
    posted = await driver.post(head or message, http)
    if not (posted and message.events and mode in (THREAD, EDIT_THREAD)):
        return Told("posted", posted)
    return Told(await _begin(driver, message, posted, http), posted)


async def _begin(driver: ThreadedDriver[Any], message: Message, handle: Handle, http: Client) -> str:
    """A thread begins with what happened before. Without that it is a thread still: to post the head again
    for it would be worse."""
    before = msgspec.structs.replace(
        message, subject=BEFORE, body="\n".join(message.events), alerts=[], more_alerts=0, findings=[]
    )
    try:
        await driver.reply(handle, before, http)
    except TocsinError as error:
        return f"posted; what happened before could not be told: {error}"
    return "posted, with what happened before"


async def _follow(
    driver: ThreadedDriver[Any], mode: str, message: Message, head: Message, handle: Handle, http: Client
) -> Told:
    """First the head, which may be changed twice for one message; then the answer, which may not."""
    done = []
    if mode in (EDIT, EDIT_THREAD) or marks_head(message):
        await driver.edit(handle, head, http)
        done.append("changed")
    if mode in (THREAD, EDIT_THREAD):
        await driver.reply(handle, message, http)
        done.append("answered")
    return Told(" and ".join(done))


def marks_head(message: Message) -> bool:
    """Whether the head has to show it even where it is left alone otherwise: the end, that somebody is on
    it, and that it is not over after all."""
    return message.kind != FIRING or message.reason in ("refired", "reopened")
