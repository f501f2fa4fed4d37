"""``tocsin trace ID``: why did somebody (not) get paged?"""

from typing import Any

from django.core.management.base import CommandParser

from tocsin.core.terminal import Screen
from tocsin.db.command import TellingCommand
from tocsin.orchestration import story
from tocsin.orchestration.management import telling


class Command(TellingCommand[story.Story]):
    help = "Tell the whole story of a trace, alert, incident, run or delivery, in the order it happened."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "id", help="trace id, alert fingerprint, incident number (12 or #12), run id or delivery id"
        )

    def answer(self, options: dict[str, Any]) -> story.Story:
        return story.tell(options["id"])

    def show(self, found: story.Story, screen: Screen) -> None:
        telling.show(found, screen)
