"""What karma, Grafana and others ask of an Alertmanager: a real one and Tocsin answer the same.

Where Tocsin differs on purpose: an alert that is posted with an end alone begins now rather than at
that end; names of labels and of matchers may be any text, as in later versions of Alertmanager.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.installed import require
from tests.real.contract import Pair, pair

pytestmark = pytest.mark.real

UNKNOWN: Final = "11111111-1111-1111-1111-111111111111"
EXAMPLE: Final = {"createdBy": "bo", "comment": "repair"}


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="milliseconds")


def alerts() -> list[dict[str, Any]]:
    """Seven that fire, in six groups, and one that is over."""
    began, ends = at(-2), at(5)
    times = {"startsAt": began, "endsAt": ends}
    link = {"generatorURL": "http://prometheus:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1"}
    told = {"summary": "web-1 is down", "runbook_url": "https://wiki.example.net/down"}
    down = {"alertname": "Down", "severity": "critical"}
    return [
        {"labels": {**down, "instance": "web-1"}, "annotations": told, **times, **link},
        {"labels": {**down, "instance": "web-2", "disk": "sda"}, **times},
        {"labels": {**down, "instance": "web-2", "severity": "warning"}, "startsAt": began},
        {"labels": {"alertname": "Full", "team": "db", "empty": ""}, **times},
        {
            "labels": {"alertname": "Quiet", "instance": "db-1", "team": "db"},
            "annotations": {"a": ""},
            **times,
        },
        {"labels": {"alertname": "Störung", "instance": 'a"b\\c\nd'}, **times},
        {"labels": {"job": "batch"}, **times},
        {"labels": {"alertname": "Over", "instance": "web-1"}, "startsAt": at(-3), "endsAt": at(-2)},
    ]


def silence(*matchers: str, **given: Any) -> dict[str, Any]:
    """A silence as Grafana posts it; a matcher is a name, an operator and a value."""
    found = [re.fullmatch(r"(\w+)(=~|!~|!=|=)(.*)", text, re.S) for text in matchers]
    shapes = [
        {"name": match[1], "value": match[3], "isRegex": "~" in match[2], "isEqual": match[2][0] == "="}
        for match in found
        if match
    ]
    return {"matchers": shapes, "startsAt": at(-1), "endsAt": at(9), **EXAMPLE, **given}


@pytest.fixture(scope="module", params=[False, True], ids=["open", "guarded"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("contract"), guarded=request.param) as found:
        posted = found.agree("POST", "/api/v2/alerts", alerts())
        assert (posted.status, posted.body) == (200, "")
        found.silence("quiet", silence("alertname=Quiet"))
        found.silence("again", silence("alertname=~Qui.*", "instance!=web-1", endsAt=at(4)))
        found.silence("later", silence("alertname=~.+", 'team!~"x"', startsAt=at(2)))
        found.silence("sooner", silence("alertname=~.+", startsAt=at(1)))
        found.silence("over", silence("alertname=Down"))
        found.agree("DELETE", "/api/v2/silence/<over>")
        found.settle(groups=12)
        yield found


# What is asked for, and how many are found; with those of the two channels a group counts twice.
ALERTS: Final = {
    "": 7,
    'filter=alertname="Down"&silenced=true&active=true&inhibited=true': 3,
    "silenced=false": 6,
    "active=false": 1,
    "active=false&silenced=false": 0,
    "inhibited=false": 7,
    "unprocessed=false": 7,
    "active=maybe": 1,
    "active=": 7,
    "active=1&silenced=0": 6,
    "active=T&silenced=FALSE": 6,
    "filter=alertname=Down": 3,
    "filter=alertname==Down": 0,
    "filter=alertname=~D.*": 3,
    "filter=alertname=~ow": 0,
    'filter=alertname!~"D.*|Qu.et"': 3,
    'filter=instance!="web-2"': 5,
    'filter=instance=""': 2,
    'filter=instance!=""': 5,
    'filter=instance=~""': 2,
    'filter=instance=~".*"': 6,  # a dot is any letter but the end of a line
    "filter=instance=~.+&filter=severity=critical": 2,
    'filter=severity=""&filter=team=db': 2,
    "filter=alertname=Störung": 1,
    'filter=instance="a\\"b\\\\c\\nd"': 1,
    "filter= alertname = Down ": 3,
    "receiver=ops": 7,
    "receiver=o.s|x": 7,
    "receiver=op": 0,
    "receiver=": 7,
    "receiver=ops&filter=alertname=Full&silenced=false": 1,
    "ruleMetadata=true&accesscontrol=true": 7,
}
GROUPS: Final = {
    "": 12,
    'filter=alertname="Down"&silenced=true&active=true&inhibited=true': 4,
    "filter=disk=sda": 2,
    "filter=alertname=None": 0,
    "silenced=false": 10,
    "active=false": 2,
    "inhibited=false&muted=false": 12,
    "receiver=chat": 6,
    "receiver=chat&filter=alertname=Down": 2,
    "receiver=.*": 12,
    "receiver=none": 0,
}


def query(text: str) -> str:
    return f"?{quote(text, safe='=&')}" if text else ""


@pytest.mark.parametrize("asked", ALERTS, ids=str)
def test_alerts(both: Pair, asked: str) -> None:
    assert len(both.agree("GET", f"/api/v2/alerts{query(asked)}").body) == ALERTS[asked]


@pytest.mark.parametrize("asked", GROUPS, ids=str)
def test_groups(both: Pair, asked: str) -> None:
    found = both.agree("GET", f"/api/v2/alerts/groups{query(asked)}").body
    assert len(found) == GROUPS[asked]
    assert all(group["alerts"] for group in found)


@pytest.mark.parametrize("asked", [
    "", "filter=alertname=Quiet", 'filter=alertname="Quiet"', "filter=alertname=~Quiet",
    "filter=alertname=~.%2B",
    "filter=instance!=web-1", "filter=alertname=~Qui.*&filter=instance!=web-1", "filter=nothing=x",
    "ruleMetadata=true&accesscontrol=true",
], ids=str)  # fmt: skip
def test_silences(both: Pair, asked: str) -> None:
    assert isinstance(both.agree("GET", f"/api/v2/silences{asked and '?' + asked}").body, list)


@pytest.mark.parametrize("name", ["quiet", "again", "later", "sooner", "over"])
def test_one_silence(both: Pair, name: str) -> None:
    assert both.agree("GET", f"/api/v2/silence/<{name}>").body["id"] == f"<{name}>"


def test_receivers(both: Pair) -> None:
    assert both.agree("GET", "/api/v2/receivers").body == [{"name": "ops"}, {"name": "chat"}]


def test_status(both: Pair) -> None:
    said, ours = both.ask("GET", "/api/v2/status")
    for answer in (said, ours):
        for told in (answer.body["versionInfo"], answer.body["config"]):
            assert set(map(type, told.values())) == {str}
            told.update(dict.fromkeys(told, ""))
    assert ours == said
    assert said.body["uptime"] == "about now"


def test_the_version_that_karma_reads_of_the_metrics(both: Pair) -> None:
    for server in (both.original, both.ours):
        status, media_type, text = server.open("GET", "/metrics")
        assert (status, media_type) == (200, "text/plain")
        # karma's parser, which takes less than Prometheus' own; with 3 it found but fault with names.
        checked = subprocess.run(
            [require("promtool"), "check", "metrics"],
            input=text,
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert checked.returncode in (0, 3), checked.stderr
        families = {family.name: family for family in text_string_to_metric_families(text.decode())}
        [built] = families["alertmanager_build_info"].samples
        version = server.ask("GET", "/api/v2/status").body["versionInfo"]["version"]
        assert (built.labels["version"], built.value) == (version, 1)


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/api/v2/alerts?filter=bad!"),
    ("GET", "/api/v2/alerts?filter="),
    ("GET", '/api/v2/alerts?filter=a="b'),
    ("GET", "/api/v2/alerts?filter=a=~("),
    ("GET", "/api/v2/alerts?receiver=("),
    ("GET", "/api/v2/alerts/groups?filter=bad!"),
    ("GET", "/api/v2/alerts/groups?receiver=("),
    ("GET", "/api/v2/silences?filter=bad!"),
    ("GET", "/api/v2/silence/nope"),
    ("GET", f"/api/v2/silence/{UNKNOWN}"),
    ("DELETE", f"/api/v2/silence/{UNKNOWN}"),
    ("DELETE", "/api/v2/silence/nope"),
    ("GET", "/api/v2/nothing"),
    ("PUT", "/api/v2/alerts"),
    ("DELETE", "/api/v2/silences"),
    ("POST", "/api/v2/status"),
    ("GET", "/-/healthy"),
    ("GET", "/-/ready"),
    ("HEAD", "/-/ready"),
])  # fmt: skip
def test_what_cannot_be_answered(both: Pair, method: str, path: str) -> None:
    both.agree(method, path.replace('"', "%22"))


def test_grafana_takes_it_for_an_alertmanager(both: Pair) -> None:
    """Its health check: what only Mimir has must not be there."""
    # It hands on its users' requests as a proxy does, and so needs a key on loopback too.
    headers = {"User_Agent": "Grafana/12.3.0"} | ({"X_Forwarded_For": "192.0.2.7"} if both.guarded else {})
    for path in ("/api/v1/status/buildinfo", "/alertmanager/api/v2/status"):
        said, ours = both.ask("GET", path, **headers)
        assert (said.status, ours.status) == (404, 404), path
    assert both.ask("GET", "/api/v2/status", **headers)[1].status == 200


def test_a_slash_at_the_end_does_not_matter(both: Pair) -> None:
    for path in ("/api/v2/alerts/", "/api/v2/silences/", "/api/v2/receivers/", "/api/v2/alerts/groups/"):
        assert both.agree("GET", path).status == 200
    assert both.agree("POST", "/api/v2/alerts/", []).status == 200


GOOD: Final = {
    "labels": {"alertname": "Gone"},
    "startsAt": "2026-01-01T00:00:00Z",
    "endsAt": "2026-01-01T01:00:00Z",
}


@pytest.mark.parametrize("posted", [
    b"", b"x", b"{}", b"[", b"null", [], [{}], [{"labels": {}}], [{"labels": {"a": ""}}],
    [{"labels": {"a": 5}}], [{"labels": None}], [GOOD, {"labels": None}],
    [GOOD, {"labels": {}}, {"labels": {"a": ""}}],
    [{"labels": {"a": "b"}, "startsAt": "yesterday"}],
    [{"labels": {"a": "b"}, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2025-01-01T00:00:00Z"}],
    [{"labels": {"a": "b"}, "generatorURL": "bad url"}], [{"labels": {"a": "b"}, "annotations": {"a": 5}}],
    [GOOD | {"startsAt": "0001-01-01T00:00:00.000Z", "generatorURL": "", "more": [1]}],
], ids=lambda posted: json.dumps(posted) if isinstance(posted, list) else repr(posted))  # fmt: skip
def test_posting_alerts(both: Pair, posted: Any) -> None:
    assert both.agree("POST", "/api/v2/alerts", posted).status in (200, 400, 422)


def test_another_content_type(both: Pair) -> None:
    for path in ("/api/v2/alerts", "/api/v2/silences"):
        for kind in ("text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded"):
            both.agree("POST", path, b"[]" if path.endswith("alerts") else b"{}", Content_Type=kind)


def test_a_silence_from_its_making_to_its_end(both: Pair) -> None:
    given = silence("service=shop", 'region=~"eu|us"', "stage!=dev")
    both.silence("mine", given)
    made = both.agree("GET", "/api/v2/silence/<mine>").body
    assert (made["status"], made["startsAt"]) == ({"state": "active"}, "about now")

    assert _changed(both, "mine", comment="longer", endsAt=at(10)) == {"silenceID": "<mine>"}
    assert both.agree("GET", "/api/v2/silence/<mine>").body["comment"] == "longer"
    assert _changed(both, "mine", matchers=given["matchers"][:1]) == {"silenceID": "<an id>"}
    assert both.agree("GET", "/api/v2/silence/<mine>").body["status"] == {"state": "expired"}
    for _ in range(2):
        assert both.agree("DELETE", "/api/v2/silence/<mine>").status == 200
    assert _changed(both, "mine", endsAt=at(5)) == {"silenceID": "<an id>"}

    both.silence("ahead", silence("service=shop", startsAt=at(3)))
    assert _changed(both, "ahead", startsAt=at(2.5)) == {"silenceID": "<ahead>"}
    assert both.agree("GET", "/api/v2/silence/<ahead>").body["status"] == {"state": "pending"}
    both.agree("DELETE", "/api/v2/silence/<ahead>")
    assert both.agree("GET", "/api/v2/silence/<ahead>").body["startsAt"] == "about now"
    both.agree("GET", "/api/v2/silences")


def _changed(both: Pair, name: str, **changes: Any) -> Any:
    """What both answer to a silence that is posted again as each of them gave it, but for the changes."""
    answers = []
    for server in (both.original, both.ours):
        [number] = [number for number, known in server.names.items() if known == name]
        kept = json.loads(server.open("GET", f"/api/v2/silence/{number}")[2])
        answers.append(server.ask("POST", "/api/v2/silences", kept | changes))
    assert answers[1] == answers[0]
    return answers[0].body


WRONG: Final[list[Any]] = [
    b"", b"x", b"[]", {}, {"matchers": []}, {"matchers": None}, {"comment": None}, {"createdBy": None},
    {"startsAt": None}, {"endsAt": None}, {"endsAt": "soon"}, {"comment": 5}, {"comment": ""},
    {"createdBy": ""},
    {"matchers": [{"name": "a", "value": "b"}]}, {"matchers": [{"value": "b", "isRegex": False}]},
    {"matchers": [{"name": "", "value": "b", "isRegex": False}]},
    {"matchers": [{"name": "a", "value": "", "isRegex": False}]},
    {"matchers": [{"name": "a", "value": ".*", "isRegex": True}]},
    {"matchers": [{"name": "a", "value": "(", "isRegex": True}]},
    {"startsAt": "2019-01-01T00:00:00Z", "endsAt": "2020-01-01T00:00:00Z"},
    {"endsAt": "2020-01-01T00:00:00Z"},
    {"id": "nope"}, {"id": UNKNOWN}, {"id": ""},
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG, ids=lambda change: repr(change))
def test_silences_that_cannot_be(both: Pair, change: Any) -> None:
    if change and isinstance(change, dict):
        given = silence("service=shop") | change
        change = {name: value for name, value in given.items() if value is not None}
    both.agree("POST", "/api/v2/silences", change)


def test_both_are_closed_to_who_has_no_password(both: Pair) -> None:
    for path in ("/api/v2/alerts", "/api/v2/silences", "/api/v2/status", "/api/v2/alerts/groups", "/metrics"):
        for wrong in ("", "Basic Z3JhZmFuYTp3cm9uZw=="):
            said, ours = both.ask("GET", path, Authorization=wrong)
            if wrong and ours.status == 403:  # we tell a wrong key from none
                ours = ours._replace(status=401)
            assert said.status == ours.status
