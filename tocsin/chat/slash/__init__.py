"""``/tocsin …``: questions that are answered to the one who asks alone, by what the API answers from."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from tocsin.chat.blocks import plain, say, told
from tocsin.chat.slash import alerts, fleet, logs

USAGE: Final = (
    "`/tocsin health` how each part of the fleet is",
    "`/tocsin fleet` every machine and what was last heard of it",
    "`/tocsin alerts [text]` what fires, or what of it has that text in its name or labels",
    "`/tocsin logs [trace id, level or module]` Tocsin's own log",
    "`/tocsin oncall` who is on call",
    "`/tocsin help` this",
)
LONGEST: Final = 200


class Question(msgspec.Struct, frozen=True):
    """One word that can be asked. ``needs_link``: only people who have linked their account may ask it."""

    answer: Callable[[str, datetime], dict[str, Any]]
    needs_link: bool = False


def _help(text: str, now: datetime) -> dict[str, Any]:
    return told(USAGE, "What you can ask")


def _oncall(text: str, now: datetime) -> dict[str, Any]:
    return say("Nobody is on call: no schedule is set up here.")


def _unknown(text: str, now: datetime) -> dict[str, Any]:
    return told([f"There is no `{plain(text, 40)}` here.".replace("``", "such word"), *USAGE])


QUESTIONS: Final = {
    "health": Question(fleet.health),
    "fleet": Question(fleet.machines),
    "alerts": Question(alerts.firing),
    "logs": Question(logs.newest, needs_link=True),  # lines may tell more than channels are told
    "oncall": Question(_oncall),
    "help": Question(_help),
}


def read(text: str) -> tuple[Question, str]:
    """What is asked, and what was written behind it."""
    word, _, rest = text.replace("\0", "").strip().partition(" ")
    known = QUESTIONS.get(word.lower() or "help")
    return (known, rest.strip()[:LONGEST]) if known else (Question(_unknown), word)
