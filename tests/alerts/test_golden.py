"""Every recorded payload is a test of its driver; every driver has one."""

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from tocsin.alerts.apis import alertmanager
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.limits import keep_good

FIXTURES = Path(__file__).parents[1] / "fixtures"
DRIVERS = sorted((FIXTURES / "drivers").glob("*/*.events.json"))
APIS = sorted((FIXTURES / "apis").glob("*/*.events.json"))


class Expected(msgspec.Struct):
    """What an API gives for a payload that is read at a certain moment."""

    now: datetime
    events: list[AlertEvent]


def _name(golden: Path) -> str:
    return f"{golden.parent.name}/{golden.name.removesuffix('.events.json')}"


def _payload(golden: Path) -> bytes:
    return golden.with_name(golden.name.replace(".events.json", ".json")).read_bytes()


@pytest.mark.parametrize("golden", DRIVERS, ids=_name)
def test_a_driver_reads_what_was_recorded(golden: Path) -> None:
    expected = msgspec.json.decode(golden.read_bytes(), type=list[AlertEvent])
    reading = keep_good(drivers.get(golden.parent.name)().parse(_payload(golden)))
    assert reading.alerts == expected
    assert reading.errors == []


@pytest.mark.parametrize("golden", APIS, ids=_name)
def test_an_api_reads_what_was_recorded(golden: Path) -> None:
    expected = msgspec.json.decode(golden.read_bytes(), type=Expected)
    reading = keep_good(alertmanager.read(_payload(golden), expected.now, timedelta(minutes=5)))
    assert reading.alerts == expected.events
    assert reading.errors == []


@pytest.mark.parametrize("name", drivers.names())
def test_every_driver_has_a_recorded_payload(name: str) -> None:
    assert list((FIXTURES / "drivers" / name).glob("*.events.json"))


@pytest.mark.parametrize("payload", sorted(FIXTURES.glob("*/*/*.json")), ids=lambda p: p.name)
def test_every_recorded_payload_has_what_it_should_give(payload: Path) -> None:
    stem = payload.name.removesuffix(".json").removesuffix(".events")
    assert payload.with_name(f"{stem}.events.json").exists()
    assert payload.with_name(f"{stem}.json").exists()


@pytest.mark.parametrize("golden", DRIVERS, ids=_name)
def test_the_driver_of_a_recorded_payload_is_found_without_naming_it(golden: Path) -> None:
    payload = msgspec.json.decode(_payload(golden))
    scores = {name: drivers.get(name)().fits(payload) for name in drivers.names()}
    assert max(scores, key=lambda name: scores[name]) == golden.parent.name
