"""Every recorded payload is a test of its driver; every driver has one."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.alerts.apis.posts import Post
from tocsin.alerts import document
from tocsin.alerts.apis import APART, alertmanager, apis
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import AlertEvent, Beat, Deed, FeedEvent, Reading
from tocsin.alerts.intake.limits import keep_good

FIXTURES = Path(__file__).parents[1] / "fixtures"
SUFFIXES = (".json", ".xml", ".form", ".txt")
DRIVERS = sorted((FIXTURES / "drivers").glob("*/*.events.json"))
APIS = sorted((FIXTURES / "apis").glob("*/*.events.json"))


class Told(msgspec.Struct, omit_defaults=True):
    """What a request tells besides alerts, by its kind."""

    beats: list[Beat] = []
    feed: list[FeedEvent] = []
    deeds: list[Deed] = []


class Expected(msgspec.Struct):
    """What an API gives for a payload that is read at a certain moment. Where the request says more than
    its body it is told too."""

    now: datetime
    events: list[AlertEvent] = []
    beside: Told = msgspec.field(default_factory=Told)
    method: str = "POST"
    path: str = ""
    headers: dict[str, str] = {}
    mapping: dict[str, Any] | None = None


def _name(golden: Path) -> str:
    return f"{golden.parent.name}/{golden.name.removesuffix('.events.json')}"


def _payload(golden: Path) -> bytes:
    """What was sent lies beside what it should give, with the suffix of its format."""
    stem = golden.name.removesuffix(".events.json")
    sent = (golden.with_name(stem + suffix) for suffix in SUFFIXES)
    return next(filter(Path.exists, sent)).read_bytes()


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all drivers exist, also that of agents."""
    monkeypatch.setenv("CLUSTER_ENABLED", "1")


@pytest.mark.parametrize("golden", DRIVERS, ids=_name)
def test_a_driver_reads_what_was_recorded(golden: Path) -> None:
    expected = msgspec.json.decode(golden.read_bytes(), type=list[AlertEvent])
    reading = keep_good(drivers.get(golden.parent.name)().parse(_payload(golden)))
    assert reading.alerts == expected
    assert reading.errors == []


@pytest.mark.parametrize("golden", APIS, ids=_name)
def test_an_api_reads_what_was_recorded(golden: Path) -> None:
    expected = msgspec.json.decode(golden.read_bytes(), type=Expected)
    reading = _read(golden, expected)
    assert _beside(reading) == expected.beside
    reading = keep_good(reading)
    assert reading.alerts == expected.events
    assert reading.errors == []


def _beside(reading: Reading) -> Told:
    told = reading.beside
    return Told(
        [item for item in told if isinstance(item, Beat)],
        [item for item in told if isinstance(item, FeedEvent)],
        [item for item in told if isinstance(item, Deed)],
    )


def _read(golden: Path, expected: Expected) -> Reading:
    body = _payload(golden)
    if golden.parent.name in APART:
        return alertmanager.read(body, expected.now, timedelta(minutes=5))
    post = Post(expected.path, body, expected.method, expected.headers, expected.now)
    api = apis.get(golden.parent.name)()
    request = post.to(api)
    request.mapping = expected.mapping
    return api.read(request)


@pytest.mark.parametrize("name", apis.names())
def test_every_api_has_a_recorded_payload(name: str) -> None:
    assert list((FIXTURES / "apis" / name).glob("*.events.json"))


@pytest.mark.parametrize("name", drivers.names())
def test_every_driver_has_a_recorded_payload(name: str) -> None:
    assert list((FIXTURES / "drivers" / name).glob("*.events.json"))


@pytest.mark.parametrize("payload", sorted(FIXTURES.glob("*/*/*.*")), ids=lambda p: p.name)
def test_every_recorded_payload_has_what_it_should_give(payload: Path) -> None:
    golden = payload.with_name(f"{payload.stem.removesuffix('.events')}.events.json")
    assert golden.exists()
    assert _payload(golden) is not None  # a GET has an empty one


@pytest.mark.parametrize("golden", DRIVERS, ids=_name)
def test_the_driver_of_a_recorded_payload_is_found_without_naming_it(golden: Path) -> None:
    payload = document.read(_payload(golden))
    scores = {name: drivers.get(name)().fits(payload) for name in drivers.names()}
    assert max(scores, key=lambda name: scores[name]) == golden.parent.name
