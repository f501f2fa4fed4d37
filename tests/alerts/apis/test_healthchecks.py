"""Healthchecks' pings: what its clients send, what they are answered, and who may."""

from typing import Final

import pytest

from tests.asgi import Answer, Request
from tests.doorway import MAX_BYTES, Doorway
from tocsin.accounts import services as accounts
from tocsin.alerts import sources
from tocsin.alerts.apis import apis
from tocsin.core import clock
from tocsin.fleet import heartbeats
from tocsin.fleet.models import Heartbeat, Ping

UUID: Final = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
OTHER: Final = "803f680d-e89b-492b-82ef-2be7b774a92d"
RUN: Final = "728b3763-ea80-4113-9fc0-f49b4adf226f"


def ping(door: Doorway, path: str, body: bytes = b"", method: str = "GET", **headers: str) -> Answer:
    return door.call(Request(path, [body], method=method, headers=headers))


def backup(token: str = UUID, name: str = "backup") -> Heartbeat:
    return heartbeats.create(name=name, token=token, now=clock.now())


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", [f"/ping/{UUID}", f"/{UUID}", f"/hc/ping/{UUID}/", f"/ping/{UUID.upper()}"])
def test_a_ping_is_answered_as_healthchecks_does_once_it_is_on_disk(
    door: Doorway, path: str, method: str
) -> None:
    backup()
    answer = ping(door, path, method=method)
    assert (answer.status, answer.body) == (200, b"OK")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["ping-body-limit"] == "10000"
    assert Heartbeat.objects.get().state == "up"
    assert door.rings == 1


@pytest.mark.parametrize(
    ("end", "signal", "status"),
    [
        ("", "success", None), ("/start", "start", None), ("/fail", "failure", None), ("/log", "log", None),
        ("/0", "success", 0), ("/1", "failure", 1), ("/255", "failure", 255),
    ],
)  # fmt: skip
def test_the_end_of_the_path_says_what_it_means(
    door: Doorway, end: str, signal: str, status: int | None
) -> None:
    backup()
    for path in (f"/ping/{UUID}{end}?rid={RUN}", f"/{UUID}{end}", f"/ping/any-key/backup{end}"):
        assert ping(door, path, b"what it printed", "POST").status == 200
    found = Ping.objects.values_list("signal", "exit_status", "run", "text").order_by("pk")
    assert list(found) == [(signal, status, run, "what it printed") for run in (RUN, "", "")]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("/256", "invalid url format"), ("/done", "invalid url format"), ("/-1", "invalid url format"),
        ("/99999999999999999999", "invalid url format"), ("/²", "invalid url format"),
        ("?rid=1", "invalid uuid format"),
    ],
)  # fmt: skip
def test_what_is_no_ping_is_refused(door: Doorway, end: str, said: str) -> None:
    backup()
    answer = ping(door, f"/ping/{UUID}{end}")
    assert (answer.status, answer.body.decode()) == (400, said)
    assert not Ping.objects.exists()


def test_the_end_of_a_long_text_is_kept(door: Doorway) -> None:
    backup()
    ping(door, f"/{UUID}/fail", b"x" * 50_000 + b"\0\xff the reason", "POST")
    text = Ping.objects.get().text
    assert len(text) <= 10_000
    assert text.endswith("x\ufffd\ufffd the reason")


def test_an_old_address_works_at_once_on_a_new_host(door: Doorway) -> None:
    assert ping(door, f"/{UUID}").body == b"OK"
    adopted = Heartbeat.objects.get()
    assert (adopted.name, adopted.token, adopted.state) == ("heartbeat-5bf66975", UUID, "up")
    assert not adopted.schedule
    ping(door, f"/ping/{UUID}/fail")
    assert Heartbeat.objects.count() == 1


def test_beyond_loopback_only_known_addresses_work(closed: Doorway) -> None:
    assert ping(closed, f"/ping/{UUID}").status == 404
    assert ping(closed, f"/ping/{UUID}").body == b"not found"
    backup(OTHER)
    assert ping(closed, f"/ping/{OTHER}").status == 200
    key = accounts.create_api_key(name="hc", scope="ingest", now=clock.now())
    assert ping(closed, f"/ping/{UUID}", Authorization=f"Bearer {key}").status == 200
    assert Heartbeat.objects.count() == 2


def test_a_slug_is_made_where_that_is_asked_for(door: Doorway) -> None:
    for query in ("", "?create=0"):
        missing = ping(door, f"/ping/ping-key/srv01{query}")
        assert (missing.status, missing.body) == (404, b"not found")
    made = ping(door, "/ping/ping-key/srv01/start?create=1")
    assert (made.status, made.body) == (201, b"Created")
    again = ping(door, "/ping/ping-key/srv01?create=1")
    assert (again.status, again.body) == (200, b"OK")
    assert Heartbeat.objects.get().name == "srv01"


@pytest.mark.parametrize("slug", ["NoCaps", "a.b", "a b", "é"])
def test_what_is_no_slug_is_refused(door: Doorway, slug: str) -> None:
    answer = ping(door, f"/ping/ping-key/{slug}?create=1")
    assert (answer.status, answer.body) == (400, b"invalid url format")


def test_the_ping_key_is_a_key_or_a_sources_token(closed: Doorway) -> None:
    token = sources.create_source(name="cron", labels={}, now=clock.now())
    key = accounts.create_api_key(name="hc", scope="write", now=clock.now())
    reader = accounts.create_api_key(name="reader", scope="read", now=clock.now())
    for wrong in ("nobody", reader):
        assert ping(closed, f"/ping/{wrong}/a?create=1").status == 404
    assert ping(closed, f"/ping/{token}/a?create=1").status == 201
    assert ping(closed, f"/ping/{key}/b?create=1").status == 201
    senders = dict(Heartbeat.objects.values_list("name", "sender"))
    assert senders == {"a": "cron", "b": ""}


def test_a_browser_may_ask_first(closed: Doorway) -> None:
    answer = ping(closed, f"/ping/{UUID}", method="OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize(
    "path",
    [
        f"/x/{UUID}", "/5bf66975d4c74bf5bcc8b8d8a82ea278", "/ping/", "/ping/key", "/ping/key/slug/done",
        "/v2/alerts/ping/web-1/close", "/v2/alerts/a/ping/web-1/log", "/integrations/generic/ping/alert/k/1",
        f"/{UUID}/a/b", "/heartbeats/1/",
    ],
)  # fmt: skip
def test_other_paths_are_not_its(path: str) -> None:
    assert apis.get("healthchecks")().takes("POST", path) is None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_its(method: str) -> None:
    assert apis.get("healthchecks")().takes(method, f"/ping/{UUID}") is None


def test_size_is_bounded_as_everywhere(door: Doorway) -> None:
    assert ping(door, f"/ping/{UUID}", b"x" * (MAX_BYTES + 1), "POST").status == 413
    assert not Ping.objects.exists()
