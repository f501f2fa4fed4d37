from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.watched import Watched
from tests.installed import require
from tests.processes import Tocsin

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


# For this package alone, not for the session: Playwright runs a loop in the thread of the tests,
# and no test elsewhere could start one of its own while it is up.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    program = require("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def tocsin(chromium: Browser) -> Iterator[Tocsin]:
    with Tocsin() as started:
        yield started


@pytest.fixture(scope="package")
def session(chromium: Browser, tocsin: Tocsin) -> BrowserContext:
    """Signed in by the link that ``tocsin up`` printed."""
    context = chromium.new_context(base_url=tocsin.url)
    page = context.new_page()
    page.goto(tocsin.sign_in_link)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{tocsin.url}/")
    page.close()
    return context


@pytest.fixture
def page(session: BrowserContext) -> Iterator[Page]:
    """A page that must not complain: of errors, of what the policy forbids, of what is missing."""
    page = session.new_page()
    page.set_default_timeout(10_000)
    with Watched(page):
        yield page
    page.close()
