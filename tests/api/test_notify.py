"""``/notify/``: what programs tell people, by stored channels and by a config that they bring."""

from typing import Any, Final

import msgspec
import pytest
from django.test import Client

from tests.api.test_monitors import holder
from tests.fakes.receiver import Answer, Receiver
from tests.web import rows
from tests.world import World
from tocsin.notify.drivers import drivers
from tocsin.notify.models import Delivery

SECRET: Final = "s3cr3t-that-nobody-may-see"
SAID: Final = {
    "title": "Deploy failed",
    "message": "exit code 2",
    "severity": "error",
    "labels": {"app": "shop"},
}


@pytest.fixture
def caller(client: Client, transactional_db: None) -> Client:
    return holder(client, "write")


@pytest.fixture(autouse=True)
def loopback_may_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "127.0.0.0/8")


def post(caller: Client, given: Any, path: str = "/notify/send/", status: int = 200) -> Any:
    answer = caller.post(path, msgspec.json.encode(given), "application/json")
    assert answer.status_code == status, answer.content
    assert SECRET not in answer.content.decode()
    return answer.json()


def test_a_stored_channel_gets_a_delivery(caller: Client, world: World) -> None:
    world.channel("on-call")
    told = post(caller, {"channel": "on-call", **SAID}, status=202)
    assert (told["status"], told["channel"]) == ("accepted", "on-call")
    assert Delivery.objects.get().pk == told["id"]
    world.forward(minutes=30 * 24 * 60)  # its clock stands in another year than the caller's
    (sent,) = world.sent
    assert (sent["title"], sent["severity"], sent["labels"]) == ("Deploy failed", "error", {"app": "shop"})
    assert sent["alerts"][0]["annotations"] == {"message": "exit code 2"}
    assert caller.get(f"/api/v1/deliveries/{told['id']}/").json()["state"] == "sent"


def test_all_channels_of_a_driver(caller: Client) -> None:
    rows.channel("a"), rows.channel("b")
    told = post(caller, SAID, "/notify/send/webhook/", 202)
    assert [each["channel"] for each in told["deliveries"]] == ["a", "b"]
    assert "no enabled channel of driver slack" in post(caller, SAID, "/notify/send/slack/", 400)["message"]


def test_a_config_given_on_the_spot_is_answered_at_once(caller: Client, receiver: Receiver) -> None:
    given = {"config": {"url": receiver.url, "secret": SECRET}, **SAID}
    assert post(caller, given) == {"status": "success", "driver": "webhook", "answer": "HTTP 200"}
    assert post(caller, given, "/notify/send/webhook/")["status"] == "success"
    receiver.default.status, receiver.default.body = 410, f"no {SECRET} here".encode()
    said = post(caller, given, status=502)
    assert (said["status"], said["code"], "no •••••• here" in said["message"]) == ("error", "receiver", True)
    assert "retry" not in said
    receiver.default.status = 503
    assert post(caller, given, status=502)["retry"] is True
    assert len(receiver.received) == 4
    assert not Delivery.objects.exists()


def test_about_an_incident(caller: Client, world: World) -> None:
    world.channel("on-call")
    incident = rows.incident()
    told = post(caller, {"channel": "on-call", "incident_id": incident.pk, **SAID}, status=202)
    made = Delivery.objects.get(pk=told["id"])
    assert (made.incident_id, made.trace_id) == (incident.pk, incident.trace_id)
    assert made.message["url"].endswith(f"/incidents/{incident.pk}/")
    assert (
        "no incident 999"
        in post(caller, {"channel": "on-call", "incident_id": 999, **SAID}, status=404)["message"]
    )


def test_its_end(caller: Client, receiver: Receiver) -> None:
    post(caller, {"driver": "webhook", "config": {"url": receiver.url}, "status": "resolved", **SAID})
    assert receiver.received[0].json["kind"] == "resolved"


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({}, 400, "title: it is missing"),
        ({"title": "x"}, 400, "name a channel or a driver, or give a config"),
        ({"title": "x", "channel": "nobody"}, 404, "there is no channel named 'nobody'"),
        ({"title": "x", "channel": "\0"}, 400, "NUL"),
        ({"title": "x", "channel": "off"}, 400, "the channel off is disabled"),
        ({"title": "x", "channel": "off", "config": {}}, 400, "not both"),
        ({"title": "x", "channel": "on", "driver": "slack"}, 400, "on is a channel of webhook"),
        ({"title": "x", "config": {"nonsense": SECRET}}, 400, "no driver has just the settings nonsense"),
        ({"title": "x", "driver": "slack", "config": {"webhook_url": SECRET}}, 502, "must begin"),
        (
            {"title": "x", "config": {"url": "http://10.0.0.1/", "secret": SECRET}},
            502,
            "TOCSIN_OUTBOUND_ALLOW",
        ),
        ({"title": "x", "driver": "pigeon"}, 400, "there is no driver 'pigeon'"),
        ({"title": "x", "channel": "on", "severity": "loud"}, 400, "severity"),
        ({"title": "x", "channel": "on", "colour": "red"}, 400, "colour"),
        ({"title": "x" * 501, "channel": "on"}, 400, "at most 500"),
        ({"title": "x", "channel": "on", "labels": {"a": "b" * 3_000}}, 400, "labels"),
        ({"title": "x", "channel": "on", "url": "javascript:alert(1)"}, 400, "url"),
        ({"title": "x", "channel": "on", "incident_id": 10**30}, 404, "no incident 1000"),
    ],
)
def test_what_cannot_be_told(caller: Client, given: dict[str, Any], status: int, said: str) -> None:
    rows.channel("on")
    off = rows.channel("off")
    off.enabled = False
    off.save()
    answer = post(caller, given, status=status)
    assert (answer["status"], said in answer["message"]) == ("error", True), answer
    assert not Delivery.objects.exists()


def test_no_such_driver_in_the_path(caller: Client) -> None:
    assert post(caller, SAID, "/notify/send/pigeon/", 404)["code"] == "driver"
    assert (
        "the path says slack"
        in post(caller, SAID | {"driver": "email"}, "/notify/send/slack/", 400)["message"]
    )


def test_many_at_once(caller: Client, receiver: Receiver) -> None:
    rows.channel("on")
    receiver.answers = [Answer(500)]
    given = [
        {"channel": "on", **SAID}, {"config": {"url": receiver.url, "secret": SECRET}, **SAID},
        {"channel": "nobody", **SAID}, 7,
    ]  # fmt: skip
    found = post(caller, given, "/notify/batch/")
    assert (found["status"], found["failed"]) == ("partial", 3)
    assert [each["http_status"] for each in found["results"]] == [202, 502, 404, 400]
    assert post(caller, {"notifications": given[:1]}, "/notify/batch/")["status"] == "success"
    assert post(caller, given[2:], "/notify/batch/")["status"] == "error"
    for wrong in ([], given * 26, {"notifications": "x"}, "x"):
        assert post(caller, wrong, "/notify/batch/", 400)["status"] == "error"
    assert Delivery.objects.count() == 2


def test_nothing_is_told_where_all_is_skipped(caller: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SKIP_ALL", "1")
    rows.channel("on")
    assert post(caller, {"channel": "on", **SAID}) == {
        "status": "skipped",
        "reason": "NOTIFY_SKIP_ALL is set",
    }
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("driver", drivers.names())
def test_drivers_and_what_they_need(caller: Client, driver: str) -> None:
    assert driver in [each["name"] for each in caller.get("/notify/drivers/").json()["drivers"]]
    found = caller.get(f"/notify/drivers/{driver}/").json()
    assert {each["name"] for each in found["fields"]} == set(found["schema"]["properties"])
    assert caller.get("/notify/drivers/pigeon/").status_code == 404


def test_who_may(client: Client, transactional_db: None) -> None:
    assert client.post("/notify/send/", {}, "application/json").status_code == 401
    reader = holder(client, "read")
    assert reader.get("/notify/drivers/").status_code == 200
    post(reader, SAID, status=403)
    post(reader, [], "/notify/batch/", 403)


def test_dead_letters_are_sent_again(caller: Client) -> None:
    dead = [rows.delivery(rows.channel(name)).pk for name in ("a", "b")]
    url = "/api/v1/deliveries/resend/"
    assert post(caller, {"ids": [*dead[:1], "nonsense", "\0"]}, url) == {"resent": 1}
    assert post(caller, {"dead": True, "channel": "b"}, url) == {"resent": 1}
    for wrong in ({}, {"ids": ["x"], "dead": True}):
        assert post(caller, wrong, url, 400)["code"] == "payload"
    (row,) = caller.get("/api/v1/deliveries/", {"id": dead[0]}).json()["deliveries"]
    assert (row["folded_into"], row["failures"]) == ("", [])
    assert caller.get("/api/v1/deliveries/none/").status_code == 404
