"""A monitor from the form to its first result."""

import pytest
from playwright.sync_api import Page, expect

from tests.processes import Tocsin

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}


def test_from_the_form_to_its_results(tocsin: Tocsin, page: Page) -> None:
    page.goto("/monitors/")
    page.get_by_role("link", name="New monitor").click()
    page.get_by_role("link", name="HTTP").click()
    page.get_by_label("URL").fill(f"{tocsin.url}/health")
    page.get_by_text("Options of http").click()
    page.get_by_label("Token").fill("s3cr3t")
    page.get_by_label("Must not match").fill("error")
    page.get_by_role("button", name="Run now").click()
    expect(page.locator(".found")).to_contain_text("HTTP 200")
    expect(page.get_by_label("Token")).to_have_value("s3cr3t")
    expect(page.get_by_text("This field is required")).to_have_count(0)
    page.get_by_label("Name", exact=True).fill("from-the-form")
    page.get_by_role("button", name="Add monitor").click()
    expect(page.get_by_text("Monitor from-the-form added. It looks now.")).to_be_visible()
    tocsin.wait(lambda: tocsin.query("SELECT id FROM checkers_monitor WHERE last_status = 'ok'"), "a look")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("Ok: HTTP 200")).to_be_visible()
    expect(page.locator("svg.line path.value")).to_have_count(1)
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]

    page.get_by_role("link", name="← Monitors").click()
    expect(page.locator(".monitor svg rect.ok").first).to_be_attached()
    page.get_by_role("link", name="from-the-form").click()
    page.get_by_role("button", name="Disable").click()
    expect(page.locator(".subject .pill")).to_have_text("disabled")
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("Monitor from-the-form removed")).to_be_visible()
