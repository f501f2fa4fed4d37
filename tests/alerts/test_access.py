"""Who may post: anybody on loopback; beyond it, holders of a key or of the driver's secret."""

import base64
import gzip
import hashlib
import hmac
from collections.abc import Iterator

import pytest
from django.db import connection

from tests.doorway import ANY, API, GENERIC, Doorway, doorway
from tocsin.accounts import services as accounts
from tocsin.alerts.intake import throttle
from tocsin.alerts.models import Alert
from tocsin.core import clock
from tocsin.core.errors import Rejected

BODY = b'{"name":"x"}'
SECRET = "correct horse"


@pytest.fixture
def closed(transactional_db: None) -> Iterator[Doorway]:
    """A door that other machines can reach."""
    with doorway(open_door=False) as way:
        yield way


def _key(name: str = "prometheus", scope: str = "ingest") -> str:
    return accounts.create_api_key(name=name, scope=scope, now=clock.now())


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _sign(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("path", [GENERIC, ANY, API])
def test_without_a_key_nothing_comes_in(closed: Doorway, path: str) -> None:
    answer = closed.post(BODY if path != API else b'[{"labels":{"a":"b"}}]', path)
    assert answer.status == 401
    assert "Authorization: Bearer" in answer.message
    assert not Alert.objects.exists()


def test_who_has_no_credentials_is_not_read(closed: Doorway) -> None:
    assert closed.post(b"not JSON at all", ANY).status == 401
    assert closed.post(b"not gzip", ANY, {"Content-Encoding": "gzip"}).status == 401


@pytest.mark.parametrize("path", [GENERIC, ANY])
def test_a_wrong_key_is_refused(closed: Doorway, path: str) -> None:
    _key()
    for wrong in ("tocsin_nope", "x" * 10_000, "ключ".encode().decode("latin-1"), "\0"):
        assert closed.post(BODY, path, _bearer(wrong)).status == 403
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Basic", "Basic !!!", "Basic \xff", "Basic eA==", "Token x", "x"]
)
def test_a_header_that_holds_no_key_counts_as_none(closed: Doorway, header: str) -> None:
    assert closed.post(BODY, headers={"Authorization": header}).status == 401


def test_the_right_key_opens_as_bearer_and_as_password(closed: Doorway) -> None:
    key = _key()
    assert closed.post(BODY, headers=_bearer(key)).status == 202
    basic = base64.b64encode(f"анна:{key}".encode()).decode()
    assert closed.post(BODY, headers={"Authorization": f"Basic {basic}"}).status == 202
    assert closed.post(b'[{"labels":{"a":"b"}}]', API, {"authorization": f"bearer {key}"}).status == 200


def test_a_key_that_may_only_read_may_not_post(closed: Doorway) -> None:
    reader, writer = _key("reader", "read"), _key("writer", "write")
    answer = closed.post(BODY, headers=_bearer(reader))
    assert answer.status == 403
    assert "scope is read" in answer.message
    assert closed.post(BODY, headers=_bearer(writer)).status == 202


def test_a_revoked_key_is_refused(transactional_db: None) -> None:
    key = _key()
    accounts.revoke_api_key(name="prometheus", now=clock.now())
    with doorway(open_door=False) as door:
        assert door.post(BODY, headers=_bearer(key)).status == 403


def test_keys_that_cannot_be_read_are_a_503_and_come_back(closed: Doorway) -> None:
    key = _key()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_apikey RENAME TO away")
    try:
        answer = closed.post(BODY, headers=_bearer(key))
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO accounts_apikey")
    assert closed.post(BODY, headers=_bearer(key)).status == 202


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("WEBHOOK_SECRET_GENERIC", SECRET)
    return SECRET


@pytest.mark.parametrize("header", ["X-Generic-Signature", "X-Tocsin-Signature", "X-Hub-Signature-256"])
def test_a_body_signed_with_the_secret_comes_in(secret: str, closed: Doorway, header: str) -> None:
    assert closed.post(BODY, headers={header: _sign(BODY)}).status == 202
    assert closed.post(BODY, headers={header: f"sha256={_sign(BODY)}"}).status == 202
    assert closed.post(BODY, headers={header: _sign(BODY).upper()}).status == 202
    assert closed.post(BODY, ANY, {header: _sign(BODY)}).status == 202, "also where the driver is found"


@pytest.mark.parametrize(
    "signature",
    ["", "0" * 64, "zz", _sign(b'{"name":"y"}'), _sign(BODY, "wrong"), _sign(BODY)[:-1], "ü" * 64],
    ids=["missing", "zeros", "short", "of another body", "of another secret", "cut", "not ascii"],
)
def test_an_unsigned_or_wrongly_signed_body_changes_nothing(
    secret: str, door: Doorway, signature: str
) -> None:
    for path in (GENERIC, ANY):
        assert door.post(BODY, path, {"X-Generic-Signature": signature}).status == 403
    assert not Alert.objects.exists()
    assert door.post(b'{"alerts":[]}', "/alerts/webhook/alertmanager/").status == 202, "other ways stay open"


def test_a_key_opens_where_a_secret_is_set_but_not_with_a_wrong_signature(
    secret: str, closed: Doorway
) -> None:
    key = _bearer(_key())
    assert closed.post(BODY, headers=key).status == 202
    assert closed.post(BODY, headers={**key, "X-Generic-Signature": "0" * 64}).status == 403


def test_a_refusal_says_nothing_of_the_secret(secret: str, closed: Doorway) -> None:
    answer = closed.post(BODY, headers={"X-Generic-Signature": "0" * 64})
    assert SECRET.encode() not in answer.body
    assert _sign(BODY).encode() not in answer.body


def test_a_signature_is_over_the_body_as_it_was_sent(
    closed: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET_GENERIC", SECRET)
    packed = gzip.compress(BODY)
    for path in (GENERIC, ANY):
        headers = {"Content-Encoding": "gzip", "X-Tocsin-Signature": _sign(packed)}
        assert closed.post(packed, path, headers).status == 202
        assert closed.post(packed, path, {**headers, "X-Tocsin-Signature": _sign(BODY)}).status == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via"])
def test_what_a_proxy_brings_needs_a_key_on_loopback_too(door: Doorway, header: str) -> None:
    for path in (GENERIC, ANY):
        assert door.post(BODY, path, {header: "192.0.2.1"}).status == 401
    assert door.post(BODY, GENERIC, {header: "192.0.2.1", **_bearer(_key())}).status == 202


def test_a_driver_whose_payload_proves_itself_needs_nothing_else(transactional_db: None) -> None:
    async def proof(body: bytes) -> None:
        if b"signed" not in body:
            raise Rejected("the signature does not fit the message")

    with doorway(open_door=False, proofs={"generic": proof}) as door:
        assert door.post(b'{"name":"signed"}').status == 202
        refused = door.post(b'{"name":"x"}', headers=_bearer(_key()))
        assert (refused.status, refused.message) == (403, "the signature does not fit the message")
        assert door.post(b'{"name":"signed"}', ANY, {"X-Amz-Sns-Message-Type": "Notification"}).status == 202


# A signature that is good for a while only.


def _stamped(age: float, body: bytes = BODY) -> dict[str, str]:
    stamp = str(int(clock.now().timestamp() - age))
    return {"X-Tocsin-Timestamp": stamp, "X-Generic-Signature": _sign(f"{stamp}.".encode() + body)}


def test_a_signed_timestamp_says_how_long_a_post_is_good_for(secret: str, closed: Doorway) -> None:
    assert closed.post(BODY, headers=_stamped(0)).status == 202
    assert closed.post(BODY, headers=_stamped(290)).status == 202
    for age in (310, -310, 10**9):
        answer = closed.post(BODY, headers=_stamped(age))
        assert answer.status == 403
        assert "good for 300 s" in answer.message


def test_a_timestamp_counts_only_where_it_is_signed(secret: str, closed: Doorway) -> None:
    now = str(int(clock.now().timestamp()))
    answer = closed.post(BODY, headers={"X-Generic-Signature": _sign(BODY), "X-Tocsin-Timestamp": now})
    assert answer.status == 403
    assert "the timestamp, a dot and the body" in answer.message
    for odd in ("soon", "-1", "1e9", "9" * 40):
        signed = {"X-Tocsin-Timestamp": odd, "X-Generic-Signature": _sign(odd.encode() + b"." + BODY)}
        assert closed.post(BODY, headers=signed).status == 403


def test_a_timestamp_can_be_asked_of_everybody(
    secret: str, closed: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_SIGNATURE_MAX_AGE", "30")
    answer = closed.post(BODY, headers={"X-Generic-Signature": _sign(BODY)})
    assert answer.status == 403
    assert "X-Tocsin-Timestamp" in answer.message
    assert closed.post(BODY, headers=_stamped(20)).status == 202
    assert closed.post(BODY, headers=_stamped(40)).status == 403


# Guessing.


def test_who_keeps_guessing_must_wait_and_good_keys_still_pass(
    closed: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _key()
    monkeypatch.setattr(throttle, "monotonic", lambda: 1_000.0)
    for _ in range(throttle.TRIES):
        assert closed.post(BODY, headers=_bearer("wrong")).status == 403
    for path in (GENERIC, API, "/v2/alerts", "/integrations/v1/webhook/guess/"):
        answer = closed.post(b"[]", path, _bearer("wrong"))
        assert answer.status == 429
        assert int(answer.headers["retry-after"]) >= 1
    assert closed.post(BODY, headers=_bearer(key)).status == 202


def test_tries_come_back_and_addresses_do_not_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(throttle, "monotonic", lambda: now)
    failed = throttle.Throttle()
    assert [failed.wait("a") for _ in range(throttle.TRIES)] == [0] * throttle.TRIES
    assert failed.wait("a") == 2
    assert failed.wait("b") == 0
    now += 2 * throttle.SECONDS_EACH
    assert [failed.wait("a") for _ in range(3)] == [0, 0, 2]


def test_the_addresses_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "monotonic", lambda: 1_000.0)
    monkeypatch.setattr(throttle, "MOST_ADDRESSES", 2)
    monkeypatch.setattr(throttle, "TRIES", 1)
    failed = throttle.Throttle()
    assert [failed.wait(address) for address in "abc"] == [0, 0, 0]
    assert failed.wait("b") > 0
    assert failed.wait("a") == 0, "forgotten: who failed longest ago"
