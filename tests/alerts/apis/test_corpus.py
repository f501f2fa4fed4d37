"""The shared corpus of real clients' requests, read in place where it is present."""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tests.alerts.apis.posts import Post
from tocsin.alerts import times
from tocsin.alerts.apis import apis
from tocsin.alerts.document import as_text
from tocsin.alerts.intake.limits import keep_good
from tocsin.core import severity

CORPUS: Final = Path(__file__).parents[3].parent / "shared" / "corpus"
API_OF: Final = {"pagerduty-events": "pagerduty", "opsgenie-api": "opsgenie", "victorops": "victorops"}


def _cases() -> list[Any]:
    if not (CORPUS / "MANIFEST.json").exists():
        return []
    manifest = msgspec.json.decode((CORPUS / "MANIFEST.json").read_bytes())
    return [case for case in manifest["cases"] if API_OF.get(case["source"]) in apis.names()]


CASES: Final = _cases()


def test_the_corpus_is_there() -> None:
    if not CASES:
        pytest.skip("the shared corpus is not beside this repository")
    assert {API_OF[case["source"]] for case in CASES} == {*API_OF.values()} & {*apis.names()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['source']}/{case['case']}")
def test_a_request_is_read_as_its_client_meant_it(case: dict[str, Any]) -> None:
    sent, expected = case["transport"], case["expected"]
    body = (CORPUS / case["file"]).read_bytes()
    api = apis.get(API_OF[case["source"]])()
    reading = keep_good(Post(sent["path"], body, sent["method"], sent["headers"]).read(api))
    assert reading.errors == []
    assert len(reading.alerts) == expected["alert_count"]
    for event, told in zip(reading.alerts, expected["alerts"], strict=True):
        assert event.name == (told["name"] or "").strip()
        assert event.status == told["status"]
        if severity.known(told["severity_source"] or ""):
            assert event.severity == severity.read(told["severity_source"])
        assert event.starts_at == times.read(told["starts_at"])
        assert event.ends_at == times.read(told["ends_at"])
        wanted = {name: as_text(value) for name, value in told["key_labels"].items() if value is not None}
        assert wanted.items() <= event.labels.items()
