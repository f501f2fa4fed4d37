"""The feed as people see it."""

from typing import Any, Final

import pytest
from django.test import Client

from tests.web.markup import open_page
from tocsin.alerts.events import FeedEvent
from tocsin.alerts.intake.beside import Told
from tocsin.core import clock
from tocsin.fleet import feed
from tocsin.web.views import events

NASTY: Final = "<script>window.hacked=1</script>"


def record(*messages: str, **given: Any) -> None:
    told = Told("api", "", "trace", clock.now(), True)
    feed.record([FeedEvent(**({"type": "deploy", "message": message} | given)) for message in messages], told)


def test_none_yet(alice: Client) -> None:
    page = open_page(alice, "/events/")
    assert "No event yet" in page.text and "/api/events" in page.text
    assert "Nothing matches" in open_page(alice, "/events/?level=error").text


def test_newest_first_with_what_belongs_to_it(alice: Client) -> None:
    record("first", level="error", source="hub-1", correlation_id="c-1", data={"device": "kitchen"})
    record("second")
    page = open_page(alice, "/events/")
    assert page.text.index("second") < page.text.index("first")
    for shown in ("error", "hub-1", "c-1", '"device": "kitchen"', "just now"):
        assert shown in page.text
    assert "?correlation_id=c-1" in page.attributes("href")


def test_narrowed(alice: Client) -> None:
    record("one", level="error", source="hub-1", correlation_id="c-1")
    record("two", type="upload", source="hub-2", correlation_id="c-2")
    for query, shown in (
        ("level=error", "one"), ("type=upload", "two"), ("source=hub-1", "one"),
        ("correlation_id=c-2", "two"),
        ("level=info&source=hub-2", "two"),
    ):  # fmt: skip
        messages = {word for word in ("one", "two") if word in open_page(alice, f"/events/?{query}").text}
        assert messages == {shown}, query
    open_page(alice, "/events/?level=%00&before=x&type=" + "x" * 500)


def test_a_page_at_a_time(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAGE", 2)
    record("m-1", "m-2", "m-3", "m-4", "m-5", source="hub")
    page = open_page(alice, "/events/?source=hub")
    seen = []
    while True:
        seen += [f"m-{number}" for number in range(5, 0, -1) if f"m-{number}" in page.text]
        older = [link for link in page.attributes("href") if "before=" in link]
        if not older:
            break
        page = open_page(alice, f"/events/{older[0]}")
    assert seen == ["m-5", "m-4", "m-3", "m-2", "m-1"]
    assert "?source=hub" in page.attributes("href")


@pytest.mark.parametrize("nasty", [NASTY, '"><svg onload=alert(1)>', "{{ 7*7 }}"])
def test_its_text_is_text(nasty: str, alice: Client) -> None:
    record(nasty, type=nasty, source=nasty, correlation_id=nasty, data={nasty: nasty, "items": nasty})
    page = open_page(alice, "/events/")
    assert page.can_run() == []
    assert nasty in page.text
