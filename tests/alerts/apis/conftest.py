"""A door with other machines beyond it, beside the open one that all tests of alerts have."""

from collections.abc import Iterator

import pytest

from tests.doorway import Doorway, doorway


@pytest.fixture
def closed(transactional_db: None) -> Iterator[Doorway]:
    with doorway(open_door=False) as way:
        yield way
