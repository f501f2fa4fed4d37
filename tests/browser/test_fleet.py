"""A machine from the token to its page, as people see it; a crowd of them on a phone."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.test_pages import FAINT, PHONE, widths
from tests.browser.watched import Watched
from tests.processes import Tocsin

pytestmark = pytest.mark.browser

NASTY = "<script>window.hacked=1</script>"


@pytest.fixture(scope="module")
def hub(chromium: Browser) -> Iterator[Tocsin]:
    with Tocsin(CLUSTER_ENABLED="1") as started:
        yield started


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, hub: Tocsin) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=hub.url)
    page = context.new_page()
    page.goto(hub.sign_in_link)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{hub.url}/")
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(signed_in: BrowserContext) -> Iterator[Page]:
    page = signed_in.new_page()
    page.set_default_timeout(10_000)
    with Watched(page):
        yield page
    page.close()


def call(url: str, payload: Any, key: str = "") -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(url, json.dumps(payload).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def push(hub: Tocsin, name: str, status: str = "ok", used: float = 50, key: str = "") -> None:
    alert = {
        "name": "disk", "status": "resolved" if status == "ok" else "firing", "severity": "critical",
        "labels": {"checker": "disk"}, "annotations": {"message": f"/ is {used:g} % full"},
        "metrics": {"used_percent": used}, "check_status": status, "fingerprint": f"disk-{name}"[:64],
    }  # fmt: skip
    told = {"source": "cluster", "instance_id": name, "hostname": f"{name}.example", "interval": 60}
    call(f"{hub.url}/alerts/webhook/cluster/", told | {"alerts": [alert]}, key)


def test_from_the_token_to_its_page(hub: Tocsin, page: Page) -> None:
    page.goto("/fleet/")
    page.get_by_role("link", name="Add an agent").click()
    page.get_by_label("Agents").fill("2")
    page.get_by_role("button", name="Make a token").click()
    line = page.locator("#line").inner_text()
    assert line.startswith(f"tocsin enroll --hub {hub.url} --token ")
    page.reload()
    expect(page.locator("#line")).to_have_count(0)
    made = call(
        f"{hub.url}/api/v1/enroll/", {"token": line.split()[-1], "instance_id": "web-1", "hostname": "web-1"}
    )

    page.goto("/fleet/")
    expect(page.locator(".devices.unknown")).to_contain_text("web-1")
    hub.wait(lambda: _pushes(hub, made["key"]), "the new key to count")
    push(hub, "web-1", "critical", 97, made["key"])
    page.get_by_role("searchbox").fill("WEB")
    expect(page.locator(".devices.critical")).to_contain_text("web-1")
    page.get_by_role("link", name="web-1").click()
    expect(page.get_by_role("heading", name="web-1")).to_be_visible()
    expect(page.locator(".check")).to_contain_text("/ is 97 % full")
    expect(page.locator(".check .spark")).to_be_visible()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_role("status").first).to_contain_text("The key of web-1 is revoked")
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("status").first).to_contain_text("Instance web-1 removed")


def _pushes(hub: Tocsin, key: str) -> bool:
    try:
        push(hub, "web-1", "ok", 40, key)
    except urllib.error.HTTPError:
        return False
    return True


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_crowd_with_hostile_names_fits_and_can_be_read(scheme: Any, hub: Tocsin, page: Page) -> None:
    names = [NASTY, "unbroken" * 30, *(f"crowd-{number}" for number in range(40))]
    for number, name in enumerate(names):
        push(hub, name, ("ok", "warning", "critical", "unknown")[number % 4])
    alert = {"name": "amp offline", "status": "firing", "labels": {"module": NASTY, "device": "x" * 200}}
    assert hub.post(alert, "/alerts/webhook/generic/") == 202
    nasty = hub.query("SELECT id FROM fleet_instance WHERE instance_id LIKE '<script>%'")[0][0]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(PHONE)
    for path in (
        "/fleet/",
        "/fleet/?state=warning",
        f"/fleet/{nasty}/",
        f"/fleet/{nasty}/remove/",
        "/fleet/add/",
    ):
        page.goto(path)
        assert widths(page) == (PHONE["width"], PHONE["width"]), path
        assert page.evaluate(FAINT) == [], path
    assert page.evaluate("window.hacked") is None
