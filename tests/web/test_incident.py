"""One incident in full, and what people do to it."""

from datetime import timedelta

import pytest
from django.test import Client

from tests.statements import counted
from tests.web.markup import open_page
from tests.world import World
from tocsin.alerts.models import AlertHistory, Incident
from tocsin.notify.models import Delivery
from tocsin.orchestration.models import PipelineRun
from tocsin.web import story
from tocsin.web.story import Story

NASTY = (
    "<script>window.hacked=1</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{ 7*7 }}{% debug %}",
    "</textarea></title></pre><iframe src=//evil.example>",
)


def page_of(incident: Incident) -> str:
    return f"/incidents/{incident.pk}/"


@pytest.fixture
def night(alice: Client, world: World) -> World:
    """It fires, one channel gets it at the second try, the other never."""
    world.channel("on-call")
    world.channel("old-room", url=f"{world.receiver.url}/gone")
    answer = type(world.receiver.default)
    world.receiver.answer_to = lambda r: answer(410, b"archived") if "gone" in r.path else answer()
    world.fire(
        severity="critical", annotations={"message": "CPU at 97 %", "runbook_url": "https://wiki.example/cpu"}
    )
    world.work()
    return world


def test_everything_is_told(alice: Client, night: World) -> None:
    night.forward(minutes=1)
    night.resolve()
    night.work()
    text = open_page(alice, page_of(night.incident())).text
    for told in (
        "HighCPU on web-1", "critical", "resolved", "CPU at 97 %", "https://wiki.example/cpu",
        "opened incident", "Sent to on-call: firing", "Sent to on-call: resolved",
        "Could not be sent to old-room: firing", "HTTP 410: archived", "answer: HTTP 200",
        "INGEST", "CHECK", "ANALYZE", "NOTIFY", "Send again", night.incident().trace_id,
    ):  # fmt: skip
        assert told in text, told
    assert "Acknowledge" not in text.replace("Acknowledged", "")


def test_newest_first(alice: Client, night: World) -> None:
    night.forward(minutes=1)
    night.resolve()
    night.work()
    timeline = open_page(alice, page_of(night.incident())).text.partition("Timeline")[2]
    steps = ["Sent to on-call: resolved", "HighCPU resolved", "Sent to on-call: firing", "HighCPU fired"]
    places = [timeline.index(step) for step in steps]
    assert places == sorted(places)


@pytest.mark.parametrize("text", NASTY)
def test_alert_text_is_text(text: str, alice: Client, world: World) -> None:
    world.channel(f"room {text}")
    world.receiver.default.status, world.receiver.default.body = 400, text.encode()
    labels = {"instance": text, "alertname": text, f"n{text}": "v"}
    world.post(
        {"name": text, "labels": labels, "annotations": {"a": text, "link": text, f"k{text}": "v"},
         "status": "firing", "message": text, "generator_url": text}
    )  # fmt: skip
    world.work()
    for path in ("/", page_of(world.incident()), "/channels/", "/deliveries/dead/"):
        page = open_page(alice, path)
        assert page.can_run() == [], path
        assert text in page.text, path


@pytest.mark.parametrize("link", ["https://wiki.example/run?x=1&y=<2>", "http://wiki.example"])
def test_a_web_address_is_a_link(link: str, alice: Client, world: World) -> None:
    world.fire(annotations={"runbook": link})
    world.work()
    assert link in open_page(alice, page_of(world.incident())).attributes("href")


@pytest.mark.parametrize(
    "text",
    ["javascript:alert(1)", "data:text/html,x", "//wiki.example", "see https://a.example b", "https://["],
)
def test_other_text_is_none(text: str, alice: Client, world: World) -> None:
    world.fire(annotations={"runbook": text})
    world.work()
    page = open_page(alice, page_of(world.incident()))
    assert text in page.text
    assert text not in page.attributes("href")


def test_taken_on_and_declared_over(alice: Client, night: World) -> None:
    page = page_of(night.incident())
    assert alice.post(f"{page}acknowledge/").headers["Location"] == page
    found = night.incident()
    assert (found.status, found.acknowledged_by) == ("acknowledged", "alice")
    text = open_page(alice, page).text
    assert "alice acknowledged incident" in text
    assert "Resolve" in text

    alice.post(f"{page}resolve/")
    assert night.incident().status == "resolved"
    text = open_page(alice, page).text
    assert "alice resolved incident" in text


def test_two_who_click_at_once(alice: Client, night: World) -> None:
    page = page_of(night.incident())
    alice.post(f"{page}resolve/")
    for act in ("acknowledge", "resolve"):
        answer = alice.post(f"{page}{act}/", follow=True)
        assert "is resolved" in answer.content.decode()
    assert AlertHistory.objects.filter(actor="alice").count() == 1


@pytest.mark.parametrize("name", ["items", "keys", "0"])
def test_labels_may_be_called_as_what_a_template_would_ask_for(
    name: str, alice: Client, world: World
) -> None:
    world.post({"name": "x", "labels": {name: "v"}, "annotations": {name: "v"}, "status": "firing"})
    world.work()
    assert f"{name}=v" in open_page(alice, page_of(world.incident())).text
    given = {"matchers": f'{name}="v"' if name != "0" else "alertname=x", "length": "1h", "preview": "1"}
    assert f"{name}=v" in alice.post("/silences/add/", given).content.decode().replace("<b>", "").replace(
        "</b>", ""
    )


@pytest.mark.parametrize("number", ["0", "4711", "9" * 18, "9" * 40])
def test_no_such_incident(number: str, alice: Client) -> None:
    assert alice.get(f"/incidents/{number}/").status_code == 404
    for act in ("acknowledge", "resolve"):
        answer = alice.post(f"/incidents/{number}/{act}/", follow=True)
        assert answer.status_code == 404


def test_a_long_story_costs_no_more(alice: Client, world: World) -> None:
    world.channel()

    def round_of(number: int) -> None:
        world.fire(fingerprint=f"fingerprint-{number}")
        world.work()

    round_of(0)
    page = page_of(world.incident())
    with counted() as few:
        open_page(alice, page)
    for number in range(1, 6):
        round_of(number)
    with counted() as many:
        open_page(alice, page)
    assert PipelineRun.objects.count() == 6
    assert len(many) == len(few) <= 16, many


def test_only_the_newest_of_very_many(alice: Client, world: World) -> None:
    for number in range(story.SHOWN + 1):
        world.fire(fingerprint=f"fingerprint-{number}")
    world.work()
    text = open_page(alice, page_of(world.incident())).text
    assert text.count("there are more") == 2, "alerts and timeline"


def test_it_looks_again_when_something_is_due(night: World) -> None:
    incident = night.incident().pk
    assert Story(incident, night.now).looks_again_in == 0

    def after(**columns: object) -> int:
        Delivery.objects.filter(channel__name="on-call").update(**columns)
        return Story(incident, night.now).looks_again_in

    assert after(state=Delivery.PENDING, due_at=night.now + timedelta(seconds=50)) == story.SOONEST
    assert after(state=Delivery.RETRYING, due_at=night.now + timedelta(seconds=9)) == 10
    assert after(state=Delivery.RETRYING, due_at=night.now - timedelta(hours=1)) == story.SOONEST
    assert after(state=Delivery.RETRYING, due_at=night.now + timedelta(hours=1)) == story.LATEST


def test_before_a_worker_came(alice: Client, world: World) -> None:
    world.channel()
    world.fire()
    world.work()
    world.fire(severity="critical")
    AlertHistory.objects.update(incident=world.incident())
    assert "Not decided yet: it waits for a worker" in open_page(alice, page_of(world.incident())).text
