"""Alertmanager's API: what a real one answers (measured on 0.25) is what is answered here."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.test import AsyncClient, Client

from tests.doorway import API, Doorway, doorway
from tests.world import World
from tocsin.accounts import services as accounts
from tocsin.alerts.models import Alert, Silence
from tocsin.api import prefix
from tocsin.api.alertmanager import configuration, reading
from tocsin.core import clock

UNKNOWN = "11111111-1111-1111-1111-111111111111"
MATCHER = {"name": "instance", "value": "web-1", "isRegex": False}


@pytest.fixture
def now(world: World) -> World:
    """A world whose clock is the wall's, as the API asks that one."""
    world.now = clock.now()
    return world


@pytest.fixture
def door(transactional_db: None) -> Iterator[Doorway]:
    with doorway() as way:
        yield way


def silence(**changed: Any) -> dict[str, Any]:
    """A good silence as amtool posts it."""
    given = {
        "matchers": [MATCHER],
        "startsAt": clock.now().isoformat(),
        "endsAt": (clock.now() + timedelta(hours=1)).isoformat(),
        "createdBy": "bo",
        "comment": "repair",
    }
    return {name: value for name, value in (given | changed).items() if value is not None}


def put(client: Client, given: Any, **more: Any) -> Any:
    body = given if isinstance(given, bytes) else msgspec.json.encode(given)
    return client.post(
        "/api/v2/silences", body, content_type="application/json", CONTENT_TYPE="application/json", **more
    )


def made(client: Client, **changed: Any) -> str:
    answer = put(client, silence(**changed))
    assert answer.status_code == 200, answer.content
    found: str = answer.json()["silenceID"]
    return found


def named(client: Client, path: str) -> list[str]:
    return [alert["labels"]["alertname"] for alert in client.get(path).json()]


# Posting alerts.


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        (b"", 422, {"code": 602, "message": "alerts in body is required"}),
        (b"[{}]", 422, {"code": 602, "message": "0.labels in body is required"}),
        (
            b'[{"labels":{"a":"b"}},{"labels":null}]',
            422,
            {"code": 602, "message": "1.labels in body is required"},
        ),
        (
            b'[{"labels":{"a":"b"},"generatorURL":"bad url"}]',
            422,
            {"code": 601, "message": '0.generatorURL in body must be of type uri: "bad url"'},
        ),
        (b'[{"labels":{}},{"labels":{"a":""}}]', 400, "; ".join(["at least one label pair required"] * 2)),
    ],
)  # fmt: skip
def test_bad_posts_are_told_as_measured(door: Doorway, body: bytes, status: int, answer: object) -> None:
    told = door.post(body, API)
    assert (told.status, told.json) == (status, answer)


@pytest.mark.parametrize(
    "body", [b"{}", b"x", b'[{"labels":{"a":5}}]', b'[{"labels":{"a":"b"},"startsAt":"yesterday"}]']
)
def test_what_cannot_be_parsed_is_told_with_its_code(door: Doorway, body: bytes) -> None:
    told = door.post(body, API)
    assert (told.status, told.json["code"]) == (400, 400)
    assert told.message.startswith('parsing alerts body from "" failed, because ')


def test_alerts_that_break_the_schema_cost_only_themselves(door: Doorway) -> None:
    assert door.post(b'[{"labels":{"alertname":"good"}},{}]', API).status == 422
    assert Alert.objects.get().name == "good"


def test_another_content_type_is_named(door: Doorway) -> None:
    told = door.post(b"[]", API, {"Content-Type": "text/plain"})
    expected = 'unsupported media type "text/plain", only [application/json] are allowed'
    assert (told.status, told.json) == (415, {"code": 415, "message": expected})


def test_an_empty_list_of_gos_is_one(door: Doorway) -> None:
    assert door.post(b"null", API).status == 200


@pytest.mark.parametrize("link", ["/x", "http://prometheus:9090/graph?g0.expr=up%3D%3D0", "urn:x"])
def test_links_that_are_some_are_taken(door: Doorway, link: str) -> None:
    assert door.post([{"labels": {"a": "b"}, "generatorURL": link}], API).status == 200


# Reading alerts.


def test_an_alert_in_full(client: Client, now: World) -> None:
    now.channel("ops")
    ends_at = now.now + timedelta(minutes=4)
    labels = {"alertname": "Down", "foo": "bar"}
    link = {"generatorURL": "http://p/graph", "endsAt": ends_at.isoformat()}
    now.post([{"labels": labels, "annotations": {"summary": "it is"}, **link}], "prometheus")
    [alert] = client.get("/api/v2/alerts").json()
    row = Alert.objects.get()
    assert alert["labels"] == labels
    assert alert["annotations"] == {"summary": "it is"}
    assert alert["fingerprint"] == row.fingerprint
    assert alert["receivers"] == [{"name": "ops"}]
    assert alert["status"] == {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}
    assert alert["generatorURL"] == "http://p/graph"
    assert alert["startsAt"] == f"{row.started_at:%Y-%m-%dT%H:%M:%S}.{row.started_at.microsecond // 1000:03}Z"
    assert alert["endsAt"][:19] == ends_at.isoformat()[:19]
    assert alert["updatedAt"][-1] == "Z"


def test_an_alert_of_another_source_has_a_name_and_an_end_ahead(client: Client, now: World) -> None:
    now.fire()
    [alert] = client.get("/api/v2/alerts").json()
    assert alert["labels"] == {"alertname": "HighCPU", "instance": "web-1"}
    assert alert["endsAt"] > alert["startsAt"]
    assert "generatorURL" not in alert
    assert alert["receivers"] == [{"name": "nobody"}]


def test_what_is_over_is_not_given(client: Client, now: World) -> None:
    now.fire()
    now.resolve()
    past = (now.now + timedelta(milliseconds=1)).isoformat()
    now.post([{"labels": {"alertname": "Silent"}, "endsAt": past}], "prometheus")
    assert named(client, "/api/v2/alerts") == []


def test_alerts_are_filtered(client: Client, now: World) -> None:
    now.channel("ops")
    for instance in ("web-1", "web-2", "db-1"):
        now.fire("A" + instance, instance)
    now.fire("Silenced", "web-9")
    made(client, matchers=[{"name": "alertname", "value": "Silenced", "isRegex": False}])

    def found(query: str) -> set[str]:
        return set(named(client, f"/api/v2/alerts?{query}"))

    assert found('filter=instance=~"web-.*"&filter=instance!=web-2') == {"Aweb-1", "Silenced"}
    assert found("filter=instance==x") == set()
    assert found("filter=missing=") == {"Aweb-1", "Aweb-2", "Adb-1", "Silenced"}
    assert found("active=false") == {"Silenced"}
    assert found("silenced=false") == {"Aweb-1", "Aweb-2", "Adb-1"}
    assert found("active=false&silenced=false") == set()
    assert found("active=true&inhibited=true&silenced=true&unprocessed=true") == found("")
    assert found("active=maybe") == {"Silenced"}
    assert found("active=") == found("")
    assert found("receiver=op.") == found("")
    assert found("receiver=op") == set()


@pytest.mark.parametrize("path", ["alerts", "alerts/groups"])
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("filter=bad!", "bad matcher format: bad!"),
        ("filter=a=~(", "error parsing regexp: missing ): (: `^(?:()$`"),
        ("receiver=(", "failed to parse receiver param: '(' is no regular expression"),
    ],
)
def test_bad_questions_are_told_in_one_text(
    client: Client, db: None, path: str, query: str, said: str
) -> None:
    answer = client.get(f"/api/v2/{path}?{query}")
    assert (answer.status_code, answer.json()) == (400, said)


def test_a_new_silence_shows_at_once(client: Client, now: World) -> None:
    now.fire()
    ids = {made(client), made(client, comment="again")}
    [alert] = client.get("/api/v2/alerts").json()
    assert alert["status"]["state"] == "suppressed"
    assert set(alert["status"]["silencedBy"]) == ids


def test_groups(client: Client, now: World) -> None:
    now.channel("ops")
    now.channel("chat")
    for disk in ("sda", "sdb"):
        now.post({"name": "DiskFull", "labels": {"instance": "db-1", "disk": disk}})
    now.fire()
    groups = client.get("/api/v2/alerts/groups").json()
    told = [(g["receiver"]["name"], g["labels"], len(g["alerts"])) for g in groups]
    disks, cpu = {"alertname": "DiskFull", "instance": "db-1"}, {"alertname": "HighCPU", "instance": "web-1"}
    assert told == [("chat", disks, 2), ("ops", disks, 2), ("chat", cpu, 1), ("ops", cpu, 1)]
    assert groups[0]["alerts"][0]["receivers"] == [{"name": "chat"}, {"name": "ops"}]
    few = client.get("/api/v2/alerts/groups?receiver=chat&filter=disk=sda").json()
    assert [(g["receiver"]["name"], len(g["alerts"])) for g in few] == [("chat", 1)]
    assert few[0]["alerts"][0]["receivers"] == [{"name": "chat"}]
    assert client.get("/api/v2/alerts/groups?receiver=nobody").json() == []


def test_groups_with_fewer_labels_come_first(client: Client, now: World) -> None:
    for name, labels in (
        ("B", {"instance": "a"}),
        ("A", {"instance": "b"}),
        ("Z", {}),
        ("A", {"instance": "a"}),
    ):
        now.post({"name": name, "labels": labels})
    groups = client.get("/api/v2/alerts/groups").json()
    assert [" ".join(group["labels"].values()) for group in groups] == ["Z", "A a", "A b", "B a"]


async def test_many_alerts_are_sent_while_they_are_read(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", 3)
    when = clock.now()
    rows = [
        Alert(fingerprint=f"{n:016x}", name=f"N{n}", status="firing", severity="info", source="x",
              labels={"n": str(n % 4)}, started_at=when, seen_at=when)
        for n in range(20)
    ]  # fmt: skip
    await Alert.objects.abulk_create(rows)
    answer = await AsyncClient().get("/api/v2/alerts?filter=n!=3")
    assert answer.streaming
    found = msgspec.json.decode(b"".join([piece async for piece in answer]))
    assert [alert["fingerprint"] for alert in found] == [f"{n:016x}" for n in range(20) if n % 4 != 3]
    answer = await AsyncClient().get("/api/v2/alerts/groups")
    groups = msgspec.json.decode(b"".join([piece async for piece in answer]))
    assert len(groups) == 20


def test_other_methods_are_refused_with_those_that_are_allowed(client: Client, db: None) -> None:
    answer = client.put("/api/v2/alerts")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET,POST")
    assert answer.json() == {"code": 405, "message": "method PUT is not allowed, but [GET,POST] are"}
    assert client.head("/api/v2/alerts").status_code == 405
    assert client.put("/api/v2/silences").status_code == 405
    assert client.post(f"/api/v2/silence/{UNKNOWN}").status_code == 405


def test_a_path_that_is_not_there(client: Client) -> None:
    answer = client.get("/api/v2/nope")
    expected = {"code": 404, "message": "path /api/v2/nope was not found"}
    assert (answer.status_code, answer.json()) == (404, expected)


# Silences.


@pytest.mark.parametrize(
    ("given", "status", "answer"),
    [
        (b"", 422, {"code": 602, "message": "silence in body is required"}),
        (
            silence(matchers=[]),
            422,
            {"code": 612, "message": "matchers in body should have at least 1 items"},
        ),
        (silence(matchers=None), 422, {"code": 602, "message": "matchers in body is required"}),
        (silence(comment=None), 422, {"code": 602, "message": "comment in body is required"}),
        (silence(createdBy=None), 422, {"code": 602, "message": "createdBy in body is required"}),
        (silence(startsAt=None, endsAt=None), 422, {"code": 602, "message": "endsAt in body is required"}),
        (
            silence(matchers=[{"name": "a", "value": "b"}]),
            422,
            {"code": 602, "message": "matchers.0.isRegex in body is required"},
        ),
        (silence(endsAt="2020-01-01T00:00:00Z", startsAt="2019-01-01T00:00:00Z"), 400,
         "Failed to create silence: end time can't be in the past"),
        (silence(endsAt="2020-01-01T00:00:00Z"), 400,
         "Failed to create silence: start time must be before end time"),
        (silence(matchers=[{"name": "a", "value": ".*", "isRegex": True}]), 400,
         "silence invalid: at least one matcher must not match the empty string"),
        (silence(id="nope"), 404, "silence not found"),
        (silence(id=UNKNOWN), 404, "silence not found"),
    ],
)  # fmt: skip
def test_bad_silences_are_told_as_measured(
    client: Client, db: None, given: Any, status: int, answer: object
) -> None:
    told = put(client, given)
    assert (told.status_code, told.json()) == (status, answer)
    assert not Silence.objects.exists()


@pytest.mark.parametrize("given", [b"x", b"[]", silence(comment=5), silence(endsAt="soon")])
def test_silences_that_cannot_be_parsed(client: Client, db: None, given: Any) -> None:
    told = put(client, given)
    assert (told.status_code, told.json()["code"]) == (400, 400)
    assert told.json()["message"].startswith('parsing silence body from "" failed, because ')


def test_a_bad_pattern_is_told(client: Client, db: None) -> None:
    told = put(client, silence(matchers=[{"name": "a", "value": "(", "isRegex": True}]))
    assert told.status_code == 400
    said = 'silence invalid: invalid label matcher 0: invalid regular expression "(": error parsing regexp'
    assert told.json().startswith(said)


def test_a_silence_from_a_form_is_refused(client: Client, db: None) -> None:
    answer = client.post("/api/v2/silences", b"{}", content_type="text/plain")
    assert (answer.status_code, answer.json()["code"]) == (415, 415)


def test_a_silence_is_made_read_changed_and_ended(client: Client, db: None) -> None:
    number = made(client, startsAt="0001-01-01T00:00:00.000Z", annotations={"ticket": "OPS-1"})
    found = client.get(f"/api/v2/silence/{number}").json()
    assert found["status"] == {"state": "active"}
    assert found["matchers"] == [{**MATCHER, "isEqual": True}]
    assert (found["createdBy"], found["comment"]) == ("bo", "repair")
    assert found["annotations"] == {"ticket": "OPS-1"}
    assert client.get("/api/v2/silences").json() == [found]

    assert made(client, id=number, startsAt=found["startsAt"], comment="longer") == number
    assert client.get(f"/api/v2/silence/{number}").json()["comment"] == "longer"

    for _ in range(2):
        ended = client.delete(f"/api/v2/silence/{number}")
        assert (ended.status_code, ended.content) == (200, b"")
        assert "Content-Type" not in ended.headers
    assert client.get(f"/api/v2/silence/{number}").json()["status"] == {"state": "expired"}


def test_silences_that_are_not_there(client: Client, db: None) -> None:
    path = f"/api/v2/silence/{UNKNOWN}"
    answer = client.get(path)
    assert (answer.status_code, answer.content) == (404, b"")
    answer = client.delete(path)
    assert (answer.status_code, answer.json()) == (500, "silence not found")
    for answer in (client.get("/api/v2/silence/nope"), client.delete("/api/v2/silence/nope")):
        expected = {"code": 601, "message": 'silenceID in path must be of type uuid: "nope"'}
        assert (answer.status_code, answer.json()) == (422, expected)


def test_silences_are_listed_in_order_and_by_identical_matchers(client: Client, db: None) -> None:
    def at(hours: float) -> str:
        return (clock.now() + timedelta(hours=hours)).isoformat()

    expired = made(client)
    client.delete(f"/api/v2/silence/{expired}")
    pending = made(client, startsAt=at(1), endsAt=at(2))
    late, soon = made(client, endsAt=at(9)), made(client, endsAt=at(1))
    other = made(client, endsAt=at(10), matchers=[MATCHER, {**MATCHER, "name": "job"}])

    def ids(query: str = "") -> list[str]:
        return [found["id"] for found in client.get(f"/api/v2/silences?{query}").json()]

    assert ids() == [soon, late, other, pending, expired]
    assert ids("filter=job=web-1") == [other]
    assert ids('filter=instance=~"web-1"') == []
    assert ids("active=false") == [pending, expired]
    assert ids("active=false&pending=false") == [expired]
    assert client.get("/api/v2/silences?filter=bad!").json() == "bad matcher format: bad!"


# Status, receivers, the rest.


def test_status_says_what_clients_need(client: Client, now: World) -> None:
    now.channel("ops")
    found = client.get("/api/v2/status").json()
    assert found["cluster"] == {"status": "disabled", "peers": []}
    assert set(found["versionInfo"]) == {
        "version", "revision", "branch", "buildUser", "buildDate", "goVersion"
    }  # fmt: skip
    assert found["uptime"].endswith("Z")
    assert '- name: "ops"' in found["config"]["original"]
    assert now.receiver.url not in found["config"]["original"]
    assert client.get("/api/v2/receivers").json() == [{"name": "ops", "labels": {}}]


def test_several_channels_are_routes_that_all_match() -> None:
    text = configuration.original({1: "ops", 2: 'cha"t'}, ["alertname", "alertname"], 300, "http://here")
    assert 'group_by: ["alertname"]' in text
    assert '  - receiver: "cha\\"t"\n    continue: true' in text
    assert 'url: "http://here/channels/2/"' in text
    assert 'receiver: "nobody"' in configuration.original({}, [], 300, "http://here")


def test_version_1_is_gone_but_for_posting_alerts(client: Client, door: Doorway) -> None:
    for path in ("alerts", "silences", "status", "receivers", "alerts/groups", f"silence/{UNKNOWN}"):
        answer = client.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["status"]) == (410, "deprecated")
    assert door.post([{"labels": {"a": "b"}}], "/api/v1/alerts").status == 200


def test_probes_and_version(client: Client, transactional_db: None) -> None:
    for path in ("/-/healthy", "/-/ready"):
        answer = client.get(path, headers={"Host": "10.1.2.3:8420"})
        assert (answer.status_code, answer.content) == (200, b"OK")
    version = client.get("/api/v2/status").json()["versionInfo"]["version"]
    assert f'alertmanager_build_info{{version="{version}"}} 1.0' in client.get("/metrics").content.decode()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/am/api/v2/alerts", "/api/v2/alerts"),
        ("/a/b.c/api/v2/silence/x", "/api/v2/silence/x"),
        ("/am/api/v2/alerts/groups", "/api/v2/alerts/groups"),
        ("/am/api/v1/alerts", "/api/v1/alerts"),
        ("/am/api/v1/status", "/api/v1/status"),
        ("/am/api/v1/incidents/", "/am/api/v1/incidents/"),
        ("/am/-/ready", "/-/ready"),
        ("/am/metrics", "/metrics"),
        ("/api/v2/alerts", "/api/v2/alerts"),
        ("/api/v2/alerts/", "/api/v2/alerts"),
        ("/am/api/v2/silence/x/", "/api/v2/silence/x"),
        ("/v2/alerts/", "/v2/alerts/"),
        ("/v2/alerts", "/v2/alerts"),
        ("/am/v2/alerts", "/am/v2/alerts"),
        ("/alerts/webhook/", "/alerts/webhook/"),
        ("/", "/"),
    ],
)
def test_a_path_may_stand_before_the_api(path: str, expected: str) -> None:
    assert prefix.without({"type": "http", "path": path})["path"] == expected


@pytest.mark.parametrize(
    ("agent", "path", "expected"),
    [
        ("Grafana/12.3.0", "/alertmanager/api/v2/status", "/alertmanager/api/v2/status"),
        ("Grafana/12.3.0", "/am/alertmanager/api/v2/status", "/am/alertmanager/api/v2/status"),
        ("Grafana/12.3.0", "/am/api/v2/status", "/api/v2/status"),
        ("Grafana/12.3.0", "/alertmanager/api/v2/alerts", "/api/v2/alerts"),
        ("amtool", "/alertmanager/api/v2/status", "/api/v2/status"),
    ],
)
def test_what_grafana_takes_for_a_mimir_is_not_there(agent: str, path: str, expected: str) -> None:
    headers = [(b"host", b"tocsin"), (b"user-agent", agent.encode())]
    assert prefix.without({"type": "http", "path": path, "headers": headers})["path"] == expected


# Who may.


def _key(scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {accounts.create_api_key(name=scope, scope=scope, now=clock.now())}"}


@pytest.fixture
def proxied(db: None) -> dict[str, str]:
    """Headers of a request that a proxy brought, so that loopback opens nothing."""
    return {"X-Forwarded-For": "192.0.2.1"}


def test_beyond_loopback_reading_and_writing_need_keys(client: Client, proxied: dict[str, str]) -> None:
    keys = {scope: _key(scope) for scope in ("ingest", "read", "write")}
    expected = {
        "": (401, 401, 401),
        "ingest": (403, 403, 200),
        "read": (200, 403, 200),
        "write": (200, 200, 200),
    }
    for scope, statuses in expected.items():
        headers = {**proxied, **keys.get(scope, {})}
        found = (
            client.get("/api/v2/silences", headers=headers).status_code,
            put(client, silence(), headers=headers).status_code,
            client.get("/api/v2/status", headers=headers).status_code,
        )
        assert found == statuses, scope


def test_a_key_serves_as_password(client: Client, proxied: dict[str, str]) -> None:
    key = _key("write")["Authorization"].removeprefix("Bearer ")
    for given, status in ((key, 200), ("wrong", 403)):
        basic = base64.b64encode(f"анна:{given}".encode()).decode()
        headers = {**proxied, "Authorization": f"Basic {basic}"}
        assert client.get("/api/v2/alerts", headers=headers).status_code == status
    for header in ("Basic", "Basic !!!", "Basic ü"):
        headers = {**proxied, "Authorization": header}
        assert client.get("/api/v2/alerts", headers=headers).status_code == 401


def test_a_signed_in_browser_needs_its_token_to_silence(proxied: dict[str, str]) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(accounts.admin_user())
    proxys = {**proxied, "Authorization": f"Basic {base64.b64encode(b'a:b').decode()}"}
    for headers in (proxied, proxys):
        assert browser.get("/api/v2/silences", headers=headers).status_code == 200
        assert put(browser, silence(), headers=headers).status_code == 403
