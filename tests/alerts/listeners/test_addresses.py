"""Where to listen, and what is said about addresses that cannot be used."""

import pytest

from tocsin.alerts.listeners import addresses
from tocsin.alerts.listeners.addresses import Broker
from tocsin.core.errors import Misconfigured


@pytest.mark.parametrize(("url", "broker"), [
    ("mqtt://broker", Broker("broker", 1883, False, "zigbee2mqtt")),
    ("mqtts://broker/", Broker("broker", 8883, True, "zigbee2mqtt")),
    ("mqtt://u:p%40ss@10.0.0.1:1884/a/b/", Broker("10.0.0.1", 1884, False, "a/b", "u", "p@ss")),
    ("mqtt://[::1]:1884/K%C3%BCche", Broker("::1", 1884, False, "Küche")),
])  # fmt: skip
def test_a_broker(url: str, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_URL", url)
    assert addresses.mqtt() == broker
    assert "p@ss" not in repr(addresses.mqtt())


@pytest.mark.parametrize(
    "url",
    ["broker:1883", "http://broker", "mqtt://", "mqtt://broker:secret/x", "mqtt://broker/a/#", "mqtt://[x"],
)
def test_an_address_that_is_no_brokers(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_URL", url)
    with pytest.raises(Misconfigured, match="^MQTT_URL cannot be used: give mqtt") as refused:
        addresses.mqtt()
    assert "secret" not in str(refused.value)


def test_nothing_is_listened_to_until_it_is_set() -> None:
    assert (addresses.mqtt(), addresses.smtp()) == (None, None)


@pytest.mark.parametrize(("given", "told", "to_loopback"), [
    ("127.0.0.1:8025", "127.0.0.1:8025", True),
    ("localhost:25", "localhost:25", True),
    ("[::1]:8025", "[::1]:8025", True),
    ("0.0.0.0:8025", "0.0.0.0:8025", False),
    ("mail.internal:25", "mail.internal:25", False),
])  # fmt: skip
def test_an_address_for_mail(
    given: str, told: str, to_loopback: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_SMTP_LISTEN", given)
    bound = addresses.smtp()
    assert bound is not None
    assert (str(bound), bound.to_loopback) == (told, to_loopback)


@pytest.mark.parametrize(
    "given", ["8025", "127.0.0.1", ":25", "host:99999", "a@b:25", "smtp://host:25", "[x:25"]
)
def test_an_address_that_takes_no_mail(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_SMTP_LISTEN", given)
    with pytest.raises(Misconfigured, match="^TOCSIN_SMTP_LISTEN.* cannot be used: give host:port"):
        addresses.smtp()
