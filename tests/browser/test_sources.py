"""A tool that nobody knows, from its first payload to an incident on the page."""

import json
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_pages import FAINT, PHONE, widths
from tests.processes import Tocsin

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

PAYLOAD = {"plant": "north", "events": [{"title": "PumpStopped", "state": "raised", "unit": "P-7"}]}


def post(tocsin: Tocsin, path: str) -> bool:
    """Whether the payload is taken in; a new token counts within seconds."""
    return tocsin.post(PAYLOAD, path) == 202


def test_from_a_payload_to_an_incident(tocsin: Tocsin, page: Page) -> None:
    page.goto("/sources/")
    page.get_by_role("link", name="Try a payload", exact=True).click()
    page.get_by_label("Payload").fill(json.dumps(PAYLOAD))
    page.evaluate("window.here = true")
    page.get_by_role("button", name="Try", exact=True).click()
    result = page.locator("#result")
    expect(result).to_contain_text("no driver reads this payload")
    expect(result).to_contain_text("zabbix")
    page.get_by_role("button", name="Suggest a mapping").click()
    expect(result).to_contain_text("PumpStopped")
    expect(result).to_contain_text("instance=P-7")
    expect(page.get_by_label("Read by")).to_have_value("mapping")
    mapping = page.get_by_label("Mapping").input_value()
    assert json.loads(mapping)["alerts"] == "events"
    page.get_by_label("Mapping").fill('{"name": ')
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("This is not JSON")
    assert page.evaluate("window.here"), "the page was not loaded again"

    page.goto("/sources/add/")
    page.get_by_label("Name").fill("plant-north")
    page.get_by_label("Labels").fill("site=north")
    page.get_by_label("Mapping").fill(mapping)
    page.get_by_role("button", name="Make it").click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy: Its own URL").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    url = page.evaluate("navigator.clipboard.readText()")
    assert url.startswith(f"{tocsin.url}/alerts/source/")
    page.reload()
    expect(page.locator("main")).to_contain_text("Its token was shown once")
    assert url.split("/")[-2] not in page.content()

    tocsin.wait(lambda: post(tocsin, url.removeprefix(tocsin.url)), "the new token to count")
    page.goto("/")
    page.locator("#incidents .row", has_text="PumpStopped").click()
    expect(page.locator(".alert .labels").first).to_contain_text("source=plant-north")
    expect(page.locator(".alert .labels").first).to_contain_text("site=north")


def test_a_parked_payload_becomes_a_source(tocsin: Tocsin, page: Page) -> None:
    parked = {"faults": [{"title": "ValveOpen", "unit": "<img src=x onerror=alert(1)>"}]}
    assert tocsin.post(parked, "/alerts/webhook/") == 400
    tocsin.wait(lambda: tocsin.query("SELECT id FROM alerts_parkedpayload"), "the payload to be parked")
    page.goto("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Sources").click()
    page.get_by_role("link", name="Parked payloads").click()
    page.locator(".row").first.click()
    expect(page.locator("pre").first).to_contain_text('"title": "ValveOpen"')
    page.get_by_role("link", name="Make a source from it").click()
    page.get_by_label("Name").fill("valves")
    page.get_by_role("button", name="Make it").click()
    page.get_by_role("button", name="Replay it").click()
    expect(page.get_by_role("status").first).to_contain_text("Took in 1 alert")
    expect(page.get_by_role("heading", name="Nothing is parked")).to_be_visible()
    page.goto("/?q=ValveOpen")
    page.locator("#incidents .row", has_text="ValveOpen").click()
    expect(page.locator(".alert .labels").first).to_contain_text("source=valves")


def test_without_a_script_there_is_nothing_to_press(tocsin: Tocsin, page: Page) -> None:
    signed_in = page.context.storage_state()
    assert page.context.browser is not None
    plain = page.context.browser.new_context(
        base_url=tocsin.url, storage_state=signed_in, java_script_enabled=False
    )
    other = plain.new_page()
    other.goto("/sources/try/")
    other.get_by_label("Payload").fill(json.dumps(PAYLOAD))
    other.get_by_role("button", name="Suggest a mapping").click()
    expect(other.locator("#result")).to_contain_text("PumpStopped")
    other.goto("/sources/add/")
    other.get_by_label("Name").fill("scriptless")
    other.get_by_role("button", name="Make it").click()
    expect(other.locator("#token")).to_be_visible()
    expect(other.get_by_role("button", name="Copy: Its own URL")).to_have_count(0)
    plain.close()


def test_long_and_hostile_texts_fit_and_can_be_read(tocsin: Tocsin, page: Page) -> None:
    """On a phone, in the light and in the dark; nothing runs, and no link leads where a payload says."""
    long, nasty = "unbroken" * 30, "<script>window.hacked=1</script>"
    sent = {long: nasty, "faults": [{"title": nasty + long, "host": long, "url": "javascript:alert(1)"}]}
    assert tocsin.post(sent, "/alerts/webhook/") == 400
    newest = "SELECT MAX(id) FROM alerts_parkedpayload"
    tocsin.wait(lambda: tocsin.query(newest)[0][0], "the payload to be parked")
    parked = f"/sources/parked/{tocsin.query(newest)[0][0]}/"
    tocsin.run("source", "create", "x" * 64, "--label", f"team={nasty}{long * 3}", "--group-by", long)
    source = f"/sources/{tocsin.query('SELECT MAX(id) FROM alerts_source')[0][0]}/"
    page.goto("/sources/try/")
    page.get_by_label("Payload").fill(json.dumps(sent))
    page.get_by_role("button", name="Suggest a mapping").click()
    expect(page.locator("#result")).to_contain_text(nasty)
    _fits(page)
    for path in ("/sources/", source, f"{source}revoke/", "/sources/parked/", parked):
        page.goto(path)
        _fits(page)
    assert page.evaluate("window.hacked") is None
    page.goto(parked)
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_role("status").first).to_contain_text("is forgotten")


def _fits(page: Page) -> None:
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(PHONE)
        assert widths(page) == (PHONE["width"], PHONE["width"]), page.url
        assert page.evaluate(FAINT) == [], page.url
    links = page.eval_on_selector_all("main a", "links => links.map(link => link.protocol)")
    assert set(links) == {"http:"}
