"""Links to a trace's log: what is filled in cannot change where they lead."""

from datetime import UTC, datetime

import pytest

from tocsin.core import loglink
from tocsin.core.errors import Misconfigured

BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ENDED = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)


def test_filled_in() -> None:
    made_of = "https://grafana/explore?q={trace_id}&from={start}&to={end}&left={x}"
    assert loglink.link(made_of, "t-1", BEGAN, ENDED) == (
        "https://grafana/explore?q=t-1&from=1795262100000&to=1795266300000&left={x}"
    )


@pytest.mark.parametrize("trace_id", ["a&b=c#d", "{start}", '"><script>', "../..", "%00 ä"])
def test_percent_encoded(trace_id: str) -> None:
    told = loglink.link("https://x/?q={trace_id}", trace_id, BEGAN, ENDED).removeprefix("https://x/?q=")
    assert all(c.isalnum() or c in "%-._~" for c in told)


def test_without_one_it_is_our_own() -> None:
    assert loglink.link("", "a b&c", BEGAN, ENDED) == "/api/logs?correlation_id=a+b%26c"
    assert loglink.link("", "t", BEGAN, ENDED, "https://t").startswith("https://t/api/logs?")


@pytest.mark.parametrize("given", ["", "https://x/{trace_id}", "http://127.0.0.1:3000/?a={trace_id}"])
def test_taken(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_LOG_LINK", given)
    assert loglink.template() == given


@pytest.mark.parametrize(
    "given",
    [
        "javascript:alert(1)//{trace_id}", "data:text/html,x", "//x/{trace_id}", "grafana/{trace_id}", "https://",
        "https://{trace_id}/", "https://x/a b", "https://[", "https://x/" + "x" * 1_500,
    ],
)  # fmt: skip
def test_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_LOG_LINK", given)
    with pytest.raises(Misconfigured, match="TOCSIN_LOG_LINK"):
        loglink.template()
