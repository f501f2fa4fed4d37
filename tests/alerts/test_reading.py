"""Reading a payload without taking it in."""

import pytest

from tocsin.alerts import reading
from tocsin.alerts.sources import Sender
from tocsin.core.errors import Rejected, UnknownPlugin

BODY = b'{"events": [{"title": "Pump stopped"}, {}]}'
MAPPING = {"alerts": "events", "name": "title"}
PLANT = Sender("plant", {"site": "north"}, True)


def test_by_what_is_given_or_by_what_fits() -> None:
    assert reading.read(b'{"name": "x"}')[0] == "generic"
    assert reading.read(b'{"name": "x"}', driver="generic")[0] == "generic"
    read_by, found = reading.read(BODY, given=MAPPING)
    assert (read_by, [alert.name for alert in found.alerts]) == ("mapping", ["Pump stopped"])
    assert [problem.index for problem in found.errors] == [1]
    assert reading.read(b'{"name": "x"}', given={})[0] == "generic", "an empty mapping is none"


def test_as_a_source_would_send_it() -> None:
    _, found = reading.read(BODY, given=MAPPING, sender=PLANT)
    assert found.alerts[0].labels == {"alertname": "Pump stopped", "site": "north", "source": "plant"}


def test_what_the_door_would_refuse_is_among_the_errors() -> None:
    _, found = reading.read(b'[{"name": "x"}, {"name": "a\\u0000"}]', driver="generic")
    assert (len(found.alerts), [problem.index for problem in found.errors]) == (1, [1])


def test_what_cannot_be_read_is_told() -> None:
    with pytest.raises(Rejected, match="Tried"):
        reading.read(BODY)
    with pytest.raises(Rejected, match="event_name"):
        reading.read(BODY, driver="zabbix")
    with pytest.raises(UnknownPlugin):
        reading.read(BODY, driver="nonsense")
