"""What people wrote for a channel to say: templates of its subject and its body, over the message's
fields."""

from typing import Any

import msgspec

from tocsin.core import templates
from tocsin.core.errors import Rejected
from tocsin.notify.message import DIGEST, TEST, Message


class Written(msgspec.Struct, frozen=True):
    """Templates; empty ones leave what Tocsin says."""

    subject: str = ""
    body: str = ""

    def of(self, message: Message) -> Message:
        """The message as these say it. One that fails costs nobody the message: it is told plainly, with a
        note of what is wrong."""
        if not (self.subject or self.body) or message.kind == DIGEST:
            return message
        try:
            return self.applied(message)
        except Rejected as error:
            return msgspec.structs.replace(message, note=f"This channel's {error}.")

    def applied(self, message: Message) -> Message:
        """The same, for whoever wants to know what is wrong. Raises Rejected."""
        values = fields_of(message)
        subject = " ".join(templates.render_text(self.subject, values).split())
        body = templates.render_text(self.body, values).strip()
        return msgspec.structs.replace(message, subject=subject, body=body)


def fields_of(message: Message) -> dict[str, Any]:
    """What templates may look at: the message's fields, its headline and its text."""
    fields: dict[str, Any] = msgspec.to_builtins(message)
    return {**fields, "headline": message.headline, "text": message.text, "is_test": message.kind == TEST}
