"""A heartbeat from the form to its first ping, and the feed."""

import urllib.request

import pytest
from playwright.sync_api import Page, expect

from tests.processes import Tocsin

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}


def call(url: str, body: bytes) -> None:
    with urllib.request.urlopen(url, body) as answer:
        assert answer.status in (200, 202)


def test_from_the_form_to_a_failure_and_back(tocsin: Tocsin, page: Page) -> None:
    page.goto("/heartbeats/")
    page.get_by_role("link", name="New heartbeat").click()
    page.get_by_label("Name").fill("from-the-form")
    page.get_by_label("Or by cron line").fill("10 3 * *")
    page.get_by_role("button", name="Add heartbeat").click()
    expect(page.get_by_role("alert")).to_contain_text("is no cron line")
    page.get_by_label("Or by cron line").fill("10 3 * * *")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Add heartbeat").click()
    expect(page.get_by_role("status")).to_contain_text("Heartbeat from-the-form added")
    expect(page.get_by_text("At 03:10 every day, Europe/Berlin")).to_be_visible()
    url = page.locator("#url").inner_text()

    call(f"{url}/3", b"no space left on device\n" + b"unbroken" * 80)
    tocsin.wait(lambda: tocsin.query("SELECT id FROM fleet_heartbeat WHERE state = 'down'"), "the watch")
    page.reload()
    expect(page.locator(".subject")).to_contain_text("from-the-form failed with exit status 3")
    expect(page.locator("details[open] pre")).to_contain_text("no space left on device")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]

    call(url, b"")
    page.get_by_role("link", name="← Heartbeats").click()
    mine = page.locator(".channel", has_text="from-the-form")
    tocsin.wait(lambda: not tocsin.query("SELECT id FROM fleet_heartbeat WHERE state = 'down'"), "the watch")
    page.reload()
    expect(mine.locator(".pill")).to_have_text("up")
    mine.get_by_role("button", name="Pause from-the-form").click()
    expect(mine.locator(".pill")).to_have_text("paused")
    mine.get_by_role("link", name="Remove from-the-form").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("status")).to_contain_text("Heartbeat from-the-form removed")


def test_the_feed_narrows_by_a_click(tocsin: Tocsin, page: Page) -> None:
    call(f"{tocsin.url}/api/events", b'[{"type": "deploy", "message": "v1 is out"}, {"type": "upload"}]')
    page.goto("/events/")
    page.get_by_role("link", name="deploy", exact=True).first.click()
    expect(page.get_by_text("v1 is out").first).to_be_visible()
    expect(page.get_by_role("link", name="upload", exact=True)).to_have_count(0)
    expect(page.get_by_label("Type")).to_have_value("deploy")
