"""Whatever comes to the door is answered with what is wrong, stores nothing, and moves nothing."""

import gzip
import zlib
from typing import Final

import msgspec
import pytest

from tests.asgi import Answer, Request
from tests.doorway import ALERTMANAGER, ANY, API, GENERIC, MAX_BYTES, Doorway
from tocsin.alerts.models import Alert

GZIP: Final = {"Content-Encoding": "gzip"}
PATHS: Final = (ANY, GENERIC, ALERTMANAGER, API)
NO_JSON: Final = {
    "empty": b"",
    "spaces": b" \n\t ",
    "text": b"it burns",
    "truncated": b'{"name":"x","labels":{"a":"b"',
    "trailing bytes": b'{"name":"x"} and more',
    "two values": b'{"name":"x"}{"name":"y"}',
    "single quotes": b"{'name':'x'}",
    "NaN": b'{"name":"x","value":NaN}',
    "Infinity": b'{"name":"x","value":-Infinity}',
    "1e400": b'{"name":"x","value":1e400}',
    "10,000 digits": b'{"name":"x","value":' + b"9" * 10_000 + b"}",
    "lone high surrogate": b'{"name":"\\ud800"}',
    "lone low surrogate": b'{"name":"x\\udc00"}',
    "surrogate in bytes": b'{"name":"\xed\xa0\x80"}',
    "invalid UTF-8": b'{"name":"\xff\xfe"}',
    "invalid UTF-8 in a name": b'{"\xff":"x","name":"x"}',
    "latin-1": '{"name":"für"}'.encode("latin-1"),
    "UTF-16": '{"name":"x"}'.encode("utf-16"),
    "UTF-32": '{"name":"x"}'.encode("utf-32"),
    "raw NUL": b'{"name":"a\0b"}',
    "raw line break": b'{"name":"a\nb"}',
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "100,000 levels unclosed": b'{"name":' * 100_000,
    "form": b"payload=%7B%22name%22%3A%22x%22%7D",
    "XML": b"<alert><name>x</name></alert>",
}
WRONG_SHAPE: Final = (b'"text"', b"5", b"null", b"true", b"[5]", b"[null]", b'["x"]', b"[[]]", b"{}", b"[{}]")
NO_TIMES: Final = (
    b'"yesterday"', b"true", b"{}", b"[]", b'"0000-01-01T00:00:00Z"', b'"99999-01-01T00:00:00Z"', b"1e308",
    b'"9999-12-31T23:59:59-05:00"', b'"9999-12-31T23:59:59Z"', b'"0002-01-01T00:00:00Z"', b"-1e308", b"1e20",
    b'"1969-12-31T00:00:00Z"', b'"2026-01-01T00:00:00+99:99"', b'"2026-02-30T00:00:00Z"', b"-99999999999999",
    b'"2026-01-01T25:00:00Z"', b"18446744073709551616", b"253402300799999", b"-1", b'"{EVENT.RECOVERY.DATE}"',
)  # fmt: skip
ODD_VALUES: Final = (
    "null", "true", "false", "0", "-5", "1.5", "1e308", "99999999999999999999", '""', '"text"', "[]", "[5]",
    "{}", '{"a":"b"}', '{"a":null}', '{"a":{"b":[1]}}', "[" * 200 + "]" * 200, '"\\u0000"',
    '"' + "x" * 70_000 + '"',
)  # fmt: skip


def _refused(answer: Answer, path: str) -> str:
    """The sentence of a refusal; asserts that it is one, in the shape of its way in."""
    assert answer.status in (400, 413, 415, 422), answer.body[:200]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-correlation-id"]
    if path == API:
        said: str = answer.json if isinstance(answer.json, str) else answer.message
    else:
        assert answer.json["status"] == "error"
        said = answer.message
    assert 3 < len(said) < 2000
    return said


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_json(door: Doorway, path: str, subtests: pytest.Subtests) -> None:
    for what, body in NO_JSON.items():
        with subtests.test(what):
            _refused(door.post(body, path), path)
    assert not Alert.objects.exists()
    door.still_works()


@pytest.mark.parametrize("path", PATHS)
def test_json_of_the_wrong_shape(door: Doorway, path: str, subtests: pytest.Subtests) -> None:
    for body in WRONG_SHAPE:
        with subtests.test(body.decode()):
            answer = door.post(body, path)
            if (path, body) == (API, b"null"):  # an Alertmanager takes it for an empty list
                assert (answer.status, answer.body) == (200, b"")
            else:
                _refused(answer, path)
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    "field", ["alerts", "labels", "annotations", "status", "startsAt", "endsAt", "fingerprint"]
)
def test_any_value_in_any_field_of_alertmanager(door: Doorway, field: str) -> None:
    for odd in ODD_VALUES:
        alert = {"labels": {"alertname": "x"}, "status": "firing"}
        holder = {"alerts": [alert]}
        (holder if field == "alerts" else alert)[field] = msgspec.Raw(odd.encode())  # type: ignore[index,assignment]
        assert door.post(holder, ALERTMANAGER).status in (202, 400), odd[:40]
        if field != "alerts":
            assert door.post([alert], API).status in (200, 400, 422), odd[:40]
    door.still_works()


@pytest.mark.parametrize(
    "field",
    ["name", "title", "labels", "annotations", "status", "state", "severity", "level", "timestamp",
     "ended_at", "url", "fingerprint", "message", "host", "alerts"],
)  # fmt: skip
def test_any_value_in_any_field_of_plain_json(door: Doorway, field: str) -> None:
    for odd in ODD_VALUES:
        answer = door.post({"name": "x", field: msgspec.Raw(odd.encode())})
        assert answer.status in (202, 400), odd[:40]
    door.still_works()


@pytest.mark.parametrize("path", [ALERTMANAGER, API])
def test_a_label_value_that_is_no_text_names_its_field(door: Doorway, path: str) -> None:
    for value in (b"5", b"null", b"true", b"1.5", b"{}", b"[]", b'{"a":"b"}', b'["a"]'):
        alerts = b'[{"labels":{"alertname":"x","bad":%b}}]' % value
        body = alerts if path == API else b'{"alerts":%b}' % alerts
        assert "labels" in _refused(door.post(body, path), path)


def test_a_time_that_is_none_names_itself(door: Doorway, subtests: pytest.Subtests) -> None:
    for when in NO_TIMES:
        alert = b'[{"labels":{"alertname":"x"},"startsAt":%b}]' % when
        with subtests.test(when.decode()):
            assert "time" in _refused(door.post(b'{"name":"x","started_at":%b}' % when), GENERIC)
            _refused(door.post(alert, API), API)
            _refused(door.post(b'{"alerts":%b}' % alert, ALERTMANAGER), ALERTMANAGER)
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-12:00"]
)
@pytest.mark.parametrize("path", [GENERIC, ALERTMANAGER, API])
def test_the_zero_time_means_not_given(door: Doorway, path: str, when: str) -> None:
    alert = {"labels": {"alertname": "x"}, "startsAt": when, "endsAt": when}
    door.post([alert] if path != ALERTMANAGER else {"alerts": [alert]}, path)
    assert Alert.objects.get().status == "firing"
    assert Alert.objects.get().started_at.year > 2000


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({f"l{n}": "v" for n in range(10_000)}, "10001 labels"),
        ({"": "nameless"}, "label name ''"),
        ({"a\nb": "v"}, "label name"),
        ({"x" * 300: "v"}, "label name"),
        ({"nul": "a\0b"}, "NUL"),
    ],
    ids=["10,000 labels", "no name", "line break in a name", "long name", "NUL"],
)
def test_labels_beyond_their_bounds(door: Doorway, labels: dict[str, str], said: str) -> None:
    labels = {"alertname": "x", **labels}
    assert said in _refused(door.post({"labels": labels}), GENERIC)
    assert said in _refused(door.post([{"labels": labels}], API), API)
    assert not Alert.objects.exists()


def test_values_that_are_too_long_are_cut_and_it_is_told(door: Doorway) -> None:
    alert = {"labels": {"alertname": "x", "big": "y" * 1_000_000}, "annotations": {"log": "z" * 70_000}}
    assert door.post(alert).status == 202
    stored = Alert.objects.get()
    assert stored.labels["big"] == "y" * 8_192
    assert stored.annotations["log"] == "z" * 65_536
    assert stored.annotations["tocsin_cut"] == (
        "label big cut from 1000000 to 8192 characters; annotation log cut from 70000 to 65536 characters"
    )
    assert door.post([alert], API).status == 200


@pytest.mark.parametrize(
    "payload", [{"name": "a\0b", "labels": {"alertname": "x"}}, {"name": "x", "url": "http://a\0"}]
)
def test_a_nul_outside_of_labels(door: Doorway, payload: dict[str, object]) -> None:
    assert "NUL" in _refused(door.post(payload), GENERIC)


def test_the_last_of_two_equal_keys_counts(door: Doorway) -> None:
    assert door.post(b'{"name":"first","name":"second"}').status == 202
    assert Alert.objects.get().name == "second"


def test_a_byte_order_mark_is_no_harm(door: Doorway) -> None:
    mark = b"\xef\xbb\xbf"
    assert door.post(mark + b'{"name":"x"}', ANY).status == 202
    assert door.post(mark + b'[{"labels":{"alertname":"y"}}]', API).status == 200
    assert Alert.objects.count() == 2


def test_two_hundred_levels_of_nesting_are_text(door: Doorway) -> None:
    assert door.post(b'{"name":"x","labels":{"deep":' + b"[" * 200 + b"]" * 200 + b"}}").status == 202
    assert Alert.objects.get().labels["deep"] == "[" * 200 + "]" * 200


def test_alerts_as_null(door: Doorway) -> None:
    assert "alerts" in _refused(door.post(b'{"groupKey":"k","alerts":null}', ALERTMANAGER), ALERTMANAGER)


def test_a_broken_alert_costs_only_itself(door: Doorway) -> None:
    good, broken = b'{"name":"good"}', b'{"name":"bad","value":1e400},{"name":"\xff"}'
    answer = door.post(b"[" + good + b"," + broken + b"]")
    assert (answer.status, answer.json["alerts"]) == (202, 1)
    assert [error["index"] for error in answer.json["errors"]] == [1, 2]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_too_large(door: Doorway, path: str) -> None:
    spaces = b" " * 65_536
    for request in (
        Request(path, [b" " * (MAX_BYTES + 1)]),
        Request(path, [spaces] * 160),  # 10 MB, chunked, without a length
        Request(path, [b"{}"], headers={"Content-Length": str(MAX_BYTES + 1)}),
        Request(path, [b"{}"], headers={"Content-Length": "9" * 5000}),
    ):
        answer = door.call(request)
        assert answer.status == 413
        assert "TOCSIN_INTAKE_MAX_BYTES" in answer.message
    door.still_works()


def test_a_body_just_within_the_bound_is_read(door: Doorway) -> None:
    body = b'{"name":"x"}'
    assert door.post(body + b" " * (MAX_BYTES - len(body))).status == 202


def test_a_sender_that_hangs_up_stores_nothing(door: Doorway) -> None:
    assert door.call(Request(GENERIC, [b'{"name":', b'"x"'], hang_up=True)).status == 400
    assert not Alert.objects.exists()
    door.still_works()


def test_gzip_is_inflated(door: Doorway) -> None:
    assert door.post(gzip.compress(b'{"name":"x"}'), headers=GZIP).status == 202
    assert Alert.objects.get().name == "x"


def _lying_length(body: bytes) -> bytes:
    packed = gzip.compress(body)
    return packed[:-4] + (len(body) + 7).to_bytes(4, "little")


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"x"}',
        b"",
        gzip.compress(b'{"name":"x"}')[:-9],
        gzip.compress(b'{"name":"x"}')[:6],
        gzip.compress(b'{"name":"x"}') + b"garbage",
        gzip.compress(b'{"name":"x"}') + gzip.compress(b" "),
        _lying_length(b'{"name":"x"}'),
        gzip.compress(b'{"name":"x"}')[:-8] + b"\0" * 8,
        zlib.compress(b'{"name":"x"}'),
    ],
    ids=["plain", "empty", "truncated", "header", "garbage after", "two", "lying length", "checksum", "zlib"],
)
def test_gzip_that_is_none(door: Doorway, body: bytes) -> None:
    answer = door.post(body, headers=GZIP)
    assert (answer.status, answer.json["code"]) == (400, "gzip")
    assert not Alert.objects.exists()
    door.still_works()


def test_a_gzip_bomb_is_not_inflated(door: Doorway) -> None:
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(stream.compress(b" " * 1_000_000) for _ in range(200)) + stream.flush()
    assert len(bomb) < 300_000
    assert door.post(bomb, headers=GZIP).status == 413
    twice = gzip.compress(bomb)
    assert door.post(twice, headers=GZIP).status == 400
    door.still_works()


def test_other_encodings_are_refused(door: Doorway) -> None:
    answer = door.post(b"{}", headers={"Content-Encoding": "br"})
    assert (answer.status, answer.json["code"]) == (415, "content_encoding")
