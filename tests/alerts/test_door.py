"""What the ways in answer, and what is stored by then."""

import pytest
from django.db import connection

from tests.asgi import Request
from tests.doorway import ALERTMANAGER, ANY, API, GENERIC, Doorway, doorway
from tocsin.alerts.models import Alert, AlertHistory

FIRING = {"name": "HighCPU", "labels": {"instance": "web-1"}, "severity": "critical"}


def test_an_accepted_alert_is_on_disk_when_the_answer_comes(door: Doorway) -> None:
    answer = door.post(FIRING, headers={"X-Correlation-Id": "deploy-4711"})
    assert answer.status == 202
    assert answer.json == {"status": "accepted", "trace_id": "deploy-4711", "alerts": 1}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-correlation-id"] == "deploy-4711"
    assert Alert.objects.get().name == "HighCPU"
    assert AlertHistory.objects.get().trace_id == "deploy-4711"
    assert door.rings == 1, "the worker is woken"


@pytest.mark.parametrize("given", ["", "x" * 65, "with space", "line\x7fbreak", "наш", '"quoted"'])
def test_a_correlation_id_that_cannot_be_used_is_replaced(door: Doorway, given: str) -> None:
    answer = door.post(FIRING, headers={"X-Correlation-Id": given.encode().decode("latin-1")})
    trace = answer.headers["x-correlation-id"]
    assert (len(trace), answer.json["trace_id"]) == (32, trace)


def test_the_driver_is_found_from_the_payload(door: Doorway) -> None:
    door.post(FIRING, ANY)
    door.post({"receiver": "x", "groupKey": "k", "alerts": [{"labels": {"alertname": "Down"}}]}, ANY)
    assert sorted(Alert.objects.values_list("source", flat=True)) == ["alertmanager", "generic"]


def test_a_payload_of_no_driver_is_refused_with_what_would_do(door: Doorway) -> None:
    answer = door.post({"hello": "world"}, ANY)
    assert (answer.status, answer.json["code"]) == (400, "payload")
    assert '"name"' in answer.message


def test_the_path_needs_no_slash_at_its_end(door: Doorway) -> None:
    assert door.post(FIRING, "/alerts/webhook/generic").status == 202


def test_an_unknown_driver_is_a_404_that_names_the_known_ones(door: Doorway) -> None:
    answer = door.post(FIRING, "/alerts/webhook/nagiosxi/")
    assert answer.status == 404
    assert "nagiosxi" in answer.message
    assert "alertmanager" in answer.message


@pytest.mark.parametrize(
    "name", ["../generic", "..", "generic/../../etc", "gen\0eric", "__init__", "x" * 9000]
)
def test_a_driver_name_is_never_a_path(door: Doorway, name: str) -> None:
    answer = door.post(FIRING, f"/alerts/webhook/{name}/")
    assert answer.status == 404
    assert len(answer.body) < 1000
    assert not Alert.objects.exists()


@pytest.mark.parametrize("path", [ANY, GENERIC, ALERTMANAGER])
def test_a_get_tells_whether_a_way_in_is_ready(door: Doorway, path: str) -> None:
    answer = door.call(Request(path, method="GET", headers={"X-Correlation-Id": "probe-1"}))
    assert (answer.status, answer.json["status"]) == (200, "ready")
    assert "generic" in answer.json["drivers"]
    assert answer.headers["x-correlation-id"] == "probe-1"
    assert door.call(Request(path, method="HEAD")).status == 200
    assert door.call(Request("/alerts/webhook/nope/", method="GET")).status == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_refused_with_those_that_are_allowed(door: Doorway, method: str) -> None:
    answer = door.call(Request(GENERIC, [b'{"name":"x"}'], method=method))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=x", "image/png", "application/pdf", "nonsense"]
)
def test_other_content_types_are_refused(door: Doorway, kind: str) -> None:
    answer = door.post(FIRING, headers={"Content-Type": kind})
    assert (answer.status, answer.json["code"]) == (415, "content_type")
    assert "application/json" in answer.message


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/cloudevents+json"]
)
def test_json_that_calls_itself_something_else_is_taken(door: Doorway, kind: str) -> None:
    assert door.post(FIRING, headers={"Content-Type": kind}).status == 202


def test_reading_alerts_over_the_api_is_not_for_the_door(door: Doorway) -> None:
    assert not door.door.matches(Request(API, method="GET").scope())
    assert not door.door.matches(Request("/incidents/").scope())


def test_the_api_answers_as_alertmanager_does(door: Doorway) -> None:
    answer = door.post([{"labels": {"alertname": "Down"}}], API, {"X-Correlation-Id": "t1"})
    assert (answer.status, answer.body, answer.headers["x-correlation-id"]) == (200, b"", "t1")
    assert Alert.objects.get().source == "prometheus"

    assert door.post([], API).status == 200
    assert door.post([{"labels": {"alertname": "V1"}}], "/api/v1/alerts").status == 200
    assert door.post([{"labels": {}}], API).json == "at least one label pair required"
    backwards = {"startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z"}
    refused = door.post([{"labels": {"alertname": "x"}, **backwards}], API)
    assert (refused.status, refused.json) == (400, "start time must be before end time")
    for body in (
        b"not json",
        b"{}",
        b'[{"labels":{"n":5}}]',
        b'[{"labels":{"a":"b"},"startsAt":"yesterday"}]',
    ):
        refused = door.post(body, API)
        assert (refused.status, refused.json["code"]) == (400, 400)
    for kind in ("", "text/plain", "application/x-www-form-urlencoded"):
        refused = door.post([], API, {"Content-Type": kind})
        assert (refused.status, refused.json["code"]) == (415, 415)
    assert door.post([], API, {"Content-Type": "application/json; charset=utf-8"}).status == 200


def test_the_api_keeps_the_good_alerts_of_a_refused_list(door: Doorway) -> None:
    answer = door.post([{"labels": {"alertname": "good"}}, {"labels": {"alertname": ""}}], API)
    assert (answer.status, answer.json) == (400, "at least one label pair required")
    assert Alert.objects.get().name == "good"


def test_an_api_refusal_stays_short_however_long_the_list(door: Doorway) -> None:
    answer = door.post([{"labels": {}}] * 5000, API)
    assert answer.status == 400
    assert answer.json.endswith("and 4900 more")


def test_one_bad_alert_among_two_hundred_is_named_and_costs_only_itself(door: Doorway) -> None:
    alerts: list[object] = [{"labels": {"alertname": "A", "n": str(n)}} for n in range(200)]
    alerts[17] = {"labels": {"alertname": "A", "n": 17}}  # its value is a number
    alerts[120] = {"labels": {"alertname": "A", "": "no name"}}
    answer = door.post({"alerts": alerts}, ALERTMANAGER)
    assert (answer.status, answer.json["alerts"], answer.json["refused"]) == (202, 198, 2)
    assert [error["index"] for error in answer.json["errors"]] == [17, 120]
    assert "int" in answer.json["errors"][0]["message"]
    assert Alert.objects.count() == 198


def test_an_alert_a_thousand_times_in_one_post_is_one_alert(door: Doorway) -> None:
    assert door.post([FIRING] * 1000).json["alerts"] == 1000
    assert (Alert.objects.count(), AlertHistory.objects.count()) == (1, 1)


def test_a_post_of_too_many_alerts_keeps_what_the_bound_allows(door: Doorway) -> None:
    answer = door.post([{"name": "Many", "labels": {"n": n}} for n in range(20_002)])
    assert (answer.status, answer.json["alerts"], answer.json["refused"]) == (202, 20_000, 2)
    assert answer.json["errors"][0]["index"] == 20_000
    assert "more than 20000 alerts" in answer.json["errors"][0]["message"]
    assert Alert.objects.count() == 20_000


def test_posts_at_the_same_moment_are_each_answered(door: Doorway) -> None:
    bodies = [b'{"name":"N%d"}' % n for n in range(50)]
    answers = door.call_all(*(Request(GENERIC, [body]) for body in [*bodies, b"not json"]))
    assert [answer.status for answer in answers] == [202] * 50 + [400]
    assert Alert.objects.count() == 50


def test_when_too_much_waits_for_the_disk_senders_are_told_to_come_back(transactional_db: None) -> None:
    body = b"[" + b",".join(b'{"name":"N%d"}' % n for n in range(8)) + b"]"
    with doorway(limit=10) as door:
        first, second = door.call_all(Request(GENERIC, [body]), Request(GENERIC, [body]))
        assert (first.status, second.status) == (202, 503)
        assert int(second.headers["retry-after"]) >= 1
        assert second.json["code"] == "unavailable"
        assert Alert.objects.count() == 8
        door.still_works()


def test_one_post_may_be_larger_than_the_queue(transactional_db: None) -> None:
    with doorway(limit=10) as door:
        assert door.post([{"name": f"N{n}"} for n in range(30)]).json["alerts"] == 30


def test_a_database_that_cannot_be_written_is_a_503_and_nothing_is_half_stored(door: Doorway) -> None:
    _rename("alerts_alerthistory", "away")
    try:
        for path, payload in ((GENERIC, FIRING), (API, [{"labels": {"alertname": "x"}}])):
            answer = door.post(payload, path)
            assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    finally:
        _rename("away", "alerts_alerthistory")
    assert not Alert.objects.exists()
    door.still_works()


def _rename(table: str, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {name}")
