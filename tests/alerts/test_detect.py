"""The driver found from the payload."""

import msgspec
import pytest

from tocsin.alerts.detect import detect, tried
from tocsin.alerts.drivers import drivers
from tocsin.core.errors import Rejected


def test_alertmanager_is_told_from_generic() -> None:
    alerts = [{"labels": {"alertname": "A"}, "status": "firing"}]
    assert detect(msgspec.json.encode({"alerts": alerts, "groupKey": "x", "receiver": "y"})) == "alertmanager"
    assert detect(msgspec.json.encode(alerts)) == "generic"


def test_one_nameless_alert_does_not_cost_the_others() -> None:
    assert detect(b'[{"name": "A"}, {"status": "firing"}]') == "generic"


def test_nothing_fits() -> None:
    with pytest.raises(Rejected, match=r"Tried .*generic: it needs a name"):
        detect(b'{"hello": "world"}')


@pytest.mark.parametrize("body", [b'{"hello": "world"}', b"[[1]]", b"a=zabbix: x; generic: y", b"<a/>"])
def test_a_refusal_is_taken_apart_driver_by_driver(body: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        detect(body)
    general, reasons = tried(str(refused.value))
    assert general.startswith("no driver reads this payload;") and general.endswith("in the URL.")
    assert [driver for driver, _ in reasons] == drivers.names()
    assert all(why and not why.endswith("; ") for _, why in reasons)


@pytest.mark.parametrize("refusal", ["", "not JSON: x", "name: title gives nothing; Tried", "a\nb"])
def test_other_refusals_have_no_list(refusal: str) -> None:
    assert tried(refusal) == (refusal, [])
