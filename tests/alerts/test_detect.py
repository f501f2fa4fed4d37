"""The driver found from the payload."""

import msgspec
import pytest

from tocsin.alerts.detect import detect
from tocsin.core.errors import Rejected


def test_alertmanager_is_told_from_generic() -> None:
    alerts = [{"labels": {"alertname": "A"}, "status": "firing"}]
    assert detect(msgspec.json.encode({"alerts": alerts, "groupKey": "x", "receiver": "y"})) == "alertmanager"
    assert detect(msgspec.json.encode(alerts)) == "generic"


def test_one_nameless_alert_does_not_cost_the_others() -> None:
    assert detect(b'[{"name": "A"}, {"status": "firing"}]') == "generic"


def test_nothing_fits() -> None:
    with pytest.raises(Rejected, match="tried alertmanager, generic"):
        detect(b'{"hello": "world"}')
