from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client


@pytest.fixture
def alice(client: Client, db: None) -> Client:
    """A browser in which alice, who may see everything, is signed in."""
    client.force_login(get_user_model().objects.create_superuser("alice"))
    return client


@pytest.fixture(autouse=True)
def no_failed_tries() -> Iterator[None]:
    yield
    cache.clear()
