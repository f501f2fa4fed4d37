"""What a Telegram bot's webhook is sent: messages and button presses of people.

https://core.telegram.org/bots/api#update
"""

from typing import Final

from tocsin.alerts.document import Part
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent

_KINDS: Final = (
    "callback_query", "message", "edited_message", "channel_post", "edited_channel_post", "inline_query",
    "my_chat_member", "chat_member", "chat_join_request", "message_reaction", "poll", "poll_answer",
)  # fmt: skip


class Driver(DocumentDriver):
    """Telegram's updates: accepted, and no alert made of them."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        known = any(isinstance(whole.get(kind), dict) for kind in _KINDS)
        return 95 if known and isinstance(whole.get("update_id"), int) else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        return None
