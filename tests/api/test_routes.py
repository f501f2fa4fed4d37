"""Routes over HTTP: read, put in force and asked."""

from typing import Any

import msgspec
import pytest
from django.test import Client

from tests.api.test_monitors import holder
from tocsin.notify.models import RoutingTree

URL = "/api/v1/routes/"
TREE = {"route": {"channels": ["chat"], "routes": [{"matchers": ["team=web"], "channels": ["web"]}]}}


@pytest.fixture
def caller(client: Client, transactional_db: None) -> Client:
    return holder(client, "write")


def send(caller: Client, given: Any, path: str = URL, method: str = "PUT", status: int = 200) -> Any:
    answer = caller.generic(method, path, msgspec.json.encode(given), "application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_put_in_force_and_taken_away(caller: Client) -> None:
    assert caller.get(URL).json() == {"in_force": None, "routing": None, "drawn": [], "history": []}
    put = send(caller, {"routing": TREE, "note": "from CI"})
    assert put["routing"] == TREE
    assert put["drawn"] == ["route  → chat", '└─ {team="web"}  → web']
    assert (put["in_force"]["made_by"], put["in_force"]["note"]) == ("key write", "from CI")
    off = send(caller, {"routing": None})
    assert (off["routing"], off["drawn"], len(off["history"])) == (None, [], 2)


def test_what_is_wrong_is_told(caller: Client) -> None:
    wrong = send(caller, {"routing": {"route": {"receiver": "x"}}}, status=400)
    assert (wrong["code"], wrong["problems"]) == (
        "routes", [{"line": 0, "path": "route.receiver", "message": "undefined receiver 'x'"}]
    )  # fmt: skip
    for given in ({}, {"routing": []}, {"routing": TREE, "more": 1}, [], {"routing": {}}):
        assert send(caller, given, status=400)["status"] == "error"
    assert not RoutingTree.objects.exists()


def test_who_gets_it(caller: Client) -> None:
    asked = {"labels": {"team": "web"}, "at": "2026-11-23T23:00:00+01:00"}
    assert "no routes are in force" in send(caller, asked, f"{URL}test/", "POST", 400)["message"]
    assert send(caller, asked | {"routing": TREE}, f"{URL}test/", "POST")["taken"][0]["channels"] == ["web"]
    send(caller, {"routing": TREE})
    found = send(caller, {"labels": {"team": "db"}}, f"{URL}test/", "POST")
    assert (found["taken"][0]["channels"], len(found["refused"])) == (["chat"], 1)
    assert "no time" in send(caller, asked | {"at": "noon"}, f"{URL}test/", "POST", 400)["message"]


def test_who_may(client: Client, transactional_db: None) -> None:
    assert client.get(URL).status_code == 401
    reader = holder(client, "read")
    assert reader.get(URL).status_code == 200
    assert send(reader, {"routing": None}, status=403)["code"] == "access"
