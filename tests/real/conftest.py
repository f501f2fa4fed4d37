"""Fixtures that the tests with real clients share."""

from collections.abc import Iterator

import pytest

from tests.processes import Tocsin
from tests.real.shop import Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Tocsin() as started:
        yield Shop(started)
