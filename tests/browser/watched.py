"""A page whose complaints fail the test."""

from typing import Self

from playwright.sync_api import ConsoleMessage, Page


class Watched:
    """Collects what a page complains of while it is used."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} at {message.location.get('url')}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.complaints == []
