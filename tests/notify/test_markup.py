"""Alert text in a markup: it marks nothing, calls nobody, and is cut so that no mark is cut in two."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.notify.messages import HOSTILE, alert, message
from tocsin.notify import markup
from tocsin.notify.markup import Markup, fit
from tocsin.notify.message import Message
from tocsin.notify.wording import links

MARKDOWN, HTML, PLAIN = markup.markdown(), markup.html("<br>", markup.utf8), markup.text(markup.utf16)
ALL = pytest.mark.parametrize("kind", [MARKDOWN, HTML, PLAIN], ids=["markdown", "html", "text"])
# Texts of which most would mark something if they could.
SPICY = st.text(st.sampled_from(list("a1 \n\t\\`*_~|<>[]()#+-=!.:&;\"'@/")) | st.characters(codec="utf-8"))
PLAIN_TOKENS = {
    "inline",
    "text",
    "text_special",
    "softbreak",
    "hardbreak",
    "paragraph_open",
    "paragraph_close",
}


class Seen(HTMLParser):
    """What a browser makes of a text: its tags, and what is read."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.read = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.read += "\n" if tag == "br" else ""

    def handle_data(self, data: str) -> None:
        self.read += data


@settings(max_examples=300)
@given(SPICY)
def test_in_markdown_it_is_text(text: str) -> None:
    parsed = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(fit(text, 10_000, MARKDOWN))
    found = [inner.type for token in parsed for inner in [token, *(token.children or [])]]
    lists = {"ordered_list_open", "ordered_list_close", "list_item_open", "list_item_close"}
    assert PLAIN_TOKENS.issuperset(set(found) - lists), found  # numbers in a list are seen as what they are


@settings(max_examples=300)
@given(SPICY)
def test_in_html_it_is_text(text: str) -> None:
    seen = Seen(fit(text, 1_000_000, HTML))
    assert set(seen.tags) <= {"br"}
    assert seen.read == markup.tidy(text)


@settings(max_examples=200)
@given(SPICY, st.integers(1, 40), st.sampled_from([MARKDOWN, HTML, PLAIN]))
def test_what_is_cut_fits_and_is_a_beginning(text: str, most: int, kind: Markup) -> None:
    made = fit(text, most, kind)
    assert kind.size(made) <= most
    whole = kind.escape(markup.tidy(text))
    assert made == whole or whole.startswith(made.removesuffix("…")) or made == ""


def test_addresses_can_be_followed() -> None:
    told = "see https://grafana.example.com/d/cpu_load?var=a*b, or *not*"
    assert fit(told, 1000, MARKDOWN) == "see https://grafana.example.com/d/cpu_load?var=a\\*b, or \\*not\\*"


@pytest.mark.parametrize("called", ["@channel", "hi @ops!", "._-@all", "＠x @here", "(@room)"])
def test_nobody_is_called(called: str) -> None:
    for kind in (MARKDOWN, HTML, PLAIN):
        assert "@\u200b" in fit(called, 1000, kind)
    assert fit("ops@example.com", 1000, PLAIN) == "ops@example.com"


def test_what_is_written_by_its_number_calls_nobody() -> None:
    assert MarkdownIt().renderInline(fit("&#64;channel", 1000, MARKDOWN)) == "&amp;#64;channel"


def test_nothing_steers_the_screen() -> None:
    assert fit("a\x1b[31mb\u202ec\x00\r\nd\ud800", 1000, PLAIN) == "a[31mbc\nd"


@ALL
def test_many_alerts_leave_room_for_what_was_found(kind: Markup) -> None:
    alerts = [alert(labels={"instance": f"web-{n}"}) for n in range(20)]
    told = message(alerts=alerts, more_alerts=80, findings=["disk is full"], owner="Ada")
    said = markup.said(told, 700, kind)
    shown = said.count("HighCPU")
    assert 0 < shown < 20
    assert f"… and {100 - shown} more" in said
    assert "Ada is on it" in said
    assert kind.size(said) <= 700


def test_who_took_it_on_is_said_once() -> None:
    told = message(kind="acknowledged", status="acknowledged", actor="Ada", owner="Ada", alerts=[])
    assert markup.said(told, 1000, PLAIN) == "Acknowledged by Ada"
    assert markup.said(message(owner="Ada", alerts=[]), 1000, PLAIN) == "Ada is on it"


@ALL
@settings(max_examples=100)
@given(name=SPICY, text=SPICY, body=st.none() | SPICY, most=st.integers(200, 3000))
def test_any_message_fits(kind: Markup, name: str, text: str, body: str | None, most: int) -> None:
    told = message(
        title=name, alerts=[alert(name=name * 20, annotations={"summary": text * 50})] * 20, more_alerts=1234,
        findings=[text * 9] * 9, owner=name, note=text, body=body or "", runbook=f"https://{text}",
        subject=text, trace_id=name,
    )  # fmt: skip
    for part in (markup.said, markup.linked, markup.headline, markup.source):
        assert kind.size(part(told, most, kind)) <= most


@pytest.mark.parametrize(
    "url", ["", "javascript:alert(1)", "http://", "https:///x", "http://[x", "//x", "https://x/" + "a" * 2000]
)
def test_what_no_browser_opens_is_no_link(url: str) -> None:
    assert [name for name, _ in links(message(runbook=url))] == ["Open in Tocsin"]


def _runbook(url: str) -> str:
    return dict(links(message(runbook=url)))["Runbook"]


def test_a_link_breaks_out_of_nothing() -> None:
    assert _runbook("https://x/a b)\"'<>|\\^`{}é") == "https://x/a%20b%29%22%27%3C%3E%7C%5C%5E%60%7B%7D%C3%A9"
    assert _runbook("https://x/%20?a=1&b=[2]#c") == "https://x/%20?a=1&b=[2]#c"
    linked = markup.linked(message(runbook="https://x/?a=1&b=2"), 1000, HTML)
    assert '<a href="https://x/?a=1&amp;b=2">Runbook</a>' in linked


def test_a_link_that_finds_no_room_is_left_out_whole() -> None:
    told: Message = message(runbook="https://x/" + "a" * 100)
    assert markup.linked(told, 100, PLAIN) == "Open in Tocsin: https://tocsin.example.com/incidents/12/"


def test_blank_words_take_no_room() -> None:
    for kind in (MARKDOWN, HTML, PLAIN):
        assert markup.said(message(body=" \n\xa0", findings=[" ", "\x00"]), 1000, kind) == ""


def test_blank_words_are_not_the_headline() -> None:
    assert markup.headline(message(subject=" \u202e\n"), 100, PLAIN) == "firing"
    assert HOSTILE.split()[0] in markup.headline(message(title=HOSTILE), 1000, PLAIN)
