"""Pipelines as people see, make, check, try, change, turn off, bring back and remove them."""

from typing import Any, Final

import msgspec
import pytest
from django.test import Client

from tests.statements import counted
from tests.web import rows
from tests.web.markup import Page, open_page, read
from tests.world import World
from tocsin.alerts.models import AlertHistory, Incident
from tocsin.core import clock
from tocsin.notify.models import Delivery
from tocsin.orchestration import definitions
from tocsin.orchestration.definition import Problem
from tocsin.orchestration.models import PipelineDefinition, PipelineRun
from tocsin.orchestration.nodes import nodes
from tocsin.orchestration.shown import opened
from tocsin.web.pipeline_graph import draw, marked, nodes_of

NASTY: Final = (
    "<script>window.hacked=1</script>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</script></textarea></title></svg><iframe src=//evil.example>",
    "{{ 7*7 }}{% debug %}",
)
SECRET: Final = "s3cr3t-that-nobody-may-see"


def node(name: str, kind: str, following: str | list[str] = "", **rest: Any) -> dict[str, Any]:
    return {"id": name, "type": kind, **({"next": following} if following else {}), **rest}


SHOP: Final = (
    node("bad", "condition", "tell", otherwise="note", config={"matchers": ['severity="critical"']}),
    node("tell", "notify"),
    node("note", "ingest"),
)


def document(*given: dict[str, Any]) -> dict[str, Any]:
    return {"version": "1.0", "nodes": list(given)}


def text(*given: dict[str, Any]) -> str:
    return msgspec.json.encode(document(*given)).decode()


def defined(name: str = "shop", *given: dict[str, Any], **told: Any) -> PipelineDefinition:
    PipelineDefinition.objects.filter(name="default").delete()
    return definitions.put(name=name, document=document(*(given or SHOP)), now=clock.now(), **told)


def fill_in(browser: Client, path: str = "/pipelines/add/", **given: str) -> Page:
    """Send the editor; the page that follows."""
    begun = {"name": "shop", "priority": "10", "matching": "", "enabled": "on", "document": text(*SHOP)}
    answer = browser.post(path, begun | given, follow=True)
    assert answer.status_code == 200
    page = read(answer)
    assert page.can_run() == []
    return page


def boxes(page: Page) -> dict[str, str]:
    """The nodes of the graph, with what is said of each by its class."""
    drawn = [a["class"].removeprefix("node").strip() for tag, a in page.elements
             if tag == "a" and a.get("class", "").startswith("node ")]  # fmt: skip
    names = [a["id"] for tag, a in page.elements if tag == "a" and a.get("class", "").startswith("node ")
             and "id" in a]  # fmt: skip
    return dict(zip(names, drawn, strict=False))


def test_in_the_order_they_are_asked(alice: Client, world: World) -> None:
    world.channel()
    defined("x-all", priority=50)
    defined("x-first", priority=5, matching=['team="shop"'], description="for the shop")
    defined("x-off", priority=1, enabled=False)
    world.fire("Down", labels={"team": "shop", "instance": "web-1"}, severity="critical")
    world.work()
    page = open_page(alice, "/pipelines/")
    assert page.can_run() == []
    places = [page.text.index(name) for name in ("x-off", "x-first", "for the shop", "x-all")]
    assert places == sorted(places)
    for shown in ('team="shop"', "3 nodes · version 1", "notified", "Down on web-1", "No run lately"):
        assert shown in page.text, shown
    assert f"/runs/{PipelineRun.objects.get().pk}/" in page.attributes("href")
    assert "built-in stages" not in page.text, "as one of them takes all"
    PipelineDefinition.objects.filter(name="x-all").update(enabled=False)
    assert "walks the built-in stages" in open_page(alice, "/pipelines/").text


def test_none_at_all(alice: Client) -> None:
    PipelineDefinition.objects.all().delete()
    assert "No pipeline" in open_page(alice, "/pipelines/").text
    assert "/pipelines/" in open_page(alice, "/").attributes("href")


def test_made(alice: Client) -> None:
    page = fill_in(alice, matching='team="shop"\r\nseverity=~"warning|critical"', description="why")
    assert "Pipeline shop saved: version 1." in page.text
    found = definitions.named("shop")
    assert found.definition == document(*SHOP)
    assert (found.priority, found.enabled, found.description) == (10, True, "why")
    assert found.matchers == ['team="shop"', 'severity=~"warning|critical"']
    assert found.versions.get().made_by == "alice"


@pytest.mark.parametrize(
    ("changed", "at", "said"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"name": "taken"}, "name", "There is one of this name already."),
        ({"priority": "-1"}, "priority", "greater than or equal to 0"),
        ({"matching": "team"}, "matching", "team"),
        ({"matching": "[1]"}, "matching", "Write one matcher a line."),
        ({"matching": 'a=~"("'}, "matching", "("),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    changed: dict[str, str], at: str, said: str, alice: Client
) -> None:
    defined("taken")
    page = fill_in(alice, **changed)
    assert said in page.text
    assert {a["name"] for _, a in page.elements if "aria-invalid" in a} == {at}
    assert PipelineDefinition.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "where", "said"),
    [
        ('{"nodes": [', "JSON", "line 1"),
        ("[" * 5_000, "JSON", "nested too deeply"),
        ("1e999", "JSON", "out of range"),
        ("null", "definition", "valid dictionary"),
        ('{"nodes": []}', "nodes", "at least 1 item"),
        ('{"nodes": [1, {"id": "a", "type": "notify"}]}', "#1", "valid dictionary"),
        (text(node("a", "nonsense")), "type", "nonsense"),
        (text(node("a", "wait")), "config.seconds", "Field required"),
        (text(node("a", "ingest", "nowhere")), "next", "there is no node 'nowhere'"),
        (text(node("a", "ingest", "b"), node("b", "ingest", "a")), "next", "leads back to itself"),
        (text(node("a", "condition", config={"expression": "["})), "config.expression", "JMESPath"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_nodes_is_said_and_nothing_saved(
    given: str, where: str, said: str, alice: Client
) -> None:
    for how in ("check", "save"):
        page = fill_in(alice, document=given, **({"check": "1"} if how == "check" else {}))
        assert where in page.text and said in page.text
        assert "problem" in page.text and ("Not saved" in page.text) == (how == "save")
    assert not PipelineDefinition.objects.filter(name="shop").exists()


def test_problems_are_marked_on_the_graph(alice: Client) -> None:
    page = fill_in(alice, document=text(node("a", "wait", "b"), node("b", "notify", "gone")), check="1")
    assert boxes(page) == {"node-1-box": "wrong", "node-2-box": "wrong"}
    assert "missing" in [a["class"].split()[-1] for tag, a in page.elements if "node" in a.get("class", "")]
    assert "#node-1-box" in page.attributes("href"), "each problem leads to its node"
    assert "config.seconds: Field required" in page.text


def test_checked_as_one_types_without_a_name(alice: Client) -> None:
    page = fill_in(alice, name="", check="1")
    assert "Sound" in page.text and len(boxes(page)) == 3
    assert not PipelineDefinition.objects.filter(name="shop").exists()


def test_tried_on_a_payload_that_is_not_taken_in(alice: Client, world: World) -> None:
    world.channel("on-call")
    payload = '{"name": "Down", "status": "firing", "severity": "critical", "labels": {"instance": "web-1"}}'
    page = fill_in(alice, name="", payload=payload, **{"try": "1"})
    assert "Tried on Down on web-1" in page.text and "on-call" in page.text
    assert boxes(page) == {"node-1-box": "done", "node-2-box": "done", "node-3-box": "skipped"}
    gone = [a["class"] for tag, a in page.elements if tag == "g" and a.get("class", "").startswith("way")]
    assert [kind.split() for kind in gone] == [["way", "gone"], ["way", "side"]]
    world.work()
    assert world.sent == []
    for model in (Incident, AlertHistory, Delivery, PipelineRun):
        assert not model.objects.exists(), model


def test_tried_on_an_incident(alice: Client, world: World) -> None:
    world.channel()
    world.fire(severity="info")
    world.work()
    PipelineRun.objects.all().delete()
    begun = open_page(alice, "/pipelines/add/")
    assert "HighCPU on web-1" in begun.text
    page = fill_in(alice, incident=str(world.incident().pk), **{"try": "1"})
    assert boxes(page)["node-2-box"] == "skipped" and boxes(page)["node-3-box"] == "done"
    assert not PipelineRun.objects.exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Pick an incident, or paste a payload."),
        ({"incident": "999"}, "Select a valid choice"),
        ({"payload": "no alert at all"}, "It cannot be tried:"),
        ({"payload": '{"version": "4", "status": "firing", "alerts": []}'}, "it speaks of no alert"),
    ],
)
def test_what_cannot_be_tried_is_said(given: dict[str, str], said: str, alice: Client) -> None:
    assert said in fill_in(alice, **given, **{"try": "1"}).text


def test_an_incident_that_would_not_be_taken_is_said(alice: Client) -> None:
    payload = '{"name": "Down", "status": "firing", "severity": "critical", "labels": {"instance": "web-1"}}'
    for matching, taken in (('severity="critical"\r\nalertname=Down', True), ("alertname=Up", False)):
        page = fill_in(alice, payload=payload, matching=matching, **{"try": "1"})
        assert "Tried on Down on web-1" in page.text
        assert ("would not be taken" in page.text) == (not taken)


def test_a_node_that_would_fail_is_said(alice: Client) -> None:
    given = text(node("boom", "transform", "after", config={"expressions": {"n": "abs(incident.title)"}}),
                 node("after", "notify"))  # fmt: skip
    payload = '{"name": "Down", "status": "firing"}'
    page = fill_in(alice, document=given, payload=payload, **{"try": "1"})
    assert boxes(page) == {"node-1-box": "failed", "node-2-box": "skipped"}
    assert "would fail" in page.text and "abs" in page.text


def test_changed_is_a_new_version(alice: Client) -> None:
    shop = defined()
    path = f"/pipelines/{shop.pk}/edit/"
    page = open_page(alice, path)
    assert "name" not in {a["name"] for tag, a in page.elements if tag == "input" and "name" in a}
    page = fill_in(alice, path, document=text(*SHOP[:2], node("note", "notify")))
    assert "version 2" in page.text
    page = open_page(alice, f"/pipelines/{shop.pk}/versions/1/")
    assert page.can_run() == []
    assert '-      "type": "ingest"' in page.text and '+      "type": "notify"' in page.text
    again = f"/pipelines/{shop.pk}/versions/1/restore/"
    assert "Version 1 is back, as version 3." in read(alice.post(again, follow=True)).text
    assert definitions.named("shop").definition == document(*SHOP)
    compared = open_page(alice, f"/pipelines/{shop.pk}/versions/1/?with=3")
    assert "Their nodes are the same." in compared.text
    for wrong in ("versions/9/", "versions/1/?with=9"):
        assert alice.get(f"/pipelines/{shop.pk}/{wrong}").status_code == 404


def test_a_version_that_cannot_be_used_any_more_stays_where_it_is(alice: Client) -> None:
    shop = defined()
    shop.versions.update(document=document(node("a", "gone")))
    page = read(alice.post(f"/pipelines/{shop.pk}/versions/1/restore/", follow=True))
    assert "cannot be used any more" in page.text
    assert definitions.named("shop").version == 1


def test_secrets_are_not_shown_and_stay(alice: Client) -> None:
    request = {"url": "https://x.example/", "headers": {"Authorization": SECRET}}
    shop = defined("shop", node("ask", "http", config=request))
    paths = ("", "edit/", "versions/1/")
    for path in paths:
        assert SECRET not in alice.get(f"/pipelines/{shop.pk}/{path}").content.decode(), path
    page = open_page(alice, f"/pipelines/{shop.pk}/edit/")
    begun = page.text[page.text.index("{") : page.text.rindex("}")]
    assert "••••••" in begun
    masked = text(node("ask", "http", "more", config=request | {"headers": {"Authorization": "••••••"}}),
                  node("more", "notify"))  # fmt: skip
    fill_in(alice, f"/pipelines/{shop.pk}/edit/", document=masked)
    found = opened(definitions.named("shop").definition)
    assert found["nodes"][0]["config"] == request and len(found["nodes"]) == 2


def test_turned_off_and_on(alice: Client) -> None:
    shop = defined()
    assert "shop is off" in read(alice.post(f"/pipelines/{shop.pk}/enable/", follow=True)).text
    assert not definitions.named("shop").enabled
    page = read(alice.post(f"/pipelines/{shop.pk}/enable/", {"on": "1"}, follow=True))
    assert "shop is on" in page.text and definitions.named("shop").enabled


def test_removed_once_nothing_walks_it(alice: Client, world: World) -> None:
    shop = defined("shop", node("pause", "wait", config={"seconds": 60}))
    world.fire()
    world.work()
    path = f"/pipelines/{shop.pk}/remove/"
    assert "Remove shop?" in open_page(alice, path).text
    assert "Runs are walking shop" in read(alice.post(path, follow=True)).text
    world.forward(minutes=1)
    assert "Pipeline shop removed." in read(alice.post(path, follow=True)).text
    assert not PipelineDefinition.objects.exists()
    run = PipelineRun.objects.get()
    page = open_page(alice, f"/runs/{run.pk}/")
    assert "pause" in page.text, "what it did is still told"


def test_how_its_nodes_were_left_lately(alice: Client, world: World) -> None:
    world.channel()
    shop = defined()
    for name, severity in (("A", "critical"), ("B", "info"), ("C", "info")):
        world.fire(name, severity=severity)
    world.work()
    page = open_page(alice, f"/pipelines/{shop.pk}/")
    assert page.can_run() == []
    for shown in ("how 3 runs went lately", "1 next · 2 otherwise", "median", "then", "Version 1"):
        assert shown.lower() in page.text.lower(), shown
    assert [h for h in page.attributes("href") if h.startswith("#node")] == ["#node-1", "#node-2", "#node-3"]
    assert {"node-1", "node-2", "node-3"} <= set(page.attributes("id"))


def test_failures_are_counted(alice: Client, world: World) -> None:
    boom = node("boom", "transform", config={"expressions": {"n": "abs(incident.title)"}}, retry={"tries": 1})
    shop = defined("shop", boom)
    world.fire()
    world.work()
    page = open_page(alice, f"/pipelines/{shop.pk}/")
    assert "1 failed try" in page.text and boxes(page) == {"node-1-box": "troubled"}


def test_every_type_has_a_node_to_copy(alice: Client) -> None:
    page = open_page(alice, "/pipelines/add/")
    for name in nodes.names():
        assert f"Copy a node of type {name}" in page.attributes("aria-label")
        for field in nodes.get(name).Config.model_fields:
            assert field in page.text, (name, field)


@pytest.mark.parametrize("nasty", NASTY)
def test_their_text_is_text(nasty: str, alice: Client) -> None:
    name = nasty.replace("/", "").strip()
    config = {"templates": {nasty: "x"}}
    shop = defined(name, node("a", "transform", config=config), description=nasty,
                   matching=[f"team={msgspec.json.encode(nasty).decode()}"])  # fmt: skip
    for path in ("", f"{shop.pk}/", f"{shop.pk}/edit/", f"{shop.pk}/remove/", f"{shop.pk}/versions/1/"):
        page = open_page(alice, f"/pipelines/{path}")
        assert page.can_run() == [], path
        assert name in page.text, path


@pytest.mark.parametrize("nasty", NASTY)
def test_what_is_wrong_is_text(nasty: str, alice: Client) -> None:
    given = text(
        node(nasty, nasty, [nasty, f"{nasty}!"], otherwise=nasty, on_failure=nasty, config={nasty: 1})
    )
    page = fill_in(alice, document=given, check="1")
    assert nasty[:60] in page.text
    payload = msgspec.json.encode({"name": nasty, "status": "firing", "labels": {"instance": nasty}}).decode()
    page = fill_in(alice, payload=payload, **{"try": "1"})
    assert nasty in page.text and "Tried on" in page.text


@pytest.mark.parametrize("given", [None, 7, "x", [], {"nodes": 3}, {"nodes": [[], None, {}]}, {"nodes": {}}])
def test_nothing_that_can_be_written_breaks_the_graph(given: object) -> None:
    found = nodes_of(given)
    drawing = draw(found, marked([Problem(node="#1", field="x", message="y")]))
    assert (drawing is None) == (not found)


def test_what_is_too_much_is_not_drawn(alice: Client) -> None:
    many = [node(f"n{number}", "ingest", [f"n{other}" for other in range(number + 1, 60)])
            for number in range(60)]  # fmt: skip
    page = fill_in(alice, document=text(*many), check="1")
    assert "There is no graph to draw" in page.text and "Sound" in page.text


def test_the_list_costs_no_more_with_more(alice: Client, world: World) -> None:
    def grow(count: int) -> list[str]:
        for number in range(count):
            defined(f"p-{count}-{number}")
            rows.run(
                incident=rows.incident(), version=definitions.named(f"p-{count}-{number}").versions.get()
            )
        with counted() as asked:
            open_page(alice, "/pipelines/")
        return asked

    few, many = grow(1), grow(10)
    assert len(many) == len(few) <= 8, many


@pytest.mark.parametrize("end", ["", "edit/", "remove/", "enable/", "versions/1/", "versions/1/restore/"])
def test_no_such_pipeline(end: str, alice: Client) -> None:
    call = alice.post if end in ("enable/", "versions/1/restore/") else alice.get
    assert call(f"/pipelines/999999/{end}").status_code == 404
