"""Tocsin's own log: one structured line a message, to try things out or to keep beside other channels."""

import logging
from typing import Final, Literal

from pydantic import BaseModel, Field

from tocsin.core import config, log
from tocsin.core.errors import Rejected
from tocsin.core.http import Client
from tocsin.notify import markup
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import Message

MAX_TEXT: Final = 4_000
TEXT: Final = markup.text()
logger = log.get(__name__)
logging.getLogger(__name__).setLevel(logging.INFO)  # also in commands, which keep the log quiet


class Config(BaseModel):
    level: Literal["info", "warning", "error"] = Field(default="info", description="The line's level")


class Driver(BaseDriver[Config]):
    """Writes a line to Tocsin's own log."""

    Config = Config
    concurrency = 1  # in order

    async def send(self, message: Message, http: Client) -> str:
        levels = logging.getLevelNamesMapping()
        level = levels[self.config.level.upper()]
        if level < levels[config.text("LOG_LEVEL").upper()]:
            raise Rejected(f"LOG_LEVEL leaves out lines of level {self.config.level}")
        logger.log(level, "message.told", **line(message))
        return "logged"


def line(message: Message) -> dict[str, str | int | None]:
    """What stands in the line besides its time and level."""
    return {
        "message_id": message.id,
        "kind": message.kind,
        "reason": message.reason,
        "severity": message.severity,
        "headline": markup.headline(message, markup.MAX_HEADLINE, TEXT),
        "text": markup.said(message, MAX_TEXT, TEXT),
        "url": message.url,
        "runbook": message.runbook,
        "logs": message.logs,
        "incident_id": message.incident_id,
        "incident_status": message.status,
        "firing": message.firing,
        "trace_id": message.trace_id,
    }
