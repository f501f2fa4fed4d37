"""How an agent comes by a key of its own."""

from datetime import datetime, timedelta

import pytest

from tests.notify.messages import NOON
from tocsin.accounts.services import digest_of
from tocsin.core.errors import Rejected, Unknown
from tocsin.fleet import enrolment
from tocsin.fleet.enrolment import Taken
from tocsin.fleet.models import Enrolment, Instance

pytestmark = pytest.mark.django_db


def _enrol(token: str, instance_id: str = "web-1", now: datetime = NOON) -> str:
    return enrolment.enrol(token=token, instance_id=instance_id, hostname="h", version="1", now=now)


def test_a_token_is_traded_for_a_key_once() -> None:
    token = enrolment.offer(now=NOON, by="ann")
    key = _enrol(token)
    instance = Instance.objects.get()
    assert instance.key_digest == digest_of(key)
    assert key.startswith(instance.key_prefix)
    assert token not in str(Enrolment.objects.values()) and key not in str(Instance.objects.values())
    with pytest.raises(Unknown):
        _enrol(token, "web-2")


def test_a_token_may_serve_many_and_ends_in_time() -> None:
    token = enrolment.offer(now=NOON, uses=2, lifetime=timedelta(minutes=5))
    _enrol(token)
    _enrol(token, "web-2")
    with pytest.raises(Unknown):
        _enrol(token, "web-3")
    late = enrolment.offer(now=NOON, lifetime=timedelta(minutes=5))
    with pytest.raises(Unknown):
        _enrol(late, "web-3", NOON + timedelta(minutes=5))
    with pytest.raises(Unknown):
        _enrol("nonsense", "web-3")


def test_an_instance_with_a_key_in_force_gets_no_other_and_the_token_is_not_spent() -> None:
    _enrol(enrolment.offer(now=NOON))
    token = enrolment.offer(now=NOON)
    with pytest.raises(Taken, match="revoke"):
        _enrol(token)
    enrolment.revoke(instance_id="web-1", now=NOON)
    key = _enrol(token)
    assert enrolment.agents()[digest_of(key)].enabled


def test_what_cannot_be_is_refused() -> None:
    for lifetime, uses in ((timedelta(0), 1), (timedelta(days=8), 1), (timedelta(hours=1), 0)):
        with pytest.raises(Rejected):
            enrolment.offer(now=NOON, lifetime=lifetime, uses=uses)
    for name in ("", "x" * 256, "a\nb", "\0"):
        with pytest.raises(Rejected):
            _enrol(enrolment.offer(now=NOON), name)
    with pytest.raises(Rejected):
        enrolment.revoke(instance_id="nobody", now=NOON)
