"""What would be read from a payload, and nothing stored."""

import gzip
from typing import Any

import msgspec
import pytest
from django.test import Client

from tocsin.accounts import services as accounts
from tocsin.alerts.models import Alert
from tocsin.core import clock

PATH = "/api/v1/preview/"
ALERT = {
    "name": "DiskFull",
    "severity": "critical",
    "instance": "web-1",
    "started_at": "2026-11-21T12:00:00Z",
    "message": "97 % full",
}


@pytest.fixture
def caller(client: Client, transactional_db: None) -> Client:
    key = accounts.create_api_key(name="tester", scope="read", now=clock.now())
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return client


def _post(caller: Client, payload: Any, path: str = PATH, **headers: str) -> tuple[int, Any]:
    body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    answer = caller.post(path, body, content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


def test_a_payload_is_read_as_a_webhook_would(caller: Client) -> None:
    status, told = _post(caller, [ALERT, {"severity": "info"}])
    assert (status, told["driver"]) == (200, "generic")
    (alert,) = told["alerts"]
    assert alert["name"] == "DiskFull"
    assert (alert["status"], alert["severity"]) == ("firing", "critical")
    assert (alert["started_at"], alert["ended_at"]) == ("2026-11-21T12:00:00Z", None)
    assert alert["labels"] == {"alertname": "DiskFull", "instance": "web-1"}
    assert alert["annotations"] == {"message": "97 % full"}
    assert len(alert["fingerprint"]) == 16
    assert [problem["index"] for problem in told["errors"]] == [1]
    assert not Alert.objects.exists()


def test_a_driver_may_be_named(caller: Client) -> None:
    assert _post(caller, ALERT, f"{PATH}generic/")[0] == 200
    status, told = _post(caller, ALERT, f"{PATH}alertmanager/")
    assert (status, told["code"]) == (400, "payload")
    status, told = _post(caller, ALERT, f"{PATH}nagois/")
    assert status == 404
    assert "nagois" in told["message"]


@pytest.mark.parametrize("body", [b"", b"nope", b"[", b"{}", b"\xff", b"[" * 5000])
def test_what_cannot_be_read_is_refused_in_words(caller: Client, body: bytes) -> None:
    status, told = _post(caller, body)
    assert (status, told["status"], told["code"]) == (400, "error", "payload")
    assert told["message"]


def test_gzip_is_inflated(caller: Client) -> None:
    packed = gzip.compress(msgspec.json.encode(ALERT))
    assert _post(caller, packed, **{"Content-Encoding": "gzip"})[0] == 200
    assert _post(caller, packed[:-4], **{"Content-Encoding": "gzip"})[1]["code"] == "gzip"


def test_too_large_a_body_is_refused(caller: Client) -> None:
    status, told = _post(caller, b" " * (5 * 1024 * 1024 + 1))
    assert (status, told["code"]) == (413, "too_large")


def test_it_needs_a_key_also_on_loopback(client: Client, transactional_db: None) -> None:
    assert _post(client, ALERT)[0] == 401
