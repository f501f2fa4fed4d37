"""Columns of JSON, in clear and encrypted."""

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from tests.notify.messages import NOON
from tocsin.core.errors import Misconfigured
from tocsin.notify.models import NotificationChannel

pytestmark = pytest.mark.django_db
CONFIG = {"url": "https://hooks.example.com/secret-path", "n": [1, None, "ü🔥"]}


def _stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT config FROM notify_notificationchannel")
        stored: str = cursor.fetchone()[0]
        return stored


def test_secrets_are_encrypted_at_rest_and_come_back() -> None:
    NotificationChannel.objects.create(name="c", driver="webhook", config=CONFIG, created_at=NOON)
    assert "secret-path" not in _stored()
    assert NotificationChannel.objects.get().config == CONFIG


def test_after_a_change_of_keys_the_older_still_decrypts(settings: Settings) -> None:
    NotificationChannel.objects.create(name="c", driver="webhook", config=CONFIG, created_at=NOON)
    newer = b"bmV3ZXIta2V5LW5ld2VyLWtleS1uZXdlci1rZXktMTI="
    older = settings.SECRET_KEYS
    settings.SECRET_KEYS = [newer, *older]
    channel = NotificationChannel.objects.get()
    assert channel.config == CONFIG
    before = _stored()
    channel.save()
    assert _stored() != before

    settings.SECRET_KEYS = older
    with pytest.raises(Misconfigured, match="TOCSIN_SECRET_KEYS"):
        NotificationChannel.objects.get()
