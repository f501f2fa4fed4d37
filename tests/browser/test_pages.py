"""Every page: on a phone, in the dark, and channels from the form to the receiver."""

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.watched import Watched
from tests.fakes.receiver import Receiver
from tests.processes import Tocsin

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
LONG = "unbroken" * 30
PAGES = (
    "/", "/?state=all", "/?q=nothing-is-called-so", "/channels/", "/channels/add/webhook/",
    "/channels/add/slack/", "/channels/add/email/", "/deliveries/dead/", "/silences/", "/silences/add/",
    "/heartbeats/", "/heartbeats/add/", "/events/", "/fleet/", "/fleet/add/",
    "/pipelines/", "/pipelines/add/", "/pipelines/1/", "/pipelines/1/edit/", "/pipelines/1/versions/1/",
    "/sources/", "/sources/add/", "/sources/try/", "/sources/parked/",
    "/admin/",
)  # fmt: skip
# The contrast of each element's text with what lies behind it, where it is below what WCAG AA asks.
FAINT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const pair = [light(rgba(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) faint.push(`${element.className || element.tagName}: ${contrast.toFixed(2)}`);
  }
  return faint;
}"""


@pytest.fixture(scope="package")
def crowded(tocsin: Tocsin, session: BrowserContext) -> str:
    """Long texts in every place, a channel that fails; gives the incident's page."""
    port = tocsin.port + 1 if tocsin.port < 65535 else 1
    tocsin.run(
        "channel", "add", f"long-{'x' * 80}", "--driver", "webhook", "--set", f"url=http://127.0.0.1:{port}/{LONG}"
    )  # fmt: skip
    tocsin.run("channel", "add", "dead", "--driver", "webhook", "--set", f"url={tocsin.url}/nowhere/")
    labels = {"instance": LONG, "a" * 100: LONG, **{f"label_{number}": "value" for number in range(20)}}
    alert = {"name": LONG[:200], "labels": labels, "annotations": {LONG[:100]: LONG}, "message": LONG * 4}
    assert (
        tocsin.post({**alert, "status": "firing", "severity": "critical"}, "/alerts/webhook/generic/") == 202
    )
    dead = "SELECT incident_id FROM notify_delivery WHERE state = 'dead'"
    tocsin.wait(lambda: tocsin.query(dead), "the dead letter")
    return f"/incidents/{tocsin.query(dead)[0][0]}/"


@pytest.fixture(scope="package")
def walked(tocsin: Tocsin, crowded: str) -> str:
    """The page of a run."""
    return f"/runs/{tocsin.query('SELECT run_id FROM orchestration_pipelinerun')[0][0]}/"


def widths(page: Page) -> tuple[int, int]:
    found = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return found[0], found[1]


def test_a_phone_scrolls_in_one_direction(page: Page, crowded: str, walked: str) -> None:
    page.set_viewport_size(PHONE)
    for path in (*PAGES[:-1], crowded, walked):  # the admin brings its own layout
        page.goto(path)
        needed, given = widths(page)
        assert needed == given == PHONE["width"], path
        for summary in page.locator("summary").all():
            summary.click()
        assert widths(page)[0] == given, f"{path}, all opened"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(scheme: str, page: Page, crowded: str, walked: str) -> None:
    page.emulate_media(color_scheme=scheme)
    for path in (*PAGES[:-1], crowded, walked):
        page.goto(path)
        assert page.evaluate(FAINT) == [], path


def test_no_page_complains(page: Page, crowded: str) -> None:
    for path in (*PAGES, crowded, "/admin/alerts/incident/", "/admin/orchestration/pipelinedefinition/"):
        page.goto(path)
        assert page.title().endswith(("· Tocsin", "| Tocsin")), path


def test_a_channel_from_the_form_to_the_receiver(page: Page, receiver: Receiver) -> None:
    page.goto("/channels/")
    page.locator(".kinds").get_by_role("link", name="webhook Posts").click()
    page.get_by_label("Name").fill("from-the-form")
    page.get_by_label("URL").fill(receiver.url)
    page.get_by_label("Secret").fill("s3cr3t-typed-here")
    page.get_by_role("button", name="Add channel").click()
    expect(page.get_by_role("status")).to_contain_text("Channel from-the-form added")
    assert "s3cr3t-typed-here" not in page.content()

    page.get_by_role("button", name="Send test to from-the-form").click()
    expect(page.get_by_role("status")).to_contain_text("The receiver answered: HTTP 200")
    assert receiver.wait_for(1)[0].json["kind"] == "test"
    assert "x-tocsin-signature" in receiver.received[0].headers

    receiver.default.status, receiver.default.body = 410, b"channel is archived"
    page.get_by_role("button", name="Send test to from-the-form").click()
    expect(page.get_by_role("status")).to_contain_text("HTTP 410: channel is archived")

    page.get_by_role("button", name="Disable from-the-form").click()
    expect(page.get_by_role("button", name="Enable from-the-form")).to_be_visible()
    page.get_by_role("link", name="Remove from-the-form").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("status")).to_contain_text("Channel from-the-form removed")


def test_a_form_says_what_is_wrong(page: Page) -> None:
    page.goto("/channels/add/webhook/")
    page.get_by_label("Name").fill("wrong")
    page.get_by_label("URL").fill("ftp://x")
    page.get_by_role("button", name="Add channel").click()
    expect(page.get_by_role("alert")).to_have_text("It must begin with http:// or https://.")
    expect(page.get_by_label("URL")).to_have_value("ftp://x")


def test_signed_out(chromium: Browser, tocsin: Tocsin) -> None:
    link = tocsin.run("signin_link").split()[0]
    page = chromium.new_context(base_url=tocsin.url).new_page()
    with Watched(page):
        page.goto(link)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{tocsin.url}/")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.goto("/channels/")
        expect(page).to_have_url(f"{tocsin.url}/sign-in/?next=/channels/")
    page.context.close()
