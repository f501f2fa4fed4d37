"""Reads a page as a browser would, to see what in it could run."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from django.http import HttpResponse
from django.test import Client


@dataclass
class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def can_run(self) -> list[object]:
        """All that would run or leave the site by itself: must be empty."""
        return [
            (tag, attributes)
            for tag, attributes in self.elements
            if (tag == "script" and not attributes.get("src", "").startswith("/static/"))
            or tag in ("iframe", "object", "embed", "style", "base")
            or (tag == "svg" and not attributes.get("class", "").startswith("chart "))
            or (tag == "img" and not attributes.get("src", "").startswith("/static/"))
            or any(name.startswith("on") or name == "style" for name in attributes)
            or attributes.get("href", "").strip().lower().startswith(("javascript:", "data:", "vbscript:"))
        ]


def read(response: HttpResponse) -> Page:
    page = Page()
    page.feed(response.content.decode())
    return page


def open_page(browser: Client, path: str) -> Page:
    """A page that must be there."""
    response = browser.get(path)
    assert response.status_code == 200, (path, response.status_code)
    return read(response)
