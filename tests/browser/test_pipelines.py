"""A pipeline from the editor to an answer on the page of its run."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.processes import Tocsin

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
SHOP = {
    "version": "1.0",
    "nodes": [
        {"id": "bad", "type": "condition", "next": "ask", "otherwise": "note",
         "config": {"matchers": ['severity="critical"']}},
        {"id": "ask", "type": "approval", "next": "note", "config": {"question": "Restart the shop?"}},
        {"id": "note", "type": "ingest"},
    ],
}  # fmt: skip
ALERT = {"name": "ShopDown", "status": "firing", "severity": "critical", "labels": {"instance": "web-1"}}


def write(page: Page, **changed: object) -> None:
    page.get_by_label("Nodes (JSON)").fill(json.dumps({**SHOP, **changed}, indent=2))


def box(page: Page, name: str) -> Locator:
    return page.locator("svg.graph .node", has=page.locator(f".name:text-is('{name}')"))


def test_from_the_editor_to_an_answer(tocsin: Tocsin, page: Page) -> None:
    page.goto("/pipelines/")
    page.get_by_role("link", name="New pipeline").click()
    page.get_by_label("Name").fill("shop")
    write(page, nodes=[SHOP["nodes"][0]])
    expect(page.locator("#checked h2").first).to_have_text("2 problems")
    expect(box(page, "bad")).to_have_class("node wrong")
    expect(box(page, "ask")).to_contain_text("no such node")
    write(page)
    expect(page.locator("#checked h2").first).to_have_text("Sound")
    expect(page.locator("svg.graph .node.wrong")).to_have_count(0)
    expect(page.get_by_label("Name")).to_have_value("shop")

    page.get_by_label("Or a payload").fill(json.dumps(ALERT))
    page.get_by_role("button", name="Try").click()
    expect(page.locator("#checked h2").first).to_have_text("Tried on ShopDown on web-1")
    expect(box(page, "ask")).to_contain_text("asks: Restart the shop?")
    page.get_by_label("Incidents with these labels").fill("alertname=ShopDown")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Pipeline shop saved: version 1")

    tocsin.post(ALERT, "/alerts/webhook/generic/")
    asking = "SELECT run_id FROM orchestration_pipelinerun WHERE state = 'WAITING'"
    tocsin.wait(lambda: tocsin.query(asking), "a run that asks")
    page.goto(f"/runs/{tocsin.query(asking)[0][0]}/")
    expect(box(page, "ask")).to_have_class("node waiting")
    ask = page.get_by_role("link", name=re.compile("^ask"))
    ask.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#node-2 pre").first).to_contain_text("Restart the shop?")
    page.get_by_role("button", name="Approve").click()
    expect(box(page, "note")).to_have_class("node done", timeout=20_000)  # the page follows its run
    expect(page.locator(".marks .pill")).to_have_text("completed")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]

    page.goto("/pipelines/")
    page.get_by_role("link", name="shop", exact=True).click()
    expect(box(page, "bad")).to_contain_text("1 next")
    page.get_by_role("button", name="Turn off").click()
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("Pipeline shop removed")).to_be_visible()


def test_selected_without_script(tocsin: Tocsin, page: Page) -> None:
    """Anchors alone open what belongs to a node."""
    definition = tocsin.query("SELECT id FROM orchestration_pipelinedefinition WHERE name = 'default'")[0][0]
    page.goto(f"/pipelines/{definition}/")
    page.evaluate("document.querySelectorAll('script').forEach((script) => script.remove())")
    page.locator("svg.graph a").last.click()
    expect(page.locator("#node-4")).to_be_visible()
