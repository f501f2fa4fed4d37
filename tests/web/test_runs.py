"""A run on its page: how each node stands, and the answers that people give."""

from typing import Any

import msgspec
import pytest
from django.test import Client

from tests.web.markup import Page, open_page, read
from tests.web.test_pipelines import NASTY, boxes, defined, node
from tests.world import World
from tocsin.core import clock
from tocsin.orchestration.definition import STAGES
from tocsin.orchestration.models import PipelineRun, PipelineVersion, StageExecution
from tocsin.web import live

ASK = node("ask", "approval", "tell", otherwise="note", config={"question": "Restart the shop?"})
REST = (node("tell", "notify"), node("note", "ingest"))


def walked(world: World, *given: dict[str, Any], **told: Any) -> PipelineRun:
    """The run of an incident that a definition of these nodes takes."""
    defined("shop", *given)
    world.now = clock.now()  # as the pages go by it
    world.fire(**told)
    world.work()
    found: PipelineRun = PipelineRun.objects.get()
    return found


def page_of(run: PipelineRun, browser: Client) -> Page:
    page = open_page(browser, f"/runs/{run.pk}/")
    assert page.can_run() == []
    return page


def states(run: PipelineRun, browser: Client) -> list[str]:
    return list(boxes(page_of(run, browser)).values())


def answer(browser: Client, run: PipelineRun, approved: str, **given: str) -> Page:
    said = {"node": "ask", "approved": approved} | given
    return read(browser.post(f"/runs/{run.pk}/answer/", said, follow=True))


def test_an_approval_from_question_to_answer(alice: Client, world: World) -> None:
    world.channel()
    run = walked(world, ASK, *REST)
    page = page_of(run, alice)
    assert list(boxes(page).values()) == ["waiting", "not-yet", "not-yet"]
    for shown in ("Restart the shop?", "Approve", "Refuse", "shop, version 1", "HighCPU on web-1"):
        assert shown in page.text, shown
    page = answer(alice, run, "yes")
    assert "You said yes." in page.text and "Approve" not in page.text
    assert "alice has answered already." in answer(alice, run, "no").text.replace("Alice", "alice")
    before = live.token()
    world.forward(seconds=1)
    assert live.token() != before, "open pages hear of it"
    assert states(run, alice) == ["done", "done", "skipped"]
    assert "alice" in page_of(run, alice).text and world.kinds() == ["firing"]


def test_refused_on_the_page_of_the_incident(alice: Client, world: World) -> None:
    world.channel()
    run = walked(world, ASK, *REST)
    path = f"/incidents/{world.incident().pk}/"
    page = open_page(alice, path)
    assert "Restart the shop?" in page.text and f"/runs/{run.pk}/answer/" in page.attributes("action")
    page = answer(alice, run, "no", incident="1")
    assert "You said no." in page.text and "Deliveries" in page.text
    world.forward(seconds=1)
    assert states(run, alice) == ["done", "skipped", "done"]
    assert world.sent == [] and "Approve" not in open_page(alice, path).text


@pytest.mark.parametrize("where", ["nowhere", "tell", "\0", "<script>"])
def test_what_is_not_asked_cannot_be_answered(where: str, alice: Client, world: World) -> None:
    run = walked(world, ASK, *REST)
    page = answer(alice, run, "yes", node=where)
    assert "does not ask for an approval" in page.text and page.can_run() == []
    assert PipelineRun.objects.get().state == PipelineRun.WAITING


def test_all_of_a_node_is_told(alice: Client, world: World) -> None:
    look = node("look", "transform", "tell", config={"expressions": {"who": "incident.title"}})
    page = page_of(walked(world, look, node("tell", "notify")), alice)
    for shown in ('"who": "HighCPU on web-1"', "try 1", "left by next", "there is no enabled channel"):
        assert shown in page.text, shown
    assert {"#node-1", "#node-2"} <= set(page.attributes("href"))
    assert {"node-1", "node-2"} <= set(page.attributes("id"))


def test_tries_that_failed_are_told_with_their_errors(alice: Client, world: World) -> None:
    config = {"expressions": {"n": "abs(incident.title)"}}
    boom = node("boom", "transform", "tell", config=config, retry={"tries": 2, "first_seconds": 1})
    run = walked(world, boom, node("tell", "notify"))
    assert states(run, alice) == ["failed", "not-yet"]
    world.forward(minutes=5)
    page = page_of(run, alice)
    assert list(boxes(page).values()) == ["failed", "not-yet"], "it can be resumed"
    assert "try 2" in page.text and "abs" in page.text
    assert StageExecution.objects.count() == 2


def test_the_ways_that_were_gone_stand_out(alice: Client, world: World) -> None:
    fork = node("bad", "condition", "tell", otherwise="note", config={"matchers": ["severity=critical"]})
    page = page_of(walked(world, fork, *REST, severity="info"), alice)
    ways = [a["class"].split() for tag, a in page.elements if tag == "g" and "way" in a.get("class", "")]
    assert ways == [["way"], ["way", "gone", "side"]]


def test_one_of_the_built_in_stages(alice: Client, world: World) -> None:
    run = walked(world, *STAGES["nodes"])
    PipelineRun.objects.update(version=None)
    assert states(run, alice) == ["done"] * 4
    assert "the built-in stages" in page_of(run, alice).text


def test_one_whose_plug_in_is_gone(alice: Client, world: World) -> None:
    run = walked(world, ASK, *REST)
    gone = {"version": "1.0", "nodes": [node("ask", "gone", "tell"), node("tell", "notify")]}
    version = PipelineVersion.objects.create(
        definition_id=run.version.definition_id, number=2, document=gone, created_at=world.now
    )
    PipelineRun.objects.update(version=version)
    assert states(run, alice) == ["waiting", "not-yet"]


@pytest.mark.parametrize("nasty", NASTY)
def test_what_alerts_say_is_text(nasty: str, alice: Client, world: World) -> None:
    look = node("look", "transform", "ask", config={"expressions": {"said": "alerts[0].annotations"}})
    ask = node("ask", "approval", config={"question": f"Go on? {nasty}"})
    run = walked(world, look, ask, name=nasty, annotations={"text": nasty})
    assert run.state == PipelineRun.WAITING
    for path in (f"/runs/{run.pk}/", f"/incidents/{world.incident().pk}/"):
        page = open_page(alice, path)
        assert page.can_run() == [], path
        assert f"Go on? {nasty}" in page.text and nasty in page.text, path
    assert msgspec.json.encode(nasty).decode() in open_page(alice, f"/runs/{run.pk}/").text


def test_no_such_run(alice: Client) -> None:
    for name in ("nothing", "%00"):
        assert alice.get(f"/runs/{name}/").status_code == 404
        assert alice.post(f"/runs/{name}/answer/", {"node": "x"}).status_code == 404
