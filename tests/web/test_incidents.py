"""The list: what is in it, how it is narrowed, what it costs."""

from urllib.parse import quote, urlencode

import pytest
from django.test import Client

from tests.statements import counted
from tests.web import rows
from tests.web.markup import Page, open_page
from tocsin.web.views.incidents import COUNTED, PAGE


def listed(browser: Client, **filters: object) -> list[str]:
    return titles(open_page(browser, "/?" + urlencode(filters)))


def titles(page: Page) -> list[str]:
    names = {title for title in TITLES if title in page.text}
    return [title for title in TITLES if title in names]


TITLES = ("DiskFull on db-1", "100% on_web-1", "Slow API", "HighCPU on web-1", "Backup failed")


@pytest.fixture
def night(alice: Client) -> Client:
    rows.incident(TITLES[0], severity="critical")
    rows.incident(TITLES[1], severity="warning")
    rows.incident(TITLES[2], severity="error", status="acknowledged", acknowledged_by="carol")
    rows.incident(TITLES[3], severity="critical", status="resolved")
    rows.incident(TITLES[4], severity="info", status="closed")
    return alice


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, (0, 1, 2)),
        ({"state": "open"}, (0, 1)),
        ({"state": "acknowledged"}, (2,)),
        ({"state": "resolved"}, (3,)),
        ({"state": "closed"}, (4,)),
        ({"state": "all"}, (0, 1, 2, 3, 4)),
        ({"severity": "critical"}, (0,)),
        ({"severity": "critical", "state": "all"}, (0, 3)),
        ({"q": "diskfull"}, (0,)),
        ({"q": "  ON db "}, (0,)),
        ({"q": "%"}, (1,)),
        ({"q": "_web"}, (1,)),
        ({"q": "web", "state": "all"}, (1, 3)),
        ({"q": "web", "state": "all", "severity": "critical"}, (3,)),
        ({"q": "nothing is called so"}, ()),
        ({"state": "nonsense", "severity": "nonsense", "before": "nonsense"}, (0, 1, 2)),
    ],
)
def test_filters(filters: dict[str, str], found: tuple[int, ...], night: Client) -> None:
    assert listed(night, **filters) == [TITLES[place] for place in found]


def test_newest_first(night: Client) -> None:
    text = open_page(night, "/").text
    places = [text.index(title) for title in (TITLES[2], TITLES[1], TITLES[0])]
    assert places == sorted(places)


@pytest.mark.parametrize("sign", ["#", ""])
def test_by_number(sign: str, alice: Client) -> None:
    rows.incident(TITLES[0], pk=4711)
    rows.incident(TITLES[2], pk=4712)
    assert listed(alice, q=f"{sign}4711") == [TITLES[0]]


@pytest.mark.parametrize(
    "query",
    [
        "%00",
        "a%00b",
        "%ff%fe",
        "%ed%a0%80",
        "%f0%9f%94%94",
        "%27%22%3B--",
        "x" * 20_000,
        "%5C",
        "%D9%A1",
        "9" * 40,
    ],
)
@pytest.mark.parametrize("name", ["q", "state", "severity", "before"])
def test_odd_queries(name: str, query: str, night: Client) -> None:
    assert night.get(f"/?{name}={query}").status_code == 200


def test_what_was_asked_stands_in_the_form(night: Client) -> None:
    asked = '<b>"\'&" onfocus=x'
    page = open_page(night, f"/?q={quote(asked)}&severity=error")
    assert asked in page.attributes("value")
    assert page.can_run() == []
    chosen = [name for name, attributes in page.elements if "selected" in attributes]
    assert chosen == ["option"]


def test_page_by_page(alice: Client) -> None:
    for number in range(1, PAGE + 4):
        rows.incident(f"Incident-{number}.", severity="error")
    first = open_page(alice, "/?severity=error&q=incident")
    older = next(link for link in first.attributes("href") if "before=" in link)
    assert "severity=error" in older and "q=incident" in older
    second = open_page(alice, f"/{older}")
    assert "Incident-4." in first.text and "Incident-3." not in first.text
    assert "Incident-3." in second.text and "Incident-4." not in second.text
    assert not [name for name in second.attributes("hx-trigger") if "sse" in name], "an older page is still"
    assert "Newest" in second.text and "Older" not in second.text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", "All quiet"),
        ("/?state=open", "None here"),
        ("/?q=nothing", "Nothing matches"),
    ],
)
def test_empty_lists_say_why(path: str, said: str, alice: Client) -> None:
    rows.incident(status="closed")
    assert said in open_page(alice, path).text


def test_the_first_visit_tells_how_to_begin(alice: Client) -> None:
    text = open_page(alice, "/").text
    assert "curl -X POST http://testserver/alerts/webhook/" in text
    assert "Authorization" not in text


def test_beyond_loopback_a_key_is_named(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_HOST", "0.0.0.0")
    assert "Authorization: Bearer KEY" in open_page(alice, "/").text


def test_who_took_it_on(night: Client) -> None:
    assert "carol" in open_page(night, "/?state=acknowledged").text


def test_counts_on_the_tabs(night: Client) -> None:
    text = open_page(night, "/").text
    assert "open 2acknowledged 1resolved" in text


def test_a_long_list_costs_no_more(alice: Client) -> None:
    rows.incident()
    with counted() as few:
        open_page(alice, "/")
    for _ in range(PAGE):
        rows.incident()
    with counted() as many:
        open_page(alice, "/")
    assert len(many) == len(few) <= 9, many


def test_counting_ends(alice: Client) -> None:
    rows.Incident.objects.bulk_create(
        rows.Incident(title="x", severity="info", trace_id="t", opened_at=rows.NOW, updated_at=rows.NOW)
        for _ in range(COUNTED + 1)
    )
    assert f"{COUNTED}+" in open_page(alice, "/").text
