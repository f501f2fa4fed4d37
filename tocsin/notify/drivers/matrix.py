"""Matrix' client-server API, as a user that is in the room.
https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid

Texts are ``m.text``: what is a ``m.notice`` rings on no phone. They are not encrypted end to end.
"""

from typing import Any, Final
from urllib.parse import quote

import msgspec
from pydantic import BaseModel, Field, SecretStr

from tocsin.core.errors import Unavailable
from tocsin.core.http import Client, Response
from tocsin.notify import markup
from tocsin.notify.answer import required, seconds
from tocsin.notify.drivers import Gone, Handle, Rate, ThreadedDriver
from tocsin.notify.message import Message

# An event has at most 65,536 bytes, and one that changes another holds its content twice.
MAX_TEXT: Final = 8_000
MAX_HTML: Final = 20_000
TEXT: Final = markup.text(size=markup.in_json)
HTML: Final = markup.html("<br>", size=markup.in_json)


class Config(BaseModel):
    url: str = Field(pattern=r"^https?://", description="The homeserver, such as https://matrix.example.org")
    token: SecretStr = Field(description="Access token of the user that writes")
    room_id: str = Field(pattern=r"^!\S+$", description="The room's internal id, which begins with !")


class Driver(ThreadedDriver[Config]):
    """Writes to a Matrix room, changes what it wrote and answers it in a thread."""

    Config = Config
    concurrency = 1  # in order
    rate = Rate(per_second=0.2, burst=10)  # Synapse's default; homeservers have their own
    folds = True

    async def post(self, message: Message, http: Client) -> Handle:
        return {"event_id": _event(await self._put(message.id, content(message), http))}

    async def edit(self, handle: Handle, message: Message, http: Client) -> None:
        new = content(message)
        head = {"rel_type": "m.replace", "event_id": handle["event_id"]}
        changed = {**new, "body": f"* {new['body']}", "m.new_content": new, "m.relates_to": head}
        _require_there(await self._put(f"{message.id}-edit", changed, http))

    async def reply(self, handle: Handle, message: Message, http: Client) -> None:
        root = {"event_id": handle["event_id"]}
        thread = {"rel_type": "m.thread", **root, "is_falling_back": True, "m.in_reply_to": root}
        _require_there(
            await self._put(f"{message.id}-reply", {**content(message), "m.relates_to": thread}, http)
        )

    async def _put(self, transaction: str, content: dict[str, Any], http: Client) -> Response:
        """Send an event. The homeserver takes it once, however often it is sent."""
        room = f"{self.config.url.rstrip('/')}/_matrix/client/v3/rooms/{quote(self.config.room_id, safe='')}"
        url = f"{room}/send/m.room.message/{quote(transaction, safe='')}"
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.config.token.get_secret_value()}",
        }
        return await http.request("PUT", url, msgspec.json.encode(content), headers, self.timeout)


def _require_there(answer: Response) -> None:
    """As ``_event``. The specification has no code of its own for a message that is not there."""
    if answer.status in (400, 404) and answer.json().get("errcode") in ("M_UNKNOWN", "M_NOT_FOUND"):
        raise Gone(f"HTTP {answer.status}: {answer.text()}")
    _event(answer)


def _event(answer: Response) -> str:
    """What became of it."""
    answer.require_success(seconds(answer.json().get("retry_after_ms"), a_second=1000))
    return required(answer, "event_id", Unavailable)


def content(message: Message) -> dict[str, Any]:
    """The message as text and as HTML. It mentions nobody, whatever it says."""
    return {
        "msgtype": "m.text",
        "body": markup.whole(message, MAX_TEXT, TEXT),
        "format": "org.matrix.custom.html",
        "formatted_body": markup.whole(message, MAX_HTML, HTML),
        "m.mentions": {},
    }
