"""Incidents as people meet them: as they happen, without a reload."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.processes import Tocsin

pytestmark = pytest.mark.browser

GENERIC = "/alerts/webhook/generic/"


def fire(tocsin: Tocsin, name: str, **more: object) -> str:
    """Post one alert of its own incident; return the incident's title."""
    alert = {"name": name, "status": "firing", "labels": {"instance": "web-1"}, **more}
    assert tocsin.post(alert, GENERIC) == 202
    return f"{name} on web-1"


def test_a_link_signs_in_once(chromium: Browser, tocsin: Tocsin, page: Page) -> None:
    other = chromium.new_page()
    other.goto(tocsin.sign_in_link)
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("heading", name="This link no longer works")).to_be_visible()
    other.close()


def test_a_fresh_incident_appears_by_itself(tocsin: Tocsin, page: Page) -> None:
    page.goto("/")
    expect(page.locator("#live")).to_have_text("Live")
    page.evaluate("window.here = true")
    title = fire(tocsin, "AppearsByItself", severity="critical")
    fresh = page.locator("#incidents .row", has_text=title)
    expect(fresh).to_contain_text("critical")
    expect(fresh).to_contain_text("just now")
    assert page.evaluate("window.here"), "the page was not loaded again"
    fire(tocsin, "AppearsByItself", status="resolved")
    expect(fresh).to_have_count(0)


def test_taken_on_and_declared_over(tocsin: Tocsin, page: Page) -> None:
    title = fire(tocsin, "TakenOn", severity="error")
    page.goto("/")
    page.locator(".row", has_text=title).click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".marks .pill")).to_have_text("acknowledged")
    expect(page.locator(".facts")).to_contain_text("admin, just now")
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator(".marks .pill")).to_have_text("resolved")
    expect(page.locator(".timeline")).to_contain_text(re.compile("admin resolved incident"))


def test_silenced_by_its_button(tocsin: Tocsin, page: Page) -> None:
    title = fire(tocsin, "SilencedByButton", severity="warning")
    page.goto("/?q=SilencedByButton")
    page.locator(".row", has_text=title).click()
    page.get_by_role("link", name="Silence", exact=True).click()
    what = page.get_by_label("Alerts with these labels")
    expect(what).to_have_value('alertname="SilencedByButton"\ninstance="web-1"')
    what.fill("alertname=")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("alert")).to_contain_text("At least one must ask for a value.")
    what.fill('alertname="SilencedByButton"')
    page.get_by_label("Comment").fill("it is being mended")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text("Matches 1 alert firing now")
    page.get_by_text("Until …").click()
    expect(page.get_by_label("Until (UTC)")).to_be_visible()
    page.get_by_text("1 day").click()
    expect(page.get_by_label("Until (UTC)")).not_to_be_visible()
    page.get_by_role("button", name="Silence").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    page.get_by_role("link", name="silenced by admin").click()
    expect(page.get_by_label("Comment")).to_have_value("it is being mended")
    page.get_by_role("link", name="Silences").first.click()
    mine = page.locator(".channel", has_text="SilencedByButton")
    expect(mine).to_contain_text("Ends in 24 h, by admin")
    expect(mine).to_contain_text("matches 1 firing now")
    mine.get_by_role("button", name="End now").click()
    expect(page.get_by_role("heading", name="Ended lately")).to_be_visible()


def test_an_open_page_follows_its_incident(tocsin: Tocsin, page: Page) -> None:
    title = fire(tocsin, "Followed", severity="warning")
    page.goto("/")
    page.locator(".row", has_text=title).click()
    stage = page.locator("details", has_text="INGEST").first
    stage.locator("summary").click()
    expect(stage.locator("pre").first).to_be_visible()
    fire(tocsin, "Followed", severity="critical")
    expect(page.locator(".marks .mark")).to_have_text("critical")
    opened = page.locator("details[open]")
    expect(opened).to_have_count(1)  # what the reader has opened stays open


def test_alert_text_does_not_run(tocsin: Tocsin, page: Page) -> None:
    nasty = "<script>window.hacked=1</script>"
    image = "<img src=x onerror='window.hacked=1'>"
    fire(tocsin, nasty, severity="critical", annotations={image: image}, message=f"{nasty}{image}")
    page.goto("/")
    page.locator(".row", has_text=nasty).click()
    expect(page.get_by_role("heading", name=f"{nasty} on web-1")).to_be_visible()
    expect(page.locator(".notes").first).to_contain_text(image)
    assert page.evaluate("window.hacked") is None
    page.goto("/admin/alerts/incident/")
    expect(page.locator("#result_list")).to_contain_text(nasty)
    assert page.evaluate("window.hacked") is None


def test_narrowed_as_one_types(tocsin: Tocsin, page: Page) -> None:
    critical = fire(tocsin, "NarrowedOne", severity="critical")
    info = fire(tocsin, "NarrowedTwo", severity="info")
    page.goto("/")
    shown = page.locator("#incidents .row")
    page.get_by_role("searchbox").fill("narrowed")
    expect(shown).to_have_text([re.compile(info), re.compile(critical)])
    page.get_by_label("Severity").select_option("critical")
    expect(shown).to_have_text([re.compile(critical)])
    expect(page).to_have_url(re.compile(r"q=narrowed&severity=critical"))
    page.get_by_role("link", name="resolved").click()
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("narrowed")


def test_by_keyboard_alone(tocsin: Tocsin, page: Page) -> None:
    fire(tocsin, "ByKeyboard")
    page.goto("/?q=ByKeyboard")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    page.locator(".row").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="ByKeyboard on web-1")).to_be_visible()


def test_focus_stays_where_it_is_when_the_list_renews_itself(tocsin: Tocsin, page: Page) -> None:
    mine = fire(tocsin, "FocusMine")
    page.goto("/")
    link = page.locator(".row", has_text=mine)
    link.focus()
    title = fire(tocsin, "FocusOther")
    expect(page.locator(".row", has_text=title)).to_be_visible()
    expect(page.locator(".row", has_text=mine)).to_be_focused()
