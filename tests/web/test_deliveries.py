"""Messages and what came of them: the list, and one in full."""

import msgspec
import pytest
from django.test import Client

from tests.statements import counted
from tests.web import rows
from tests.web.markup import open_page
from tests.web.test_incident import NASTY
from tests.world import World
from tocsin.notify import routes
from tocsin.notify.message import Message, MessageAlert
from tocsin.notify.models import Delivery, DriverTemplates
from tocsin.web.views.deliveries import PAGE


def message(title: str = "HighCPU on web-1", **fields: object) -> object:
    alert = MessageAlert(
        "HighCPU", "firing", "warning", "f", {"instance": "web-1"}, {"summary": "97 %"}, rows.NOW
    )
    told = Message("k", "firing", "fired", title, "warning", "t", "http://x/", alerts=[alert])
    return msgspec.to_builtins(msgspec.structs.replace(told, **fields))


def titles(browser: Client, query: str = "") -> list[str]:
    found = open_page(browser, f"/deliveries/{query}")
    assert found.can_run() == []
    return [name for name in ("one", "two", "three") if f"title-{name}" in found.text]


def test_the_list_and_its_filters(alice: Client) -> None:
    assert "Nothing sent yet" in open_page(alice, "/deliveries/").text
    chat, mail, incident = rows.channel("chat"), rows.channel("mail"), rows.incident("title-one")
    for name, to, state in (("one", chat, "dead"), ("two", mail, "sent"), ("three", mail, "folded")):
        row = rows.delivery(to, state, incident=incident if name == "one" else None)
        Delivery.objects.filter(pk=row.pk).update(message=message(f"title-{name}"))
    assert titles(alice) == ["one", "two", "three"]
    assert titles(alice, "?state=dead") == ["one"]
    assert titles(alice, "?channel=mail") == ["two", "three"]
    assert titles(alice, f"?incident=%23{incident.pk}") == ["one"]
    assert titles(alice, "?channel=mail&state=sent") == ["two"]
    assert "No delivery has these filters" in open_page(alice, "/deliveries/?incident=99").text
    for strange in ("?state=x", "?incident=x", "?before=%00", "?before=../..", f"?incident={'9' * 40}"):
        assert titles(alice, strange) == ["one", "two", "three"]
    assert titles(alice, "?channel=%00nobody") == []
    assert "1 message could not be delivered" in open_page(alice, "/deliveries/").text


def test_pages_miss_nothing(alice: Client) -> None:
    channel = rows.channel()
    for _ in range(PAGE + 1):
        rows.delivery(channel, Delivery.SENT)
    first = open_page(alice, "/deliveries/")
    (older,) = [link for link in first.attributes("href") if "before=" in link]
    with counted() as asked:
        second = open_page(alice, f"/deliveries/{older}")
    seen = [
        link
        for page in (first, second)
        for link in page.attributes("href")
        if link.startswith("/deliveries/01")
    ]
    assert len(set(seen)) == PAGE + 1
    assert len(asked) <= 6, asked


def test_one_in_full(alice: Client) -> None:
    channel = rows.channel("chat")
    failures = [{"at": "2026-11-21T12:00:00+00:00", "took_ms": 12.5, "error": "HTTP 503: later"}]
    row = rows.delivery(channel, incident=rows.incident(), last_error="HTTP 410: gone", failures=failures)
    Delivery.objects.filter(pk=row.pk).update(message=message())
    text = open_page(alice, f"/deliveries/{row.pk}/").text
    for told in (
        "HTTP 410: gone",
        "HTTP 503: later",
        "[FIRING] HighCPU on web-1",
        "97 %",
        "Send again",
        row.pk,
    ):
        assert told in text, told
    DriverTemplates.objects.create(driver="webhook", subject_template="It is {{ title }}")
    assert "It is HighCPU on web-1" in open_page(alice, f"/deliveries/{row.pk}/").text
    answer = alice.post(
        "/deliveries/dead/send/", {"delivery": row.pk, "next": f"/deliveries/{row.pk}/"}, follow=True
    )
    assert answer.redirect_chain[-1][0] == f"/deliveries/{row.pk}/"
    assert "1 on the way again" in answer.content.decode()
    assert "Send again" not in open_page(alice, f"/deliveries/{row.pk}/").text


def test_what_was_folded_and_what_holds_it(alice: Client) -> None:
    channel = rows.channel()
    digest = rows.delivery(channel, Delivery.SENT, kind="digest")
    Delivery.objects.filter(pk=digest.pk).update(message=message("43 alerts", kind="digest"))
    DriverTemplates.objects.create(driver="webhook", subject_template="It is {{ title }}")
    held = [
        rows.delivery(channel, Delivery.FOLDED, folded_into=digest.pk, answer="a digest says it")
        for _ in range(PAGE + 1)
    ]
    page = open_page(alice, f"/deliveries/{held[0].pk}/")
    assert "It was not sent: a digest says it." in page.text
    assert f"/deliveries/{digest.pk}/" in page.attributes("href")
    page = open_page(alice, f"/deliveries/{digest.pk}/")
    assert "[DIGEST] 43 alerts" in page.text, "templates are for the news of one incident"
    assert f"/deliveries/{held[-1].pk}/" in page.attributes("href")
    (older,) = [link for link in page.attributes("href") if link.startswith("?before=")]
    assert f"/deliveries/{held[0].pk}/" in open_page(alice, f"/deliveries/{digest.pk}/{older}").attributes(
        "href"
    )


def test_its_incident_tells_of_routes_and_folding(alice: Client, world: World) -> None:
    world.channel("day")
    routes.put(
        given={"route": {"name": "top", "channels": ["day"], "group_wait": "0s"}}, made_by="", now=world.now
    )
    world.fire()
    world.work()
    row = Delivery.objects.get()
    assert "By route top" in open_page(alice, f"/deliveries/{row.pk}/").text
    Delivery.objects.update(state="folded", folded_into="other", answer="a newer message says it")
    page = open_page(alice, f"/incidents/{world.incident().pk}/")
    for told in ("By route top", "Not sent: a newer message says it.", "Told by another message to day"):
        assert told in page.text, told
    assert "/deliveries/other/" in page.attributes("href")


@pytest.mark.parametrize("text", NASTY)
def test_alert_text_is_text(text: str, alice: Client) -> None:
    row = rows.delivery(rows.channel(f"room {text}"), last_error=text, answer=text)
    content = message(text, findings=[text], labels={text: text})
    Delivery.objects.filter(pk=row.pk).update(message=content, failures=[{"at": "", "error": text}])
    for path in ("/deliveries/", f"/deliveries/{row.pk}/", "/deliveries/dead/"):
        assert open_page(alice, path).can_run() == [], path


@pytest.mark.parametrize("key", ["nonsense", "%00", "x" * 500, "%F0%9F%92%A9"])
def test_no_such_delivery(key: str, alice: Client) -> None:
    assert alice.get(f"/deliveries/{key}/").status_code == 404


def test_a_message_that_cannot_be_read_is_shown_as_it_is(alice: Client) -> None:
    row = rows.delivery(rows.channel(), Delivery.SENT, failures=["odd", {"error": "x"}])
    assert "It cannot be read here" in open_page(alice, f"/deliveries/{row.pk}/").text
