"""The feed over HTTP: what is taken in, what is refused, what is read."""

import gzip
from typing import Any

import msgspec
import pytest
from django.test import Client

from tocsin.accounts import services as accounts
from tocsin.alerts import sources
from tocsin.core import clock
from tocsin.fleet.models import Event

POST, READ = "/api/events", "/api/health/events/recent"
EVENT = {
    "type": "command.failed", "level": "error", "message": "play failed", "source": "hub-1",
    "correlation_id": "c-1", "data": {"device": "kitchen", "tries": 3},
}  # fmt: skip

pytestmark = pytest.mark.django_db


def post(client: Client, payload: Any, **headers: str) -> tuple[int, Any]:
    body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    answer = client.post(POST, body, content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


def read(client: Client, **query: Any) -> Any:
    answer = client.get(READ, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound wider than to loopback."""
    monkeypatch.setenv("TOCSIN_HOST", "0.0.0.0")


def key(scope: str) -> dict[str, str]:
    made = accounts.create_api_key(name=scope, scope=scope, now=clock.now())
    return {"Authorization": f"Bearer {made}"}


def test_an_event_comes_in_and_is_read(client: Client) -> None:
    status, told = post(client, EVENT, **{"X-Correlation-Id": "my-trace"})
    assert (status, told) == (202, {"status": "accepted", "trace_id": "my-trace", "events": 1})
    found = read(client)
    assert found["count"] == 1
    assert EVENT.items() <= found["events"][0].items()
    assert found["events"][0]["trace_id"] == "my-trace"
    assert client.get("/health/events/recent").json() == found


def test_the_bad_ones_of_a_list_are_named_and_the_good_ones_kept(client: Client) -> None:
    bad = [{}, 1, {"type": "a", "level": "loud"}, {"type": "a", "data": [1]}, {"type": "a", "at": "soon"}]
    status, told = post(client, [{"type": "audio.upload", "at": "2026-11-21T04:00:00Z"}, *bad])
    assert (status, told["events"]) == (202, 1)
    assert [problem["index"] for problem in told["errors"]] == [1, 2, 3, 4, 5]
    found = Event.objects.get()
    assert (found.type, found.level, found.source) == ("audio.upload", "info", "api")
    assert found.at.isoformat() == "2026-11-21T04:00:00+00:00"
    status, told = post(client, bad)
    assert (status, told["code"]) == (400, "payload")
    assert told["message"].startswith("events[0]: ")


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"1", b'"x"', b"[" * 5_000, b"\xff"])
def test_what_is_no_event_is_refused(client: Client, body: bytes) -> None:
    status, told = post(client, body)
    assert (status, told["status"], told["code"]) == (400, "error", "payload")


def test_size_and_gzip_are_bounded_as_everywhere(client: Client) -> None:
    packed = gzip.compress(msgspec.json.encode(EVENT))
    assert post(client, packed, **{"Content-Encoding": "gzip"})[0] == 202
    assert post(client, b"no gzip", **{"Content-Encoding": "gzip"})[0] == 400
    assert post(client, b" " * (6 * 1024 * 1024))[0] == 413
    assert post(client, [{"type": "a"}] * 1_001)[0] == 400


def test_the_newest_come_first_as_many_as_are_asked_for(client: Client) -> None:
    post(client, [{"type": f"t{number}", "level": "warning"} for number in range(60)])
    assert read(client)["count"] == 50
    assert [event["type"] for event in read(client, limit=2)["events"]] == ["t59", "t58"]
    assert read(client, limit=200, type="t7")["count"] == 1
    assert read(client, level="info")["count"] == 0
    for wrong in ("0", "201", "x", "-1", "9" * 30, ""):
        answer = client.get(READ, {"limit": wrong})
        assert (answer.status_code, answer.json()["code"]) == (400, "query"), wrong


def test_beyond_loopback_a_key_is_needed(client: Client, beyond: None) -> None:
    assert post(client, EVENT)[0] == 401
    assert client.get(READ).status_code == 401
    ingest, reader = key("ingest"), key("read")
    assert post(client, EVENT, **reader)[0] == 403
    assert post(client, EVENT, **ingest)[0] == 202
    assert client.get(READ, headers=ingest).status_code == 403
    assert client.get(READ, headers=reader).json()["count"] == 1


def test_a_sources_token_opens_and_names_the_source(client: Client, beyond: None) -> None:
    token = sources.create_source(name="ci", labels={}, now=clock.now())
    assert post(client, {"type": "deploy"}, Authorization=f"Bearer {token}")[0] == 202
    assert Event.objects.get().source == "ci"
    sources.revoke_source(name="ci")
    assert post(client, {"type": "deploy"}, Authorization=f"Bearer {token}")[0] == 403


@pytest.mark.parametrize("path", [POST, READ])
def test_other_methods_are_refused(client: Client, path: str) -> None:
    assert client.delete(path).status_code == 405
