"""Monitors over HTTP: made, read, changed, looked at and removed, and their results."""

from typing import Any, Final

import msgspec
import pytest
from django.test import Client

from tests.fakes.receiver import Answer, Receiver
from tests.world import World
from tocsin.accounts import services as accounts
from tocsin.checkers import monitors
from tocsin.checkers.models import CheckRun, Monitor
from tocsin.core import clock

URL: Final = "/api/v1/monitors/"
SECRET: Final = "s3cr3t-that-nobody-may-see"
GIVEN: Final = {"name": "shop", "checker": "http", "options": {"url": "https://shop.example/"}}


def holder(client: Client, scope: str) -> Client:
    key = accounts.create_api_key(name=scope, scope=scope, now=clock.now())
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return client


@pytest.fixture
def caller(client: Client, transactional_db: None) -> Client:
    return holder(client, "write")


@pytest.fixture(autouse=True)
def loopback_may_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "127.0.0.0/8")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks by hand does not wait for another's look."""
    monkeypatch.setattr(monitors, "PATIENCE_SECONDS", 0)


def send(caller: Client, given: Any, path: str = URL, method: str = "POST", status: int = 201) -> Any:
    answer = caller.generic(method, path, msgspec.json.encode(given), "application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_made_read_changed_and_removed(caller: Client) -> None:
    more = {"interval": "5m", "failures": 2, "labels": {"team": "web"}, "severities": {"unknown": "critical"}}
    options = {"url": "https://shop.example/?key=1", "token": SECRET, "headers": {"X-Key": SECRET}}
    made = send(caller, GIVEN | more | {"options": options})
    assert made["id"].startswith("mon_")
    assert (made["state"], made["origin"], made["interval"], made["target"]) == (
        "new", "api", 300, "https://shop.example/"
    )  # fmt: skip
    assert made["options"]["token"] == made["options"]["headers"]["X-Key"] == "••••••"
    path = f"{URL}{made['id']}/"
    assert caller.get(path).json() == made
    assert SECRET not in caller.get(URL).content.decode()
    changed = send(caller, GIVEN | {"options": made["options"], "interval": 60}, path, "PUT", 200)
    assert (changed["interval"], changed["labels"]) == (60, {}), "all that is left out has its default"
    kept = Monitor.objects.get().options
    assert (kept["token"], kept["headers"]) == (SECRET, {"X-Key": SECRET}), "dots stand for what was there"
    assert caller.delete(path).json() == {"removed": made["id"]}
    assert caller.get(path).status_code == 404


def test_looked_at_with_its_results(caller: Client, receiver: Receiver) -> None:
    receiver.answers = [Answer(500)]
    made = send(caller, GIVEN | {"options": {"url": receiver.url}, "failures": 1})
    other = send(caller, {"name": "cpu", "checker": "cpu"})
    found = caller.post(f"{URL}{made['id']}/run/").json()
    assert (found["status"], found["metrics"]["status"]) == ("critical", 500)
    assert caller.get(f"{URL}{made['id']}/").json()["state"] == "firing"
    caller.post(f"{URL}{made['id']}/run/")
    caller.post(f"{URL}{other['id']}/run/")
    first = caller.get("/api/v1/check-runs/", {"monitor": made["id"], "limit": 1}).json()
    assert [run["status"] for run in first["check_runs"]] == ["ok"]
    then = {"monitor": made["id"], "limit": 1, "cursor": first["next"]}
    second = caller.get("/api/v1/check-runs/", then).json()
    assert [run["status"] for run in second["check_runs"]] == ["critical"]
    assert second["next"] is None
    assert second["check_runs"][0]["trace_id"], "by which the alert's story is found"


def test_lists_by_what_they_are(caller: Client, world: World) -> None:
    for number in range(3):
        send(caller, GIVEN | {"name": f"shop-{number}", "enabled": number > 0})
    names = [each["name"] for each in caller.get(URL, {"enabled": "true"}).json()["monitors"]]
    assert names == ["shop-2", "shop-1"]
    page = caller.get(URL, {"limit": 2}).json()
    rest = caller.get(URL, {"cursor": page["next"]}).json()
    assert [each["name"] for each in page["monitors"] + rest["monitors"]] == ["shop-2", "shop-1", "shop-0"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no JSON object"),
        ({}, "missing required field `name`"),
        (GIVEN | {"colour": 1}, "unknown field `colour`"),
        (GIVEN | {"interval": 5}, "interval: it must be 10 to 86,400 seconds"),
        (GIVEN | {"interval": None}, "interval: expected `int`"),
        (GIVEN | {"interval": "soon"}, "interval: 'soon' is no duration"),
        (GIVEN | {"failures": 1.5}, "failures: expected `int`"),
        (GIVEN | {"options": {"url": 3}}, "options.url: "),
        (GIVEN | {"options": {"url": "https://x.example/", "colour": 1}}, "options.colour: "),
        (GIVEN | {"checker": "../cpu"}, "checker: "),
        (GIVEN | {"name": "a\0b"}, "name: "),
        (GIVEN | {"name": "taken"}, "name: there is a monitor named 'taken'"),
        (GIVEN | {"labels": {"a": ""}}, "labels: "),
    ],
)
def test_what_is_wrong_names_its_field(caller: Client, given: Any, said: str) -> None:
    send(caller, {"name": "taken", "checker": "cpu"})
    told = send(caller, given, status=400)
    assert (told["status"], told["code"]) == ("error", "payload")
    assert said in told["message"]
    assert Monitor.objects.count() == 1


def test_a_body_that_is_no_json(caller: Client) -> None:
    assert caller.post(URL, b"\xff{", content_type="application/json").status_code == 400
    assert caller.patch(URL).status_code == 405


@pytest.mark.parametrize("end", ["", "run/"])
def test_no_such_monitor(caller: Client, end: str) -> None:
    call = caller.post if end else caller.get
    answer = call(f"{URL}mon_nobody/{end}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown")


def test_being_looked_at(caller: Client, receiver: Receiver, impatient: None) -> None:
    made = send(caller, GIVEN | {"options": {"url": receiver.url}})
    Monitor.objects.update(lease="another worker's")
    answer = caller.post(f"{URL}{made['id']}/run/")
    assert (answer.status_code, receiver.received) == (400, [])
    assert not CheckRun.objects.exists()


def test_who_may(client: Client, transactional_db: None) -> None:
    assert client.get(URL).status_code == client.post(URL).status_code == 401
    reader = holder(client, "read")
    assert reader.get(URL).status_code == 200
    for method, path in (
        ("POST", URL), ("PUT", f"{URL}x/"), ("DELETE", f"{URL}x/"), ("POST", f"{URL}x/run/")
    ):  # fmt: skip
        assert reader.generic(method, path, b"{}", "application/json").status_code == 403, (method, path)
