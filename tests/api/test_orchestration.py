"""Pipelines over HTTP: runs begun, looked at, resumed, answered; definitions read, changed, checked, run."""

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from tests.api.test_monitors import holder
from tests.world import World
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.api import pipelines
from tocsin.core import clock
from tocsin.notify.models import Delivery
from tocsin.orchestration import definitions
from tocsin.orchestration.definition import STAGES
from tocsin.orchestration.models import PipelineDefinition, PipelineRun, StageExecution

START: Final = "/orchestration/pipeline/"
SYNC: Final = "/orchestration/pipeline/sync/"
DEFINITIONS: Final = "/orchestration/definitions/"
ALERT: Final = {"name": "DiskFull", "severity": "critical", "labels": {"instance": "db-1"}}
SECRET: Final = "s3cr3t-that-nobody-may-see"
SOUND: Final = {"nodes": [{"id": "a", "type": "ingest"}]}


@pytest.fixture
def caller(client: Client, world: World) -> Client:
    world.now = clock.now() + timedelta(seconds=1)
    definitions.put(name="default", document=STAGES, priority=1000, now=world.now)
    return holder(client, "write")


def send(
    caller: Client, path: str, given: Any = None, status: int = 202, method: str = "POST", **headers: Any
) -> Any:
    body = given if isinstance(given, bytes) else b"" if given is None else msgspec.json.encode(given)
    answer = caller.generic(method, path, body, "application/json", headers=headers)
    assert answer.status_code == status, answer.content
    return answer.json()


def put(caller: Client, *nodes: dict[str, Any], name: str = "mine", status: int = 201, **told: Any) -> Any:
    given = {"definition": {"version": "1.0", "nodes": list(nodes)}, **told}
    return send(caller, f"{DEFINITIONS}{name}/", given, status, "PUT")


def node(name: str, kind: str, following: str = "", **rest: Any) -> dict[str, Any]:
    return {"id": name, "type": kind, **({"next": following} if following else {}), **rest}


@contextmanager
def working(world: World) -> Iterator[None]:
    """A worker beside, as there is one in every installation."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            world.work()
            time.sleep(0.02)
        connection.close()

    beside = threading.Thread(target=work)
    beside.start()
    try:
        yield
    finally:
        over.set()
        beside.join()


# Runs begun.


def test_a_payload_begins_a_run_which_is_found_where_it_says(caller: Client, world: World) -> None:
    world.channel()
    told = send(caller, START, {"payload": ALERT})
    assert (told["status"], told["driver"], told["alerts"], told["changes"]) == ("accepted", "generic", 1, 1)
    [run] = told["runs"]
    assert (run["run_id"], run["state"], run["trace_id"]) == (told["run_id"], "PENDING", told["trace_id"])
    assert Alert.objects.get().name == "DiskFull", "it is on disk once it is answered"
    world.work()
    found = caller.get(told["url"]).json()
    assert (found["state"], found["attempts"], found["definition"], found["version"]) == (
        "NOTIFIED", 1, "default", 1,
    )  # fmt: skip
    assert [stage["stage"] for stage in found["stages"]] == ["INGEST", "CHECK", "ANALYZE", "NOTIFY"]
    assert found["stages"][0]["input"]["reason"] == "fired"
    assert found["stages"][0]["output"]["alerts"][0]["name"] == "DiskFull"
    assert [sent["trace_id"] for sent in world.sent] == [told["trace_id"]]


def test_the_callers_correlation_id_is_kept(caller: Client, world: World) -> None:
    body = msgspec.json.encode({"payload": ALERT})
    answer = caller.post(START, body, "application/json", headers={"X-Correlation-Id": "deploy-4711"})
    assert answer.headers["X-Correlation-Id"] == answer.json()["trace_id"] == "deploy-4711"
    assert PipelineRun.objects.get().trace_id == AlertHistory.objects.get().trace_id == "deploy-4711"
    again: Any = {"X-Correlation-Id": "again"}
    told = send(caller, START, {"incident_id": world.incident().pk}, **again)
    assert told["trace_id"] == told["runs"][0]["trace_id"] == "again"
    refused = caller.post(START, b"{}", "application/json", headers={"X-Correlation-Id": "deploy-4711"})
    assert refused.headers["X-Correlation-Id"] == "deploy-4711"


def test_what_came_before_is_decided_first_and_walks_its_own_definition(caller: Client, world: World) -> None:
    world.fire("HighCPU")
    put(caller, node("only", "ingest"), matchers=['alertname="Nothing"'])
    told = send(caller, START, {"payload": ALERT, "definition": "mine"})
    world.work()
    walked = {run.incident.title: str(run.version) for run in PipelineRun.objects.select_related("incident")}
    assert walked == {"HighCPU on web-1": "default 1", "DiskFull on db-1": "mine 1"}
    assert caller.get(told["url"]).json()["state"] == "COMPLETED"


def test_what_is_known_already_begins_nothing_and_says_so(caller: Client) -> None:
    send(caller, START, {"payload": ALERT})
    told = send(caller, START, {"payload": ALERT})
    assert (told["changes"], told["runs"], told["run_id"]) == (0, [], None)
    assert told["reasons"] == ["nothing new: the alert is known to be so"]
    assert told["url"].endswith(f"?trace_id={told['trace_id']}")
    over = send(caller, SYNC, {"payload": ALERT}, status=200)
    assert (over["status"], over["runs"]) == ("finished", [])


def test_bad_alerts_do_not_cost_the_good_ones(caller: Client) -> None:
    told = send(caller, START, {"payload": [ALERT, {"severity": "info"}], "source": "generic"})
    assert (told["alerts"], [each["index"] for each in told["errors"]]) == (1, [1])


def test_many_alerts_many_runs(caller: Client) -> None:
    told = send(caller, START, {"payload": [{**ALERT, "name": f"A{n}"} for n in range(3)]})
    assert len(told["runs"]) == told["changes"] == 3
    assert [run["run_id"] for run in caller.get(told["url"]).json()["runs"]] == [
        run["run_id"] for run in reversed(told["runs"])
    ]


@pytest.mark.parametrize(
    ("given", "status", "code", "said"),
    [
        (b"{", 400, "payload", "the body cannot be used"),
        (b"[" * 5000, 400, "payload", "the body cannot be used"),
        ([], 400, "payload", "Expected `object`"),
        ({}, 400, "payload", "give a payload or an incident_id"),
        ({"payload": ALERT, "incident_id": 1}, 400, "payload", "not both"),
        ({"payload": ALERT, "colour": 1}, 400, "payload", "unknown field `colour`"),
        ({"payload": {}}, 400, "payload", "no driver reads this payload"),
        ({"payload": [{"severity": "info"}], "driver": "generic"}, 400, "payload", "it needs a name"),
        ({"payload": ALERT, "driver": "acme"}, 404, "driver", "there is no driver 'acme'"),
        ({"payload": ALERT, "definition": "none"}, 404, "unknown", "no definition 'none'; known: default"),
        ({"payload": ALERT, "definition": "a\0b"}, 404, "unknown", "there is no definition"),
        ({"incident_id": 4711}, 404, "unknown", "there is no incident 4711"),
        ({"incident_id": 2**70}, 400, "payload", "incident_id"),
        ({"incident_id": 1, "timeout": 1e9}, 400, "payload", "timeout"),
    ],
)  # fmt: skip
def test_what_cannot_begin_is_refused_and_nothing_stored(
    caller: Client, given: Any, status: int, code: str, said: str
) -> None:
    told = send(caller, START, given, status)
    assert (told["status"], told["code"]) == ("error", code)
    assert said in told["message"]
    assert not Alert.objects.exists() and not PipelineRun.objects.exists()


def test_a_packed_body_is_inflated(caller: Client) -> None:
    packed, header = gzip.compress(msgspec.json.encode({"payload": ALERT})), {"Content-Encoding": "gzip"}
    send(caller, START, packed, 202, "POST", **header)
    assert send(caller, START, packed[:-4], 400, "POST", **header)["code"] == "gzip"
    assert send(caller, START, b" " * (5 * 1024 * 1024 + 1), 413)["code"] == "too_large"


def test_while_too_much_waits_the_sender_is_told_to_come_back(
    caller: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.orchestration.taking.MOST_BEFORE", 0)
    answer = caller.post(START, msgspec.json.encode({"payload": ALERT}), "application/json")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert not Alert.objects.exists()


# Waited for.


def test_sync_answers_with_the_run_and_its_stages(caller: Client, world: World) -> None:
    world.channel()
    with working(world):
        told = send(caller, SYNC, {"payload": ALERT}, status=200)
    [run] = told["runs"]
    assert (told["status"], run["state"], len(run["stages"])) == ("finished", "NOTIFIED", 4)
    assert PipelineRun.objects.count() == 1


def test_what_is_not_over_in_time_is_not_run_again(caller: Client, world: World) -> None:
    put(caller, node("ask", "approval"))
    with working(world):
        told = send(caller, SYNC, {"payload": ALERT, "definition": "mine", "timeout": 0.5})
    [run] = told["runs"]
    assert (told["status"], run["state"]) == ("accepted", "WAITING")
    assert told["url"] == f"/orchestration/pipeline/{run['run_id']}/"
    assert [(asked["node"], asked["question"]) for asked in run["waiting"]] == [("ask", "Go on?")]
    assert PipelineRun.objects.count() == StageExecution.objects.count() == 1


def test_when_too_many_wait_the_next_is_answered_at_once(
    caller: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines, "_waiting", threading.BoundedSemaphore(1))
    pipelines._waiting.acquire()
    assert send(caller, SYNC, {"payload": ALERT})["status"] == "accepted"


# Runs looked at, resumed, answered.


def test_runs_are_listed_a_page_at_a_time(caller: Client, world: World) -> None:
    put(caller, node("only", "ingest"), matchers=["severity=critical"])
    for number in range(3):
        send(caller, START, {"payload": {**ALERT, "name": f"A{number}"}, "definition": "mine"})
    world.fire()
    world.work()
    page = caller.get("/orchestration/pipelines/", {"definition": "mine", "limit": "2"}).json()
    rest = caller.get("/orchestration/pipelines/", {"definition": "mine", "cursor": page["next"]}).json()
    assert (len(page["runs"]), len(rest["runs"]), rest["next"]) == (2, 1, None)
    assert {run["definition"] for run in page["runs"]} == {"mine"}
    assert len(caller.get("/orchestration/pipelines/", {"state": "COMPLETED"}).json()["runs"]) == 3
    assert caller.get("/orchestration/pipelines/", {"colour": "red"}).status_code == 400


def test_a_failed_run_is_resumed(caller: Client, world: World) -> None:
    broken = node("fails", "transform", config={"templates": {"x": "{{ nowhere.y }}"}}, retry={"tries": 1})
    put(caller, broken)
    told = send(caller, START, {"payload": ALERT, "definition": "mine"})
    path = f"{told['url']}resume/"
    refused = send(caller, path, status=409)
    assert (refused["code"], "has not failed" in refused["message"]) == ("state", True)
    world.work()
    assert caller.get(told["url"]).json()["state"] == "FAILED"
    assert send(caller, path)["state"] == "RETRYING"
    world.now = clock.now() + timedelta(seconds=1)
    world.work()
    assert StageExecution.objects.count() == 2
    assert send(caller, f"{START}nothing/resume/", status=404)["code"] == "unknown"


def test_an_approval_is_given_once_and_bears_who_gave_it(caller: Client, world: World) -> None:
    world.channel()
    put(caller, node("ask", "approval", "tell", otherwise="no"), node("tell", "notify"), node("no", "ingest"))
    told = send(caller, START, {"payload": ALERT, "definition": "mine"})
    path = f"{told['url']}approve/"
    assert send(caller, path, {"node": "ask", "approved": True}, 409)["code"] == "state"
    world.work()
    for wrong in (b"{", {"node": "ask"}, {"node": "ask", "approved": "yes"}):
        assert send(caller, path, wrong, 400)["code"] == "payload"
    run = send(caller, path, {"node": "ask", "approved": False}, 200)
    assert run["waiting"] == []
    said = send(caller, path, {"node": "ask", "approved": True}, 409)["message"]
    assert said == "key write has answered already"
    world.now = clock.now() + timedelta(seconds=1)
    world.work()
    run = caller.get(told["url"]).json()
    assert [stage["stage"] for stage in run["stages"]][-1] == "no"
    assert run["stages"][-2]["note"] == "key write said no"
    assert not world.sent


def test_a_person_may_answer_too(caller: Client, world: World) -> None:
    put(caller, node("ask", "approval"))
    told = send(caller, START, {"payload": ALERT, "definition": "mine"})
    world.work()
    person = Client(enforce_csrf_checks=True)
    person.force_login(get_user_model().objects.create_user("ann"))
    path, given = f"{told['url']}approve/", {"node": "ask", "approved": True}
    assert send(person, path, given, 403)["code"] == "access"
    person.cookies["csrftoken"] = "a" * 32
    send(person, path, given, 200, **{"X-CSRFToken": "a" * 32})
    assert StageExecution.objects.get().output["by"] == "ann"


@pytest.mark.parametrize("path", ["nothing/", "a%00b/", "a%00b/resume/", "nothing/approve/"])
def test_no_such_run(caller: Client, path: str) -> None:
    method, given = ("GET", None) if path.count("/") == 1 else ("POST", {"node": "a", "approved": True})
    assert send(caller, START + path, given, 404, method)["code"] == "unknown"


# Definitions.


def test_put_read_listed_and_removed(caller: Client) -> None:
    made = put(caller, node("tell", "notify"), matchers=['severity="info"'], priority=5, description="Quiet")
    assert (made["version"], made["enabled"], made["priority"]) == (1, True, 5)
    assert put(caller, node("tell", "notify"), matchers=['severity="info"'], priority=5, description="Quiet",
               status=200)["changes"] == []  # fmt: skip
    changed = put(caller, node("note", "ingest"), status=200)
    assert (changed["version"], changed["changes"]) == (
        2,
        ["definition", "matchers", "priority", "description"],
    )
    found = caller.get(f"{DEFINITIONS}mine/").json()
    assert [(each["number"], each["made_by"]) for each in found["versions"]] == [
        (2, "key write"),
        (1, "key write"),
    ]
    assert found["versions"][1]["definition"]["nodes"][0]["id"] == "tell"
    listed = caller.get(DEFINITIONS).json()["definitions"]
    assert [each["name"] for each in listed] == ["mine", "default"]
    assert send(caller, f"{DEFINITIONS}mine/", None, 200, "DELETE") == {"removed": "mine"}
    assert send(caller, f"{DEFINITIONS}mine/", None, 404, "DELETE")["code"] == "unknown"


def test_one_that_runs_walk_is_not_removed(caller: Client, world: World) -> None:
    put(caller, node("ask", "approval"))
    send(caller, START, {"payload": ALERT, "definition": "mine"})
    world.work()
    told = send(caller, f"{DEFINITIONS}mine/", None, 409, "DELETE")
    assert (told["code"], "runs are walking mine" in told["message"]) == ("state", True)


def test_secrets_are_dots_and_dots_are_what_they_hid(caller: Client, world: World) -> None:
    ask = node("ask", "http", "look", config={
        "url": world.receiver.url, "headers": {"Authorization": f"Bearer {SECRET}"}})  # fmt: skip
    options = {"url": world.receiver.url, "token": SECRET}
    look = node("look", "check", config={"checker": "http", "options": options})
    put(caller, ask, look)
    told = caller.get(f"{DEFINITIONS}mine/")
    assert SECRET not in told.content.decode() + caller.get(DEFINITIONS).content.decode()
    document = told.json()["definition"]
    assert document["nodes"][0]["config"]["headers"] == {"Authorization": "••••••"}
    document["nodes"][0]["config"]["method"] = "POST"
    assert send(caller, f"{DEFINITIONS}mine/validate/", document, 200) == {"valid": True, "problems": []}
    assert put(caller, *document["nodes"], status=200)["version"] == 2
    begun = send(caller, START, {"payload": ALERT, "definition": "mine"})
    world.work()
    asked, *_ = world.receiver.received
    assert (asked.method, asked.headers["authorization"]) == ("POST", f"Bearer {SECRET}")
    run = caller.get(begun["url"])
    assert (run.json()["state"], SECRET in run.content.decode()) == ("COMPLETED", False)
    document["nodes"][1]["id"] = document["nodes"][0]["next"] = "renamed"
    refused = send(caller, f"{DEFINITIONS}mine/", {"definition": document}, 400, "PUT")
    assert [(each["node"], each["field"]) for each in refused["problems"]] == [("renamed", "config")]


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (b"{", "payload", "the body cannot be used"),
        ([], "payload", "Expected `object`"),
        ({}, "payload", "object missing required field `definition`"),
        ({"definition": {"nodes": []}}, "definition", "nodes: "),
        ({"definition": 5}, "definition", "definition: "),
        ({"definition": SOUND, "priority": -1}, "payload", "priority: "),
        ({"definition": SOUND, "priority": "1"}, "payload", "priority: "),
        ({"definition": SOUND, "matchers": ["{"]}, "payload", "matchers: "),
        ({"definition": SOUND, "name": "b"}, "payload", "name: "),
        ({"definition": SOUND, "colour": 1}, "payload", "colour"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_not_put(caller: Client, given: Any, code: str, said: str) -> None:
    told = send(caller, f"{DEFINITIONS}mine/", given, 400, "PUT")
    assert (told["code"], said in told["message"]) == (code, True), told
    assert not PipelineDefinition.objects.filter(name="mine").exists()


def test_names_that_cannot_be(caller: Client) -> None:
    for name in ("%20a", "a" * 101, "a%0Ab"):
        given = {"definition": {"nodes": [node("a", "ingest")]}}
        assert "name: it must be" in send(caller, f"{DEFINITIONS}{name}/", given, 400, "PUT")["message"]
    assert send(caller, f"{DEFINITIONS}a%00b/", None, 404, "GET")["code"] == "unknown"


def test_validate_tells_all_that_is_wrong(caller: Client) -> None:
    wrong = {"nodes": [node("a", "ingest", "b"), node("c", "notify", config={"colour": 1}), node("d", "x")]}
    told = send(caller, f"{DEFINITIONS}new/validate/", wrong, 200)
    assert told["valid"] is False
    assert {(each["node"], each["field"]) for each in told["problems"]} == {
        ("a", "next"), ("c", "config.colour"), ("d", "type"),
    }  # fmt: skip
    assert all(each["message"] for each in told["problems"])
    assert send(caller, f"{DEFINITIONS}new/validate/", {"definition": wrong}, 200) == told
    assert send(caller, f"{DEFINITIONS}default/validate/", None, 200) == {"valid": True, "problems": []}
    assert send(caller, f"{DEFINITIONS}new/validate/", None, 404)["code"] == "unknown"
    assert not PipelineDefinition.objects.filter(name="new").exists()


def test_execute_runs_one_whatever_it_matches(caller: Client, world: World) -> None:
    put(caller, node("only", "ingest"), matchers=['alertname="Nothing"'], enabled=False)
    path = f"{DEFINITIONS}mine/execute/"
    with working(world):
        told = send(caller, path, {"payload": ALERT, "sync": True}, 200)
        again = send(caller, path, {"incident_id": world.incident().pk, "sync": True}, 200)
    assert [run["definition"] for run in told["runs"] + again["runs"]] == ["mine", "mine"]
    assert [run["reason"] for run in told["runs"] + again["runs"]] == ["fired", "manual"]
    assert send(caller, f"{DEFINITIONS}none/execute/", {"payload": ALERT}, 404)["code"] == "unknown"


def test_a_rehearsal_shows_each_node_and_does_nothing(caller: Client, world: World) -> None:
    world.channel()
    put(
        caller,
        node("bad", "condition", "ask", otherwise="tell", config={"matchers": ["severity=critical"]}),
        node("ask", "http", "tell", config={"url": world.receiver.url + "?{{ incident.title|urlencode }}",
                                            "headers": {"X-Key": SECRET}}),
        node("tell", "notify"),
    )  # fmt: skip
    path = f"{DEFINITIONS}mine/execute/"
    told = send(caller, path, {"payload": ALERT, "dry_run": True}, 200)
    [run] = told["runs"]
    assert (told["dry_run"], run["new_incident"], run["channels"]) == (True, True, ["hook"])
    assert [(stage["stage"], stage["exit"]) for stage in run["stages"]] == [
        ("bad", "next"), ("ask", "next"), ("tell", "next"),
    ]  # fmt: skip
    assert run["stages"][1]["input"]["url"].endswith("?DiskFull%20on%20db-1")
    assert SECRET not in str(told)
    assert not any(kind.objects.exists() for kind in (Alert, Incident, PipelineRun, Delivery))
    world.fire(severity="warning")
    world.work()
    before = PipelineRun.objects.count(), len(world.sent)
    told = send(caller, path, {"incident_id": world.incident().pk, "dry_run": True}, 200)
    assert [(stage["stage"], stage["exit"]) for stage in told["runs"][0]["stages"]] == [
        ("bad", "otherwise"), ("tell", "next"),
    ]  # fmt: skip
    assert (PipelineRun.objects.count(), len(world.sent)) == before


# Who may.


@pytest.mark.parametrize("scope", ["", "ingest", "read"])
def test_who_may(client: Client, world: World, scope: str) -> None:
    definitions.put(name="mine", document={"nodes": [node("a", "ingest")]}, now=world.now)
    status = 403 if scope else 401
    if scope:
        holder(client, scope)
    looks = [("GET", "/orchestration/pipelines/"), ("GET", f"{START}x/"), ("GET", DEFINITIONS),
             ("GET", f"{DEFINITIONS}mine/"), ("POST", f"{DEFINITIONS}mine/validate/")]  # fmt: skip
    acts = [("POST", START), ("POST", SYNC), ("POST", f"{START}x/resume/"), ("POST", f"{START}x/approve/"),
            ("PUT", f"{DEFINITIONS}mine/"), ("DELETE", f"{DEFINITIONS}mine/"),
            ("POST", f"{DEFINITIONS}mine/execute/")]  # fmt: skip
    for method, path in looks:
        answer = client.generic(method, path)
        assert (answer.status_code in (200, 404)) is (scope == "read"), (method, path, answer.content)
    for method, path in acts:
        assert client.generic(method, path, b"{}", "application/json").status_code == status, (method, path)
    assert definitions.named("mine").version == 1


def test_methods(caller: Client) -> None:
    for method, path in (("GET", START), ("GET", SYNC), ("POST", "/orchestration/pipelines/"),
                         ("POST", f"{DEFINITIONS}a/"), ("GET", f"{DEFINITIONS}a/execute/")):  # fmt: skip
        assert caller.generic(method, path).status_code == 405, (method, path)
