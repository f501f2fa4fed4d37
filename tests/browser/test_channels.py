"""A channel's templates tried while they are typed, and routes written and asked."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_monitors import PHONE

pytestmark = pytest.mark.browser

TREE = """\
route:
  channels: []
  routes:
    - matchers: [team="web"]
      channels: [typed]
"""


def test_a_template_is_tried_while_it_is_typed(page: Page) -> None:
    page.goto("/channels/add/log/")
    page.get_by_label("Name").fill("typed")
    page.locator("#templates > summary").click()
    subject = page.get_by_label("Subject")
    subject.fill("Now: {{ title }}")
    expect(page.locator("#preview .headline")).to_have_text("Now: Test message from Tocsin")
    subject.fill("Now: {{ titel }}")
    expect(page.locator("#subject-wrong")).to_have_text("There is no 'titel' (line 1)")
    subject.fill("Now: {{ title }}")
    expect(page.locator("#subject-wrong")).to_be_hidden()
    page.get_by_role("button", name="Add channel").click()
    expect(page.get_by_text("Channel typed added")).to_be_visible()
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("link", name="Edit typed").click()
    expect(page.get_by_label("Subject")).to_have_value("Now: {{ title }}")
    page.goto("/channels/")
    page.get_by_role("link", name="Remove typed").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("Channel typed removed")).to_be_visible()


def test_routes_are_checked_while_they_are_typed_and_then_asked(page: Page) -> None:
    page.goto("/routes/edit/")
    text = page.get_by_label("Routes (YAML or JSON)")
    text.fill(TREE.replace("channels: [typed]", "chanels: [typed]"))
    expect(page.locator("#checked")).to_contain_text("line 5")
    text.fill(TREE)
    expect(page.locator("#checked")).to_contain_text("Sound")
    page.get_by_label("Labels").fill("team=web")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#checked .told")).to_contain_text("typed is told")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_text("In force from now on")).to_be_visible()
    page.get_by_label("Labels").fill("team=db")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#asked")).to_contain_text("Nobody is told")
    expect(page.locator("#tree .route.taken")).to_contain_text("all else")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("button", name="Everybody gets everything").click()
    expect(page.get_by_text("Everybody gets everything from now on")).to_be_visible()
