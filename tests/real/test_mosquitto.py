"""Zigbee2MQTT's messages by way of a real broker: retained and live, and a broker that dies."""

import contextlib
import smtplib
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.installed import require
from tests.processes import Tocsin, free_port
from tests.real.mosquitto import Mosquitto

pytestmark = pytest.mark.real


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    made.start()
    try:
        yield made
    finally:
        made.kill()


@contextlib.contextmanager
def listening(broker: Mosquitto, **environment: str) -> Iterator[Tocsin]:
    with Tocsin(MQTT_URL=broker.url, LOG_LEVEL="INFO", **environment) as tocsin:
        tocsin.wait(lambda: "mqtt.connected" in "".join(tocsin.output), "a connection to the broker")
        yield tocsin


@pytest.fixture
def tocsin(broker: Mosquitto) -> Iterator[Tocsin]:
    with listening(broker) as found:
        yield found


def alerts(tocsin: Tocsin) -> dict[str, str]:
    rows = tocsin.query("SELECT name, labels, status FROM alerts_alert")
    return {
        f"{name} {labels.partition('instance')[2].split(',')[0][3:-1]}": state for name, labels, state in rows
    }


def history(tocsin: Tocsin) -> list[Any]:
    return [kind for (kind,) in tocsin.query("SELECT kind FROM alerts_alerthistory ORDER BY id")]


def test_retained_messages_are_states_and_live_ones_news(broker: Mosquitto) -> None:
    broker.publish("Küche/Lampe/availability", '{"state":"offline"}', retain=True)
    broker.publish("door/availability", "online", retain=True)
    with listening(broker) as tocsin:
        offline = "device offline Küche/Lampe"
        tocsin.wait(lambda: alerts(tocsin) == {offline: "firing"}, "the retained state")
        broker.publish("door/availability", "offline")
        tocsin.wait(lambda: alerts(tocsin).get("device offline door") == "firing", "the live state")
        broker.publish("Küche/Lampe/availability", '{"state":"online"}', retain=True)
        tocsin.wait(lambda: alerts(tocsin)[offline] == "resolved", "the end")
        assert history(tocsin) == ["fired", "fired", "resolved"]


def test_a_broker_that_dies_is_reached_again_and_nothing_is_doubled(
    broker: Mosquitto, tocsin: Tocsin
) -> None:
    broker.publish("a/availability", "offline", retain=True)
    broker.publish("b/availability", "offline", retain=True)
    tocsin.wait(lambda: history(tocsin) == ["fired", "fired"], "both alerts")
    time.sleep(1.5)  # mosquitto saves each second
    broker.kill()
    tocsin.wait(lambda: "listener.failed" in "".join(tocsin.output), "the log line")
    tocsin.output.clear()
    broker.start()
    broker.publish("b/availability", "online", retain=True)
    tocsin.wait(lambda: "mqtt.connected" in "".join(tocsin.output), "the connection to come back", 30)
    tocsin.wait(lambda: len(history(tocsin)) > 2, "what changed meanwhile")
    assert history(tocsin) == ["fired", "fired", "resolved"]
    assert alerts(tocsin) == {"device offline a": "firing", "device offline b": "resolved"}


def test_the_last_will_of_a_dead_bridge_says_offline(broker: Mosquitto, tocsin: Tocsin) -> None:
    listener = require("mosquitto_sub")
    will = [
        "--will-topic",
        "zigbee2mqtt/bridge/state",
        "--will-payload",
        '{"state":"offline"}',
        "--will-retain",
    ]
    command = [listener, *broker.command("#")[1:], *will]
    bridge = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    tocsin.wait(lambda: broker.said.count("Received SUBSCRIBE") == 2, "the bridge to connect")
    bridge.kill()
    bridge.wait()
    tocsin.wait(lambda: alerts(tocsin) == {"bridge offline zigbee2mqtt": "firing"}, "the last will")
    broker.publish("bridge/state", '{"state":"online"}', retain=True)
    tocsin.wait(lambda: alerts(tocsin) == {"bridge offline zigbee2mqtt": "resolved"}, "the bridge to be back")


def test_the_process_is_started_again_and_remembers_what_fires(broker: Mosquitto, tocsin: Tocsin) -> None:
    broker.publish("a/availability", "offline", retain=True)
    tocsin.wait(lambda: history(tocsin) == ["fired"], "the alert")
    tocsin.output.clear()
    tocsin.kill("listen")
    tocsin.wait(lambda: "mqtt.connected" in "".join(tocsin.output), "a new process to connect")
    broker.publish("a/availability", "online", retain=True)
    tocsin.wait(lambda: history(tocsin) == ["fired", "resolved"], "the end")
    assert any("listen ended (signal 9)" in line for line in tocsin.output)


def test_it_ends_with_the_supervisor(tocsin: Tocsin) -> None:
    listen = tocsin.child("listen")
    assert listen is not None
    tocsin.kill("supervisor")
    listen.wait(5)
    assert not psutil.pid_exists(listen.pid)


def test_it_ends_at_once_when_told(tocsin: Tocsin) -> None:
    assert tocsin.stop() < 4


def test_a_wrong_password_is_told_and_harms_nothing_else(broker: Mosquitto) -> None:
    with Tocsin(MQTT_URL=broker.url.replace("p%40ss", "wrong-one")) as tocsin:
        tocsin.wait(lambda: "listener.failed" in "".join(tocsin.output), "the log line")
        assert tocsin.post([]) == 200
        assert "wrong-one" not in "".join(tocsin.output)


def test_what_cannot_be_stored_now_waits(broker: Mosquitto, tocsin: Tocsin) -> None:
    with contextlib.closing(sqlite3.connect(tocsin.data_dir / "tocsin.sqlite3", timeout=10)) as database:
        database.execute("ALTER TABLE alerts_alert RENAME TO elsewhere")
        broker.publish("a/availability", "offline")
        tocsin.wait(lambda: "listener.waits" in "".join(tocsin.output), "the log line")
        broker.publish("b/availability", "offline")
        broker.publish("b/availability", "online")
        database.execute("ALTER TABLE elsewhere RENAME TO alerts_alert")
    tocsin.wait(lambda: history(tocsin) == ["fired", "fired", "resolved"], "all that was read")


def test_a_way_in_that_fails_holds_up_no_other(broker: Mosquitto) -> None:
    port = free_port()
    broker.kill()
    with Tocsin(MQTT_URL=broker.url, TOCSIN_SMTP_LISTEN=f"127.0.0.1:{port}", LOG_LEVEL="INFO") as tocsin:
        tocsin.wait(lambda: "listener.failed" in "".join(tocsin.output), "the log line")
        tocsin.wait(lambda: "smtp.listening" in "".join(tocsin.output), "mail to be taken")
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail("a@example.com", ["b@example.com"], "Subject: Disk full\r\n\r\nx")
        assert tocsin.query("SELECT source FROM alerts_alert") == [("email",)]
        broker.start()
        tocsin.wait(lambda: "mqtt.connected" in "".join(tocsin.output), "the connection", 40)
        broker.publish("a/availability", "offline")
        tocsin.wait(lambda: len(alerts(tocsin)) == 2, "the alert")
        told = _metrics(tocsin)
        assert 'tocsin_listener_up{listener="mqtt"} 1.0' in told
        assert 'tocsin_listener_up{listener="smtp"} 1.0' in told
        tocsin.wait(
            lambda: 'tocsin_intake_posts_total{source="zigbee2mqtt",status="202"} 1.0' in _metrics(tocsin),
            "its count",
        )
        assert 'tocsin_intake_posts_total{source="email",status="250"} 1.0' in _metrics(tocsin)


def _metrics(tocsin: Tocsin) -> str:
    with urllib.request.urlopen(f"{tocsin.url}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_over_tls_the_certificate_must_fit(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, tls=True)
    broker.start()
    try:
        with listening(broker, SSL_CERT_FILE=str(broker.certificate)) as tocsin:
            broker.publish("a/availability", "offline")
            tocsin.wait(lambda: alerts(tocsin) == {"device offline a": "firing"}, "the alert")
        with Tocsin(MQTT_URL=broker.url) as tocsin:
            tocsin.wait(lambda: "CERTIFICATE_VERIFY_FAILED" in "".join(tocsin.output), "the refusal")
    finally:
        broker.kill()
